// Alias files on disk: read anew when they change, believed only where nobody else writes, never forgotten when they
// turn bad.
#include "intake/alias_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "alias/address.h"
#include "intake/system_sources.h"

namespace sidegate::intake::alias_files_test {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path;
  Folder() {
    char name[] = "/tmp/sidegate-alias-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path); }
  std::string file(const char* name) const { return (path / name).string(); }
  // As an editor does: a new file takes the old one's place.
  void write(const char* name, const std::string& text) const {
    std::ofstream(path / "new") << text;
    ::chmod((path / "new").c_str(), 0644);
    fs::rename(path / "new", path / name);
  }
};

std::string keys(const AliasFiles& files) {
  std::string out;
  for (const auto& file : files.current()->tables.alias_files()) {
    for (const auto& entry : file.entries) out += entry.key + (entry.broken ? "! " : " ");
  }
  return out;
}

struct Setting {
  Folder folder;
  AliasFiles files{null_log()};
  alias::Settings settings;
  Setting() {
    settings.local_domains = {"gate.test"};
    settings.hostname = "gate.test";
    settings.alias_files = {folder.file("aliases")};
  }
};

TEST(AliasFiles, ReadAnewWhenTheyChange) {
  Setting s;
  s.folder.write("aliases", "a: b\n");
  s.files.set_settings(s.settings);
  EXPECT_EQ(keys(s.files), "a ");
  unsigned version = s.files.version();
  s.files.look();
  EXPECT_EQ(s.files.version(), version);  // nothing changed, nothing is read
  s.folder.write("aliases", "c: d\n");
  s.files.look();
  EXPECT_EQ(keys(s.files), "c ");
  EXPECT_GT(s.files.version(), version);
  auto kept = s.files.current();
  s.folder.write("aliases", "e: f\n");
  s.files.look();
  EXPECT_NE(kept->tables.alias("c"), nullptr);  // who holds a snapshot keeps it
}

TEST(AliasFiles, WhatItSaidBeforeStaysWhenItTurnsBad) {
  struct {
    const char* why;
    std::function<void(const Setting&)> spoil;
  } cases[] = {
      {"does not parse", [](const Setting& s) { s.folder.write("aliases", "a b\n"); }},
      {"gone", [](const Setting& s) { fs::remove(s.folder.path / "aliases"); }},
      {"a folder",
       [](const Setting& s) {
         fs::remove(s.folder.path / "aliases");
         fs::create_directory(s.folder.path / "aliases");
       }},
      {"writable by everyone", [](const Setting& s) { ::chmod(s.folder.file("aliases").c_str(), 0666); }},
      {"being written: empty", [](const Setting& s) { s.folder.write("aliases", ""); }},
      {"being written: in the middle of a line", [](const Setting& s) { s.folder.write("aliases", "x: y\nz"); }},
      {"a pipe",
       [](const Setting& s) {
         fs::remove(s.folder.path / "aliases");
         ::mkfifo(s.folder.file("aliases").c_str(), 0644);
       }},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    Setting s;
    s.folder.write("aliases", "a: b\n");
    s.files.set_settings(s.settings);
    c.spoil(s);
    s.files.look();
    EXPECT_EQ(keys(s.files), "a ");
    fs::remove_all(s.folder.path / "aliases");
    s.folder.write("aliases", "good: again\n");
    s.files.look();
    EXPECT_EQ(keys(s.files), "good ");
  }
}

TEST(AliasFiles, BadFromTheBeginning) {
  Setting s;
  s.folder.write("aliases", "good: bob\nbad line\n");
  s.files.set_settings(s.settings);
  EXPECT_EQ(keys(s.files), "good bad! ");  // what can be read counts, the rest waits
  fs::remove(s.folder.path / "aliases");
  Setting gone;
  gone.files.set_settings(gone.settings);
  EXPECT_TRUE(gone.files.current()->tables.aliases_unreadable());
  gone.folder.write("aliases", "a: b\n");
  gone.files.look();
  EXPECT_FALSE(gone.files.current()->tables.aliases_unreadable());
}

TEST(SystemSources, IncludedFiles) {
  struct {
    const char* why;
    std::function<void(const Folder&)> make;
    bool good;
  } cases[] = {
      {"plain", [](const Folder& f) { f.write("list", "bob\n"); }, true},
      {"writable by everyone",
       [](const Folder& f) {
         f.write("list", "bob\n");
         ::chmod(f.file("list").c_str(), 0646);
       },
       false},
      {"a link",
       [](const Folder& f) {
         f.write("other", "bob\n");
         fs::create_symlink(f.path / "other", f.path / "list");
       },
       false},
      {"a pipe", [](const Folder& f) { ::mkfifo(f.file("list").c_str(), 0644); }, false},
      {"a folder", [](const Folder& f) { fs::create_directory(f.path / "list"); }, false},
      {"none", [](const Folder&) {}, false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    Folder folder;
    c.make(folder);
    SystemSources sources(::geteuid(), null_log());
    auto read = sources.read_include(folder.file("list"), 0);
    EXPECT_EQ(read.has_value(), c.good);
    if (!read) EXPECT_NE(read.error().text.find("list"), std::string::npos);
  }
}

TEST(SystemSources, AnIncludedFileOfSomebodyElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  Folder folder;
  folder.write("list", "bob\n");
  ASSERT_EQ(::chown(folder.file("list").c_str(), 12345, 12345), 0);
  EXPECT_FALSE(SystemSources(0, null_log()).read_include(folder.file("list"), 0));
  EXPECT_TRUE(SystemSources(12345, null_log()).read_include(folder.file("list"), 0));  // the service's own
  EXPECT_TRUE(SystemSources(0, null_log()).read_include(folder.file("list"), 12345));  // the alias file's owner's
}

TEST(SystemSources, AnIncludedFileThatTurnsBadStaysAsItWas) {
  Folder folder;
  folder.write("list", "bob\n");
  SystemSources sources(::geteuid(), null_log());
  ASSERT_TRUE(sources.read_include(folder.file("list"), 0));
  folder.write("list", "carol\n");
  EXPECT_EQ(sources.read_include(folder.file("list"), 0).value(), "carol\n");
  ::chmod(folder.file("list").c_str(), 0666);
  EXPECT_EQ(sources.read_include(folder.file("list"), 0).value(), "carol\n");
  fs::remove(folder.path / "list");
  EXPECT_EQ(sources.read_include(folder.file("list"), 0).value(), "carol\n");
}

TEST(SystemSources, Users) {
  SystemSources sources(0, null_log());
  auto root = sources.find_user("root");
  ASSERT_TRUE(root && *root);
  EXPECT_EQ((*root)->uid, 0u);
  auto nobody = sources.find_user("nobody-of-that-name");
  ASSERT_TRUE(nobody);
  EXPECT_FALSE(*nobody);
}

TEST(ForwardFile, OnlyTheUsersOwn) {
  Folder folder;
  alias::User user{"taro", ::geteuid(), folder.path.string()};
  EXPECT_FALSE(read_forward_file(user).value());
  folder.write(".forward", "me@isp.example\n");
  EXPECT_EQ(read_forward_file(user).value(), "me@isp.example\n");
  user.uid = 12345;
  EXPECT_FALSE(read_forward_file(user));
  user.uid = ::geteuid();
  ::chmod(folder.file(".forward").c_str(), 0666);
  EXPECT_EQ(read_forward_file(user).error().kind, ErrorKind::kBadInput);
  fs::remove(folder.path / ".forward");
  folder.write("other", "x@y.example\n");
  fs::create_symlink(folder.path / "other", folder.path / ".forward");
  EXPECT_EQ(read_forward_file(user).error().kind, ErrorKind::kBadInput);
}

}  // namespace
}  // namespace sidegate::intake::alias_files_test
