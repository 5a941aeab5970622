#include "daemon/sandbox.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <thread>

namespace sidegate::daemon::sandbox_test {
namespace {

// Runs `act` in a child inside the sandbox; 0: it returned true, 1: false, 77: there is no sandbox here.
int inside(const SandboxPlan& plan, const std::function<bool(const Sandbox&)>& act) {
  pid_t child = fork();
  if (child == 0) {
    auto entered = enter_sandbox(plan);
    if (!entered) _exit(2);
    if (entered->landlock == 0 || !entered->seccomp) _exit(77);
    _exit(act(*entered) ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class InSandbox : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sidegate-sandbox-XXXXXX";
    folder_ = mkdtemp(name);
    own_ = folder_ + "/own";
    other_ = folder_ + "/other";
    mkdir(own_.c_str(), 0700);
    mkdir(other_.c_str(), 0700);
    std::ofstream(other_ + "/secret") << "x";
    plan_ = {system_files(), {own_}};
  }
  void TearDown() override {
    std::string command = "rm -rf " + folder_;
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  void holds(const std::function<bool(const Sandbox&)>& act) {
    int result = inside(plan_, act);
    if (result == 77) GTEST_SKIP() << "no sandbox in this build or on this kernel";
    EXPECT_EQ(result, 0);
  }
  std::string folder_, own_, other_;
  SandboxPlan plan_;
};

TEST_F(InSandbox, PlacesOfAFileThatIsReplaced) {
  const std::string link = own_ + "/resolv.conf";
  ASSERT_EQ(symlink((other_ + "/secret").c_str(), link.c_str()), 0);
  EXPECT_EQ(places_of(link), (std::vector<std::string>{own_, other_}));
  EXPECT_EQ(places_of("/nowhere/else"), (std::vector<std::string>{"/nowhere"}));
  EXPECT_EQ(places_of("/hosts-in-the-root"), (std::vector<std::string>{"/hosts-in-the-root"}));
  EXPECT_TRUE(places_of("").empty());
}

TEST_F(InSandbox, TheQueueIsThereAndNothingElse) {
  holds([this](const Sandbox&) {
    int made = open((own_ + "/file").c_str(), O_CREAT | O_RDWR, 0600);
    bool works = made >= 0 && write(made, "x", 1) == 1 && fdatasync(made) == 0 && ftruncate(made, 0) == 0 &&
                 rename((own_ + "/file").c_str(), (own_ + "/file2").c_str()) == 0 &&
                 unlink((own_ + "/file2").c_str()) == 0;
    bool shut = open((other_ + "/secret").c_str(), O_RDONLY) < 0 &&
                open((other_ + "/new").c_str(), O_CREAT | O_WRONLY, 0600) < 0 &&
                open("/root", O_RDONLY | O_DIRECTORY) < 0 && open("/etc/sidegate-test", O_CREAT | O_WRONLY, 0600) < 0;
    bool escapes =
        symlink("/root", (own_ + "/way").c_str()) == 0 || open((own_ + "/../other/secret").c_str(), O_RDONLY) >= 0;
    return works && shut && !escapes && open("/etc/hosts", O_RDONLY) >= 0;
  });
}

TEST_F(InSandbox, NoProgramIsRunAndNothingIsGainedBack) {
  holds([](const Sandbox&) {
    char name[] = "/bin/true";
    char* arguments[] = {name, nullptr};
    bool ran = execv(name, arguments) == 0;
    pid_t forked = fork();
    if (forked == 0) _exit(0);
    bool traced = ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0;
    bool became = setuid(12345) == 0 || setgid(12345) == 0;
    bool mounted = mount("none", "/mnt", "tmpfs", 0, nullptr) == 0;
    int raw = socket(AF_PACKET, SOCK_RAW, 0);
    return !ran && forked < 0 && !traced && !became && !mounted && raw < 0;
  });
}

TEST_F(InSandbox, ThreadsAndSocketsGoOn) {
  holds([](const Sandbox&) {
    bool ran = false;
    std::thread([&] { ran = true; }).join();
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in port{};
    port.sin_family = AF_INET;
    port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool any = bind(tcp, reinterpret_cast<sockaddr*>(&port), sizeof port) == 0 && listen(tcp, 1) == 0;
    return ran && any && socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
  });
}

TEST_F(InSandbox, WhatIsMissingIsNoError) {
  plan_.read.push_back("/nowhere/at/all");
  plan_.write.push_back("/nowhere/either");
  holds([](const Sandbox& made) { return made.landlock > 0 && made.lacking.empty(); });
}

}  // namespace
}  // namespace sidegate::daemon::sandbox_test
