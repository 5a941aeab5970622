// The envelope: who sent it, to whom, and what the sender asked for. Written once, when the message is accepted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sidegate::mail {

enum class BodyType : std::uint8_t { kUnspecified, k7bit, k8bitMime };   // RFC 6152
enum class Ret : std::uint8_t { kUnspecified, kFull, kHeaders };         // RFC 3461 section 4.3

// RFC 3461 section 4.1. No flag: not specified (failure and, by our choice, delay).
struct Notify {
  bool never = false, success = false, failure = false, delay = false;
  bool specified() const { return never || success || failure || delay; }
  bool operator==(const Notify&) const = default;
};

struct Recipient {
  std::string address;   // forward-path as given, without brackets
  Notify notify;
  std::string orcpt;     // "rfc822;xtext" as received, still encoded; empty: none
  bool operator==(const Recipient&) const = default;
};

struct Envelope {
  std::string reverse_path;   // empty: null reverse-path
  std::vector<Recipient> recipients;
  BodyType body = BodyType::kUnspecified;
  Ret ret = Ret::kUnspecified;
  std::string envid;          // xtext as received; empty: none
  bool smtputf8 = false;
  bool operator==(const Envelope&) const = default;
};

// Where a message came from: what routing looks at, and what the trace field and the log tell.
struct Origin {
  std::string listener;      // its name in the configuration
  std::string peer_address;  // "192.0.2.1", "2001:db8::1", empty for our own reports
  std::string helo;
  std::string user;          // authenticated or Unix user; empty: none
  std::string protocol;      // "ESMTP", "ESMTPS", ...: RFC 3848 keyword
  bool operator==(const Origin&) const = default;
};

}  // namespace sidegate::mail
