#include "login/authenticator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "login/password.h"
#include "login/worker.h"
#include "net/run_script.h"
#include "smtp/receiver.h"

namespace sidegate::login::authenticator_test {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

std::string users(std::initializer_list<const char*> names, Storing storing = {}) {
  std::string out;
  for (const char* name : names) {
    User user;
    user.name = name;
    EXPECT_TRUE(store_password(user, "pass", storing));
    out += user_line(user) + "\n";
  }
  return out;
}

Settings file_settings(std::string text) {
  Settings s;
  s.users = std::move(text);
  s.limits.delay = 0ms;
  return s;
}

class Logins : public testing::Test {
 protected:
  void make(Settings settings) {
    logins.emplace(std::move(settings), nullptr, "key", clock, null_log());
    session.peer.address = "192.0.2.1";
  }
  smtp::LoginVerdict password(const std::string& user, const std::string& secret) {
    return net::run_script(logins->password({session, "PLAIN"}, user, secret));
  }
  auth::Secret secret(const std::string& user) {
    return *net::run_script(logins->secret({session, "SCRAM-SHA-256"}, user));
  }
  smtp::LoginVerdict proven(const std::string& user, std::string_view mechanism = "SCRAM-SHA-256") {
    return net::run_script(logins->proven({session, mechanism}, user));
  }
  void fail_once(const std::string& user) {
    net::run_script(logins->failed({session, "PLAIN"}, user, "wrong", smtp::LoginEnd::kWrong));
  }

  ManualClock clock;
  smtp::SessionInfo session;
  std::optional<Authenticator> logins;
};

TEST_F(Logins, ByOurOwnFile) {
  make(file_settings(users({"me@example.org"})));
  EXPECT_EQ(*password("Me@example.org", "pass"), "me@example.org");
  EXPECT_EQ(*password("me@example.org", "pass"), "me@example.org");  // remembered
  EXPECT_EQ(*password("me@example.org", "wrong"), std::nullopt);
  EXPECT_EQ(*password("ghost", "pass"), std::nullopt);
}

TEST_F(Logins, AChangedFileForgetsWhatWasRemembered) {
  make(file_settings(users({"me"})));
  EXPECT_EQ(*password("me", "pass"), "me");
  User me;
  me.name = "me";
  ASSERT_TRUE(store_password(me, "other", {}));
  logins->set(file_settings(user_line(me)));
  EXPECT_EQ(*password("me", "pass"), std::nullopt);
  EXPECT_EQ(*password("me", "other"), "me");
  me.disabled = true;
  logins->set(file_settings(user_line(me)));
  EXPECT_EQ(*password("me", "other"), std::nullopt);
  EXPECT_EQ(*proven("me"), std::nullopt);
}

TEST_F(Logins, WhatIsOfferedWorksForEverybody) {
  make(file_settings(users({"me", "you"})));
  EXPECT_THAT(logins->mechanisms(true, false),
              ElementsAre("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN", "LOGIN"));
  EXPECT_THAT(logins->mechanisms(false, true),
              ElementsAre("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", "EXTERNAL"));
  logins->set(file_settings(users({"me"}) + users({"you"}, {.scram = false})));
  EXPECT_THAT(logins->mechanisms(true, false), ElementsAre("PLAIN", "LOGIN"));
  logins->set(file_settings(users({"me"}, {.scram = true, .cram = true})));
  EXPECT_THAT(logins->mechanisms(false, false), Contains("CRAM-MD5"));
  Settings named = file_settings(users({"me"}));
  named.mechanisms = {"PLAIN"};
  logins->set(named);
  EXPECT_THAT(logins->mechanisms(true, false), ElementsAre("PLAIN"));
  Settings both = file_settings(users({"me"}));
  both.backends = {"file", "dovecot"};  // whose users have no keys here
  logins->set(both);
  EXPECT_THAT(logins->mechanisms(true, false), ElementsAre("PLAIN", "LOGIN"));
}

TEST_F(Logins, SecretsOfUnknownUsersLookLikeSecrets) {
  make(file_settings(users({"me"})));
  auth::Secret me = secret("ME"), ghost = secret("ghost");
  EXPECT_EQ(me.sha256->iterations, ghost.sha256->iterations);
  EXPECT_EQ(me.sha256->salt.size(), ghost.sha256->salt.size());
  EXPECT_EQ(ghost.sha256, secret("ghost").sha256);
  EXPECT_NE(ghost.sha256, secret("host").sha256);
  EXPECT_EQ(*proven("me"), "me");
  EXPECT_EQ(*proven("ghost"), std::nullopt);
}

TEST_F(Logins, ABackEndThatIsGoneIsNoVerdict) {
  Settings s = file_settings(users({"me"}));
  s.backends = {"dovecot", "file"};
  s.dovecot_socket = "/nonexistent/auth";
  make(s);
  EXPECT_EQ(*password("me", "pass"), "me");  // the other one knows
  auto ghost = password("ghost", "pass");
  ASSERT_FALSE(ghost);
  EXPECT_NE(ghost.error().kind, ErrorKind::kConflict);
}

TEST_F(Logins, TooManyFailures) {
  Settings s = file_settings(users({"me"}));
  s.limits.per_address = 3;
  make(s);
  for (int i = 0; i < 3; ++i) fail_once("ghost");
  auto verdict = password("me", "pass");
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().kind, ErrorKind::kConflict);
  EXPECT_FALSE(proven("me"));
  session.peer.address = "192.0.2.2";
  EXPECT_EQ(*password("me", "pass"), "me");
  clock.advance(10min);
  session.peer.address = "192.0.2.1";
  EXPECT_EQ(*password("me", "pass"), "me");
}

TEST_F(Logins, ACertificateNamesWhomTheFileLetsIn) {
  make(file_settings(users({"me"})));
  EXPECT_EQ(*proven("Me", "EXTERNAL"), "me");
  EXPECT_EQ(*proven("you", "EXTERNAL"), std::nullopt);
}

TEST(WorkerWithin, TheSessionGoesOnWhileTheWorkerHangs) {
  net::WorkerPool pool(1);
  std::atomic<bool> release = false;
  auto hung = [&]() -> net::Awaitable<Result<int>> {
    std::move_only_function<Result<int>()> fn = [&]() -> Result<int> {
      while (!release) std::this_thread::yield();
      return 1;
    };
    auto result = co_await on_worker_within<int>(pool, 20ms, std::move(fn));
    release = true;  // only now does the worker end
    co_return result;
  };
  auto result = net::run_script(hung());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kTimeout);
}

TEST(WorkerWithin, GivesWhatComesInTime) {
  net::WorkerPool pool(1);
  auto work = [&]() -> net::Awaitable<Result<int>> {
    std::move_only_function<Result<int>()> fn = [] { return 7; };
    auto result = co_await on_worker_within<int>(pool, 60s, std::move(fn));
    co_return result;
  };
  EXPECT_EQ(*net::run_script(work()), 7);
}

}  // namespace
}  // namespace sidegate::login::authenticator_test
