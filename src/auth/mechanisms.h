// The SASL mechanisms we speak, strongest first, and what each shows to whom.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace sidegate::auth {

enum class Shows : std::uint8_t {
  kNothing,    // TLS has shown who we are
  kPassword,   // the peer, and whoever listens in the clear, gets the password itself
  kChallenge,  // a listener gets something to guess passwords against
};

struct Mechanism {
  std::string_view name;
  Shows shows;
  bool binds;          // -PLUS: bound to the TLS connection (RFC 5802 section 6)
  bool client_first;   // has an initial response (RFC 4422 section 5, item 2a)
  bool proves_server;  // the server must prove that it knows the password too
};

// SCRAM with SHA-1 and a binding stands before SCRAM with SHA-256 without one: a relayed login is the likelier attack.
// DIGEST-MD5 (historic, RFC 6331) before CRAM-MD5: it verifies the server. PLAIN before LOGIN: one round trip less.
inline constexpr std::array<Mechanism, 9> kMechanisms{{
    {"EXTERNAL", Shows::kNothing, false, true, false},  // RFC 4422 appendix A
    {"SCRAM-SHA-256-PLUS", Shows::kChallenge, true, true, true},
    {"SCRAM-SHA-1-PLUS", Shows::kChallenge, true, true, true},
    {"SCRAM-SHA-256", Shows::kChallenge, false, true, true},
    {"SCRAM-SHA-1", Shows::kChallenge, false, true, true},
    {"DIGEST-MD5", Shows::kChallenge, false, false, true},
    {"CRAM-MD5", Shows::kChallenge, false, false, false},
    {"PLAIN", Shows::kPassword, false, true, false},
    {"LOGIN", Shows::kPassword, false, false, false},
}};

const Mechanism* find_mechanism(std::string_view name);  // any case; nullptr: not one of ours

}  // namespace sidegate::auth
