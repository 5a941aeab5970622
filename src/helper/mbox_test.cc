#include "helper/mbox.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <utime.h>

#include <csignal>

#include "helper/delivery_fixture.h"

namespace sidegate::helper::mbox_test {
namespace {

constexpr const char* kOne =
    "From a@b  Sat Nov 21 22:25:12 2026\nReturn-Path: <a@b>\nX-Original-To: me@c\nDelivered-To: me@c\n"
    "Subject: x\n\nbody\n>From nowhere\n.\n\n";

class Mbox : public Delivery {
 protected:
  std::optional<Answer> deliver(std::string content = kContent, std::size_t cut = std::string::npos) {
    request.head = kHead;
    auto fn = [this](const Request& r, const Person& p, int socket) { return deliver_mbox(r, p, socket, rules); };
    return with_content(request, fn, std::move(content), cut);
  }
  Request request{.verb = Verb::kMbox, .user = "me", .place = "~/box/%u"};
  LockRules rules{.wait_milliseconds = 60, .look_milliseconds = 10, .stale_seconds = 500};
};

TEST_F(Mbox, AppendsWithFromLinesQuoted) {
  for (int i = 1; i <= 3; ++i) {
    auto a = deliver();
    ASSERT_TRUE(a && a->cause == Cause::kDone) << a->text;
    std::string expected;
    for (int k = 0; k < i; ++k) expected += kOne;
    EXPECT_EQ(read("box/me"), expected);
  }
  EXPECT_EQ(mode(home + "/box/me"), 0600u);
  EXPECT_EQ(files("box").size(), 1u);  // no lock is left
}

TEST_F(Mbox, WhatIsThereIsEndedFirst) {
  std::filesystem::create_directory(home + "/box");
  write("box/me", "From x\n\nhalf a line");
  deliver();
  EXPECT_EQ(read("box/me"), std::string("From x\n\nhalf a line\n\n") + kOne);
  write("box/me", "From x\n\nno empty line\n");
  deliver();
  EXPECT_EQ(read("box/me"), std::string("From x\n\nno empty line\n\n") + kOne);
}

TEST_F(Mbox, AServerThatGoesAwayLeavesItAsItWas) {
  deliver();
  const std::string large = "a: b\r\n\r\n" + std::string(300'000, 'x') + "\r\n";
  for (std::size_t cut : {std::size_t{0}, std::size_t{5}, large.size() / 2, large.size() - 1}) {
    EXPECT_FALSE(deliver(large, cut)) << cut;
    EXPECT_EQ(read("box/me"), kOne) << cut;
    EXPECT_EQ(files("box").size(), 1u);
  }
}

TEST_F(Mbox, AFailedWriteIsTakenBack) {
  deliver();
  // In a process of its own: a limit on file sizes stands for a full disk or quota (EFBIG like ENOSPC and EDQUOT).
  pid_t pid = fork();
  if (pid == 0) {
    signal(SIGXFSZ, SIG_IGN);
    rlimit limit{200'000, 200'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    auto a = deliver("a: b\r\n\r\n" + std::string(300'000, 'x') + "\r\n");
    _exit(a && a->cause == Cause::kSystem && a->code == EFBIG ? 0 : 1);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read("box/me"), kOne);
}

TEST_F(Mbox, LocksOfOthersAreRespected) {
  deliver();
  write("box/me.lock", "1\n");
  auto a = deliver();
  ASSERT_TRUE(a);
  EXPECT_EQ(a->cause, Cause::kLocked) << a->text;
  EXPECT_EQ(read("box/me"), kOne);
  EXPECT_TRUE(std::filesystem::exists(home + "/box/me.lock"));  // it is not ours
  utimbuf old{time(nullptr) - 501, time(nullptr) - 501};
  ASSERT_EQ(utime((home + "/box/me.lock").c_str(), &old), 0);
  EXPECT_EQ(deliver()->cause, Cause::kDone);  // stale: whoever made it is gone
  EXPECT_EQ(read("box/me"), std::string(kOne) + kOne);
}

TEST_F(Mbox, FcntlLocksOfOthersAreRespected) {
  deliver();
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  pid_t pid = fork();
  if (pid == 0) {
    int fd = open((home + "/box/me").c_str(), O_RDWR);
    struct flock lock{};
    lock.l_type = F_WRLCK;
    bool held = fcntl(fd, F_SETLK, &lock) == 0;
    (void)!::write(ready[1], held ? "y" : "n", 1);
    for (;;) pause();
  }
  char held = 0;
  ASSERT_EQ(::read(ready[0], &held, 1), 1);
  EXPECT_EQ(held, 'y');
  EXPECT_EQ(deliver()->cause, Cause::kLocked);
  EXPECT_EQ(files("box").size(), 1u);
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  EXPECT_EQ(deliver()->cause, Cause::kDone);
  close(ready[0]);
  close(ready[1]);
}

TEST_F(Mbox, WhatIsNoPlainFileOfOnesOwnIsRefused) {
  std::filesystem::create_directory(home + "/box");
  struct Case {
    const char* what;
    void (*make)(const std::string& home);
  };
  const Case kCases[] = {
      {"symbolic link",
       [](const std::string& h) { EXPECT_EQ(symlink((h + "/victim").c_str(), (h + "/box/me").c_str()), 0); }},
      {"dangling link",
       [](const std::string& h) { EXPECT_EQ(symlink((h + "/none").c_str(), (h + "/box/me").c_str()), 0); }},
      {"hard link", [](const std::string& h) { EXPECT_EQ(link((h + "/victim").c_str(), (h + "/box/me").c_str()), 0); }},
      {"pipe", [](const std::string& h) { EXPECT_EQ(mkfifo((h + "/box/me").c_str(), 0600), 0); }},
      {"folder", [](const std::string& h) { EXPECT_EQ(mkdir((h + "/box/me").c_str(), 0700), 0); }},
  };
  for (Verb verb : {Verb::kMbox, Verb::kFile}) {
    request.verb = verb;
    for (const Case& c : kCases) {
      write("victim", "precious\n");
      std::filesystem::remove_all(home + "/box/me");
      c.make(home);
      auto a = deliver();
      ASSERT_TRUE(a) << c.what;
      EXPECT_NE(a->cause, Cause::kDone) << c.what;
      EXPECT_EQ(read("victim"), "precious\n") << c.what;
      EXPECT_FALSE(std::filesystem::exists(home + "/none")) << c.what;
    }
  }
}

TEST_F(Mbox, AMailboxOfSomebodyElseIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  deliver();
  ASSERT_EQ(chown((home + "/box/me").c_str(), 12345, 12345), 0);
  EXPECT_EQ(deliver()->cause, Cause::kNotAllowed);
  request.verb = Verb::kFile;  // an alias may name any file that the user may write to
  EXPECT_EQ(deliver()->cause, Cause::kDone);
}

TEST_F(Mbox, TheSpoolsGroupIsForOnesOwnFileAlone) {
  request.place = home + "/spool/%u";
  ASSERT_EQ(mkdir((home + "/spool").c_str(), 0700), 0);
  chmod((home + "/spool").c_str(), 02775);
  EXPECT_FALSE(spool_group(request, person));  // its group is not "mail"
  if (geteuid() != 0) GTEST_SKIP() << "needs root for the rest";
  ASSERT_EQ(chown((home + "/spool").c_str(), 0, 8), 0);
  chmod((home + "/spool").c_str(), 02775);
  EXPECT_EQ(spool_group(request, person), gid_t{8});
  request.place = home + "/spool/bob";
  EXPECT_FALSE(spool_group(request, person));
  request.place = home + "/spool/%u";
  chmod((home + "/spool").c_str(), 02777);
  EXPECT_FALSE(spool_group(request, person));
}

}  // namespace
}  // namespace sidegate::helper::mbox_test
