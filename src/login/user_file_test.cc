#include "login/user_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/text.h"
#include "login/password.h"
#include "login/user_store.h"

namespace sidegate::login::user_file_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kHash = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7";

TEST(UserFile, Lines) {
  std::vector<UserProblem> problems;
  auto file =
      UserFile::parse("# users\n\nMe@Example.org:" + kHash + ":\nyou:{CRYPT}$6$salt$x:disabled\n  they:" + kHash +
                          "\nsus:" + kHash + ":suspended,disabled\r\nnobody::\n",
                      &problems);
  EXPECT_THAT(problems, IsEmpty());
  ASSERT_NE(file.find("me@example.org"), nullptr);
  EXPECT_EQ(file.find("me@example.org")->hash, kHash);
  EXPECT_EQ(file.find("Me@Example.org"), nullptr);  // asked by its canonical name
  EXPECT_EQ(file.find("you")->hash, "$6$salt$x");
  EXPECT_FALSE(file.find("you")->may_log_in());
  EXPECT_TRUE(file.find("they")->may_log_in());
  EXPECT_TRUE(file.find("sus")->suspended);
  EXPECT_EQ(file.usual()->name, "me@example.org");
  EXPECT_FALSE(verify_password(*file.find("nobody"), ""));
}

TEST(UserFile, WrongLinesAreLeftOutAndToldOf) {
  struct Row {
    std::string line;
    const char* says;
  };
  const Row rows[] = {
      {"me", "not NAME:SECRETS:FLAGS"},
      {"me:" + kHash + "::x", "not NAME"},
      {":" + kHash, "no user's name"},
      {"a b:" + kHash, "no user's name"},
      {"me:hunter2", "unknown kind"},
      {"me:{PLAIN}hunter2", "{PLAIN.B64}"},
      {"me:{PLAIN.B64}!", "malformed"},
      {"me:{SCRAM-SHA-256}4096,c2FsdA==,AAAA,AAAA", "malformed SCRAM-SHA-256"},
      {"me:{SCRAM-SHA-1}0,c2FsdA==,AAAAAAAAAAAAAAAAAAAAAAAAAAA=,AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "malformed SCRAM-SHA-1"},
      {"me:{SCRAM-SHA-1", "no end"},
      {"me:" + kHash + " " + kHash, "two hashes"},
      {"me:" + kHash + ":locked", "unknown flag locked"},
  };
  for (const Row& row : rows) {
    std::vector<UserProblem> problems;
    auto file = UserFile::parse("ok:" + kHash + "\n" + row.line + "\n", &problems);
    ASSERT_EQ(problems.size(), 1u) << row.line;
    EXPECT_EQ(problems[0].line, 2u);
    EXPECT_THAT(problems[0].text, HasSubstr(row.says)) << row.line;
    EXPECT_THAT(problems[0].text, ::testing::Not(HasSubstr("hunter2"))) << "a secret in an error";
    EXPECT_EQ(file.users().size(), 1u);
  }
}

TEST(UserFile, WhatIsWrittenIsRead) {
  User user;
  user.name = "me@example.org";
  ASSERT_TRUE(store_password(user, "p\xc3\xa4ss w\xc3\xb6rd", {.scram = true, .cram = true}));
  user.suspended = true;
  std::vector<UserProblem> problems;
  auto file = UserFile::parse(user_line(user), &problems);
  EXPECT_THAT(problems, IsEmpty());
  const User* read = file.find("me@example.org");
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(read->hash, user.hash);
  EXPECT_EQ(read->keys.sha1, user.keys.sha1);
  EXPECT_EQ(read->keys.sha256, user.keys.sha256);
  EXPECT_EQ(read->keys.password, user.keys.password);
  EXPECT_TRUE(read->suspended);
  EXPECT_TRUE(verify_password(*read, "p\xc3\xa4ss w\xc3\xb6rd"));
  EXPECT_FALSE(verify_password(*read, "p\xc3\xa4ss word"));
}

TEST(UserFile, AChangeLeavesOtherLinesAlone) {
  const std::string text = "# who\n odd : line\nme:" + kHash + "\n\nyou:" + kHash + ":disabled";
  User me = *UserFile::parse(text).find("me");
  me.disabled = true;
  EXPECT_EQ(with_user(text, me), "# who\n odd : line\nme:" + kHash + ":disabled\n\nyou:" + kHash + ":disabled\n");
  EXPECT_EQ(without_user(text, "me"), "# who\n odd : line\n\nyou:" + kHash + ":disabled\n");
  User fresh;
  fresh.name = "new";
  EXPECT_EQ(with_user("me:x", fresh), "me:x\nnew::\n");
}

TEST(UserFile, WhatAllHave) {
  User me, you;
  me.name = "me";
  you.name = "you";
  ASSERT_TRUE(store_password(me, "a", {}));
  ASSERT_TRUE(store_password(you, "b", {.scram = false}));
  auto file = UserFile::parse(user_line(me));
  EXPECT_TRUE(file.all_have(auth::Needs::kScramSha256));
  EXPECT_FALSE(file.all_have(auth::Needs::kPlainSecret));
  file = UserFile::parse(user_line(me) + "\n" + user_line(you));
  EXPECT_FALSE(file.all_have(auth::Needs::kScramSha1));
  you.disabled = true;
  file = UserFile::parse(user_line(me) + "\n" + user_line(you));
  EXPECT_TRUE(file.all_have(auth::Needs::kScramSha1));
  EXPECT_FALSE(UserFile::parse("").all_have(auth::Needs::kScramSha1));
}

TEST(Password, HashesOfOtherPrograms) {
  EXPECT_TRUE(
      verify_hash("$6$saltsalt$9UFTK9rqvkUkExX8Hf9yMeD6cJpQwzhKLbVZZtwe49INpZ2nq0ZKC5v6zTKu2sF9O3ZlUsl8GaN6R6tHmXGfG1",
                  "x") == false);
  auto made = make_hash("pencil");
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->starts_with("$y$"));
  EXPECT_TRUE(verify_hash(*made, "pencil"));
  EXPECT_FALSE(verify_hash(*made, "pencils"));
  EXPECT_FALSE(verify_hash(*made, std::string("pencil\0x", 8)));
  EXPECT_FALSE(verify_hash("$y$", "pencil"));
  EXPECT_FALSE(verify_hash("*0", "pencil"));
  // argon2 -id: `echo -n pencil | argon2 saltsalt -id -t 1 -k 64 -e`
  EXPECT_FALSE(verify_hash("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAA", "pencil"));
}

TEST(Password, WhatMayNotBeOne) {
  User user;
  EXPECT_FALSE(store_password(user, "", {}));
  EXPECT_FALSE(store_password(user, std::string(600, 'x'), {}));
  EXPECT_FALSE(store_password(user, "a\nb", {}));
  EXPECT_FALSE(store_password(user, "p\xff", {.scram = true}));
  ASSERT_TRUE(store_password(user, "p\xff", {.scram = false}));
  EXPECT_TRUE(verify_password(user, "p\xff"));
}

TEST(Password, OneKeyboardOrAnother) {  // RFC 4013: a full-width letter is that letter
  User user;
  ASSERT_TRUE(store_password(user,
                             "\xef\xbc\xa1"
                             "bc",
                             {}));
  EXPECT_TRUE(verify_password(user, "Abc"));
  user.hash.clear();  // by the SCRAM keys alone
  EXPECT_TRUE(verify_password(user,
                              "\xef\xbc\xa1"
                              "bc"));
  EXPECT_FALSE(verify_password(user, "abc"));
}

TEST(UserStore, ReplacesTheFileInOneStep) {
  char folder[] = "/tmp/sidegate-users-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/users";
  {
    auto store = UserStore::open(path, "", true);
    ASSERT_TRUE(store) << store.error().text;
    EXPECT_EQ(store->text(), "");
    ASSERT_TRUE(store->write("me:x\n"));
  }
  struct stat s{};
  ASSERT_EQ(stat(path.c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 07777, 0640u);
  EXPECT_EQ(UserStore::open(path, "", false)->text(), "me:x\n");
  ASSERT_EQ(symlink(path.c_str(), (path + ".link").c_str()), 0);
  EXPECT_FALSE(UserStore::open(path + ".link", "", true));
  EXPECT_FALSE(UserStore::open(folder, "", false));
  const std::string missing = std::string(folder) + "/none/users";
  EXPECT_EQ(UserStore::open(missing, "", false)->text(), "");  // nobody yet
  EXPECT_FALSE(std::filesystem::exists(std::string(folder) + "/none"));
  EXPECT_TRUE(UserStore::open(missing, "", true)->write("me:x\n"));
  EXPECT_EQ(UserStore::open(missing, "", false)->text(), "me:x\n");
  EXPECT_FALSE(UserStore::open(std::string(folder) + "/not/there/users", "", true));
  std::size_t files = 0;
  for ([[maybe_unused]] auto& entry : std::filesystem::directory_iterator(folder)) ++files;
  EXPECT_EQ(files, 3u);  // nothing is left lying about
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sidegate::login::user_file_test
