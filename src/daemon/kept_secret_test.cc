#include "daemon/kept_secret.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sidegate::daemon::kept_secret_test {
namespace {

struct Folder {
  std::string path = std::filesystem::temp_directory_path() / ("sidegate-secret-" + std::to_string(getpid()));
  Folder() { std::filesystem::create_directory(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file() const { return path + "/srs_secret"; }
};

TEST(KeptSecret, MadeOnce) {
  Folder folder;
  auto made = kept_secret(folder.file());
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(made->size(), 64u);
  struct stat st{};
  ASSERT_EQ(stat(folder.file().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
  auto again = kept_secret(folder.file());
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *made);
  EXPECT_NE(fresh_secret(), fresh_secret());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path), {}), 1);
}

TEST(KeptSecret, WhatIsNoSecretIsNotReplaced) {
  Folder folder;
  std::ofstream(folder.file()) << "short\n";
  EXPECT_EQ(kept_secret(folder.file()).error().kind, ErrorKind::kBadInput);
  std::filesystem::remove(folder.file());
  std::ofstream(folder.path + "/other") << std::string(64, 'a') << "\n";
  std::filesystem::create_symlink(folder.path + "/other", folder.file());
  EXPECT_FALSE(kept_secret(folder.file()));  // no link is followed
  std::filesystem::remove(folder.file());
  std::filesystem::create_symlink(folder.path + "/victim", folder.file() + ".new");  // nor written through
  EXPECT_TRUE(kept_secret(folder.file()));
  EXPECT_FALSE(std::filesystem::exists(folder.path + "/victim"));
}

TEST(KeptSecret, NoFolder) {
  EXPECT_FALSE(kept_secret("/nonexistent/srs_secret"));
}

}  // namespace
}  // namespace sidegate::daemon::kept_secret_test
