#include "daemon/handed_sockets.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "daemon/upgrade.h"

namespace sidegate::daemon::handed_sockets_test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

int listener(net::Endpoint* at) {
  auto bound = net::bind_listener({"127.0.0.1", 0}, 1);
  EXPECT_TRUE(bound.has_value());
  *at = net::listening_at(bound->front()).value();
  return bound->front();
}

TEST(HandedSockets, AreMatchedByAddressAndElseByName) {
  net::Endpoint a, b;
  HandedSocket first{listener(&a), "", {}}, second{listener(&b), "submission", {}};
  first.at = a;
  second.at = b;
  HandedSockets handed({first, second});
  EXPECT_THAT(handed.take({"127.0.0.1", 1}, "other"), IsEmpty());
  EXPECT_THAT(handed.take({"127.0.0.1", 1}, ""), IsEmpty());
  auto by_name = handed.take({"0.0.0.0", 587}, "submission");
  ASSERT_THAT(by_name, SizeIs(1));
  EXPECT_EQ(by_name.front().fd, second.fd);
  auto by_address = handed.take(a, "in");
  ASSERT_THAT(by_address, SizeIs(1));
  EXPECT_EQ(by_address.front().fd, first.fd);
  std::vector<std::string> warnings;
  EXPECT_TRUE(handed.close_rest(&warnings).has_value());
  close(first.fd);
  close(second.fd);
}

TEST(HandedSockets, AUnixSocketIsItsPath) {
  HandedSocket kept{-1, "submit", {"/run/sidegate/submit", 0}, true};
  HandedSockets handed({kept});
  EXPECT_THAT(handed.take({"/run/sidegate/other", 25}, "x"), IsEmpty());
  EXPECT_THAT(handed.take({"/run/sidegate/submit", 25}, "x"), SizeIs(1));  // a listener's default port means nothing
}

TEST(HandedSockets, OneThatNobodyWantsIsAnErrorAndOneThatWeKeptAWarning) {
  for (bool kept : {false, true}) {
    HandedSocket socket{-1, "odd", {}, kept};
    socket.fd = listener(&socket.at);
    HandedSockets handed({socket});
    std::vector<std::string> warnings;
    Status rest = handed.close_rest(&warnings);
    EXPECT_EQ(rest.has_value(), kept);
    if (!rest) EXPECT_THAT(rest.error().text, HasSubstr(socket.at.text() + " (\"odd\")"));
    EXPECT_THAT(warnings, SizeIs(kept ? 1 : 0));
    EXPECT_EQ(fcntl(socket.fd, F_GETFD), -1);
  }
}

TEST(HandedSockets, WhatWeKeptComesBackAndTheVariablesAreGone) {
  net::Endpoint at;
  const int fd = listener(&at);
  setenv("LISTEN_PID", "1", 1);  // another process's
  setenv("LISTEN_FDS", "2", 1);
  setenv(kKeptSockets, kept_text({{fd, ""}}, getpid()).c_str(), 1);
  auto handed = HandedSockets::of_environment();
  ASSERT_TRUE(handed.has_value());
  EXPECT_EQ(handed->most_at_one_place(), 1u);
  EXPECT_THAT(handed->take(at, ""), SizeIs(1));
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", kKeptSockets})
    EXPECT_EQ(std::getenv(name), nullptr) << name;
  close(fd);
}

TEST(HandedSockets, WhatDoesNotListenIsRefused) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  setenv(kKeptSockets, kept_text({{fd, "syslog"}}, getpid()).c_str(), 1);
  auto handed = HandedSockets::of_environment();
  ASSERT_FALSE(handed.has_value());
  EXPECT_THAT(handed.error().text, HasSubstr("\"syslog\""));
  close(fd);
}

}  // namespace
}  // namespace sidegate::daemon::handed_sockets_test
