#include "daemon/notify_socket.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace sidegate::daemon::notify_socket_test {
namespace {

using ::testing::MatchesRegex;

// The service manager's side: an abstract socket that the kernel forgets by itself.
class Manager {
 public:
  Manager() : name_("@sidegate-notify-" + std::to_string(getpid())), fd_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
  }
  ~Manager() { close(fd_); }
  const std::string& name() const { return name_; }
  std::string received() const {
    char text[4096];
    ssize_t n = recv(fd_, text, sizeof text, MSG_DONTWAIT);
    return n < 0 ? "nothing" : std::string(text, static_cast<std::size_t>(n));
  }

 private:
  std::string name_;
  int fd_;
};

TEST(NotifySocket, SaysWhatAServiceManagerWaitsFor) {
  Manager manager;
  NotifySocket socket(manager.name(), Duration(30'000));
  EXPECT_TRUE(socket.ready("serving").has_value());
  EXPECT_EQ(manager.received(), "READY=1\nSTATUS=serving");
  EXPECT_TRUE(socket.reloading("reading").has_value());
  EXPECT_THAT(manager.received(), MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+\nSTATUS=reading"));
  EXPECT_TRUE(socket.alive("3 messages").has_value());
  EXPECT_EQ(manager.received(), "WATCHDOG=1\nSTATUS=3 messages");
  EXPECT_TRUE(socket.stopping("draining").has_value());
  EXPECT_EQ(manager.received(), "STOPPING=1\nSTATUS=draining");
  EXPECT_TRUE(NotifySocket(manager.name(), Duration(0)).alive("x").has_value());
  EXPECT_EQ(manager.received(), "STATUS=x");
}

TEST(NotifySocket, WithoutOneNothingHappensAndOneThatIsGoneIsAnError) {
  EXPECT_TRUE(NotifySocket().ready("x").has_value());
  EXPECT_FALSE(NotifySocket("@sidegate-nobody-is-here", Duration(0)).ready("x").has_value());
  EXPECT_FALSE(NotifySocket("/" + std::string(200, 'x'), Duration(0)).ready("x").has_value());
}

TEST(NotifySocket, AStatusIsOneLineWhateverStandsInIt) {
  const struct {
    std::string text, line;
  } cases[] = {{"plain", "plain"},
               {"two\nREADY=1", "two READY=1"},
               {std::string("nul\0tab\t", 8), "nul tab "},
               {std::string(600, 'a'), std::string(512, 'a')},
               {std::string(511, 'a') + "\xe3\x81\x82", std::string(511, 'a')}};
  for (const auto& c : cases) EXPECT_EQ(NotifySocket::status_line(c.text), c.line);
}

TEST(NotifySocket, TheWatchdogIsFedThreeTimesInItsTimeAndOnlyItsOwnProcessFeedsIt) {
  EXPECT_EQ(NotifySocket("@x", Duration(9'000)).interval(), Duration(3'000));
  EXPECT_EQ(NotifySocket("@x", Duration(120'000)).interval(), Duration(10'000));
  EXPECT_EQ(NotifySocket("@x", Duration(0)).interval(), Duration(10'000));
  EXPECT_EQ(NotifySocket("@x", Duration(1)).interval(), Duration(1));
  setenv("NOTIFY_SOCKET", "@x", 1);
  setenv("WATCHDOG_USEC", "6000000", 1);
  EXPECT_EQ(NotifySocket::of_environment().interval(), Duration(2'000));
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(NotifySocket::of_environment().interval(), Duration(10'000));
  setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
  EXPECT_FALSE(NotifySocket::of_environment().there());
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  EXPECT_FALSE(NotifySocket::of_environment().there());
}

}  // namespace
}  // namespace sidegate::daemon::notify_socket_test
