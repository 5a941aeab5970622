// Promise 6 as a table: who may do what on which listener.
#include "intake/policy.h"

#include <gtest/gtest.h>

#include <sstream>

namespace sidegate::intake::policy_test {
namespace {

struct Case {
  Profile profile;
  const char* listens_on;  // the listener's own address
  const char* peer;
  bool authenticated;
  Standing expected;
};

constexpr const char* kListed = "192.168.1.0/24";

// Every row that differs from "a stranger" has its reason in the profile's words.
const Case kCases[] = {
    // local on loopback: this machine's programs
    {Profile::kLocal, "127.0.0.1", "127.0.0.1", false, Standing::kTrusted},
    {Profile::kLocal, "::1", "::1", false, Standing::kTrusted},
    {Profile::kLocal, "/run/x", "unix", false, Standing::kTrusted},
    {Profile::kLocal, "127.0.0.1", "192.168.1.7", false, Standing::kTrusted},
    {Profile::kLocal, "127.0.0.1", "198.51.100.1", false, Standing::kStranger},
    // local on another address: listed networks, and nobody else for anything
    {Profile::kLocal, "192.168.1.1", "192.168.1.7", false, Standing::kTrusted},
    {Profile::kLocal, "0.0.0.0", "192.168.1.7", false, Standing::kTrusted},
    {Profile::kLocal, "0.0.0.0", "127.0.0.1", false, Standing::kUnlisted},
    {Profile::kLocal, "::", "::1", false, Standing::kUnlisted},
    {Profile::kLocal, "::", "::ffff:192.168.1.7", false, Standing::kTrusted},
    {Profile::kLocal, "0.0.0.0", "198.51.100.1", false, Standing::kUnlisted},
    {Profile::kLocal, "0.0.0.0", "198.51.100.1", true, Standing::kTrusted},
    // smtp: the world, and never loopback for its own sake
    {Profile::kSmtp, "0.0.0.0", "198.51.100.1", false, Standing::kStranger},
    {Profile::kSmtp, "0.0.0.0", "127.0.0.1", false, Standing::kStranger},
    {Profile::kSmtp, "127.0.0.1", "127.0.0.1", false, Standing::kStranger},
    {Profile::kSmtp, "::1", "::1", false, Standing::kStranger},
    {Profile::kSmtp, "0.0.0.0", "192.168.1.7", false, Standing::kTrusted},
    {Profile::kSmtp, "0.0.0.0", "198.51.100.1", true, Standing::kTrusted},
    // submission: everybody logs in
    {Profile::kSubmission, "0.0.0.0", "198.51.100.1", false, Standing::kMustLogIn},
    {Profile::kSubmission, "0.0.0.0", "192.168.1.7", false, Standing::kMustLogIn},
    {Profile::kSubmission, "127.0.0.1", "127.0.0.1", false, Standing::kMustLogIn},
    {Profile::kSubmission, "/run/x", "unix", false, Standing::kMustLogIn},
    {Profile::kSubmission, "0.0.0.0", "198.51.100.1", true, Standing::kTrusted},
    {Profile::kSubmissions, "0.0.0.0", "192.168.1.7", false, Standing::kMustLogIn},
    {Profile::kSubmissions, "127.0.0.1", "127.0.0.1", false, Standing::kMustLogIn},
    {Profile::kSubmissions, "0.0.0.0", "127.0.0.1", true, Standing::kTrusted},
};

smtp::SessionInfo session_of(const Case& c) {
  smtp::SessionInfo session;
  session.peer.address = c.peer;
  session.peer.is_unix = session.peer.address == "unix";
  auto address = parse_address(session.peer.address);
  session.peer.loopback = address && is_loopback(*address);
  if (c.authenticated) session.user = "taro";
  return session;
}

std::shared_ptr<const ListenerPolicy> policy_of(const Case& c) {
  ListenerSettings settings;
  settings.profile = c.profile;
  settings.address = c.listens_on;
  settings.networks = {kListed};
  settings.auth = is_submission(c.profile);
  return ListenerPolicy::make(settings).value();
}

std::string described(const Case& c) {
  std::ostringstream text;
  text << "profile " << static_cast<int>(c.profile) << " on " << c.listens_on << ", from " << c.peer
       << (c.authenticated ? ", logged in" : "");
  return text.str();
}

TEST(Policy, Standing) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(described(c));
    auto session = session_of(c);
    auto policy = policy_of(c);
    EXPECT_EQ(standing(session, *policy), c.expected);
    EXPECT_EQ(may_relay(session, *policy), c.expected == Standing::kTrusted);
    auto refusal = refusal_of_mail(session, *policy);
    bool refused = c.expected == Standing::kMustLogIn || c.expected == Standing::kUnlisted;
    EXPECT_EQ(refusal.has_value(), refused);
    if (c.expected == Standing::kMustLogIn) {
      EXPECT_EQ(refusal->code, 530);
      EXPECT_TRUE(refusal->line().starts_with("530 5.7.0 Authentication required")) << refusal->line();
    }
  }
}

TEST(Policy, LoopbackThatIsNotTrustedIsAStranger) {
  ListenerSettings settings;
  settings.address = "127.0.0.1";
  settings.trust_loopback = false;
  auto policy = ListenerPolicy::make(settings).value();
  Case c{Profile::kLocal, "127.0.0.1", "127.0.0.1", false, Standing::kStranger};
  EXPECT_EQ(standing(session_of(c), *policy), Standing::kStranger);
}

TEST(Policy, Recipients) {
  struct {
    bool may_relay;
    Whose whose;
    const char* local_part;
    bool taken;
  } cases[] = {
      {false, Whose::kOurs, "taro", true},
      {false, Whose::kOurs, "taro%far.example", true},  // no user of that name is here: refused as unknown
      {false, Whose::kRelayDomain, "taro", true},
      {false, Whose::kRelayDomain, "taro%far.example", false},
      {false, Whose::kRelayDomain, "far.example!taro", false},
      {false, Whose::kRelayDomain, "\"taro@far.example\"", false},
      {false, Whose::kElsewhere, "taro", false},
      {true, Whose::kOurs, "taro", true},
      {true, Whose::kRelayDomain, "taro%far.example", true},
      {true, Whose::kElsewhere, "taro", true},
  };
  for (const auto& c : cases) {
    auto refusal = refusal_of_recipient(c.may_relay, c.whose, c.local_part);
    EXPECT_EQ(!refusal.has_value(), c.taken) << c.may_relay << " " << static_cast<int>(c.whose) << " " << c.local_part;
    if (refusal) EXPECT_EQ(refusal->line(), "554 5.7.1 Relay access denied");
  }
}

TEST(Policy, AuthIsForTlsAlone) {
  for (bool tls : {false, true}) {
    for (bool auth : {false, true}) {
      for (bool done : {false, true}) {
        ListenerSettings settings;
        settings.address = "0.0.0.0";
        settings.auth = auth;
        settings.profile = Profile::kSmtp;
        smtp::SessionInfo session;
        session.tls = tls;
        if (done) session.user = "taro";
        EXPECT_EQ(offers_auth(session, *ListenerPolicy::make(settings).value()), tls && auth && !done);
      }
    }
  }
}

}  // namespace
}  // namespace sidegate::intake::policy_test
