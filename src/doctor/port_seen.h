// What one port of a server is meant for, and all that it said when it was looked at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "doctor/relay_tricks.h"
#include "smtp/client_session.h"
#include "tls/context.h"

namespace sidegate::doctor {

enum class Role : std::uint8_t {
  kServers,      // 25: mail for local recipients, from anybody
  kSubmission,   // 587: users who log in, STARTTLS (RFC 6409)
  kSubmissions,  // 465: the same with TLS from the first octet (RFC 8314)
  kPrograms,     // this machine's programs and listed networks
};
constexpr bool is_submission(Role role) {
  return role == Role::kSubmission || role == Role::kSubmissions;
}

struct Place {
  std::string listener;  // its name in the configuration; empty: not ours
  std::string name;      // what its certificate should be for; empty: not known
  std::string address;   // numeric
  std::uint16_t port = 25;
  std::string source = {};  // connect from this address of ours; empty: as the system chooses
  Role role = Role::kServers;
  bool implicit_tls = false;
  bool proxy = false;                // it takes us for a proxy, and waits for a PROXY header
  bool relays_for_us = false;        // by its configuration, whoever connects from here may relay
  bool only_relaying = false;        // look at nothing but who may relay: the rest was seen from elsewhere
  std::string local_recipient = {};  // an address that it should take on port 25; empty: postmaster
  std::string text() const;          // "submission 192.0.2.1:587", with the source where one is given
};

// A reply, or why there is none.
struct Answer {
  int code = 0;           // 0: no reply
  std::string line = {};  // the reply, printable; or the error
  bool asked() const { return code != 0 || !line.empty(); }
  bool good() const { return code >= 200 && code < 300; }
  bool later() const { return code >= 400 && code < 500; }
  bool refused() const { return code >= 500 && code < 600; }
};

struct VersionTried {
  std::string version;  // "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"
  bool taken = false;
};

struct TrickTried {
  Trick trick;
  Answer mail, recipient;  // recipient: asked only where mail was taken
};

enum class Injected : std::uint8_t {
  kNotTried,
  kRefused,    // the session ended, or the command was refused
  kForgotten,  // TLS began, and what was said before it was not answered
  kBelieved,   // it was answered inside TLS
};

// What is tried without having logged in, in the clear or inside TLS.
struct Stranger {
  bool tried = false;
  smtp::Capabilities capabilities;
  Answer auth;                        // to "AUTH PLAIN", in the clear
  Answer mail, away, local, unknown;  // MAIL; RCPT to an address elsewhere, to one of theirs, to one that cannot be
};

struct PortSeen {
  Place place;
  std::optional<ErrorKind> unreachable;
  Answer connect;  // why it is unreachable
  Answer greeting;
  Answer broken;  // where the first dialogue ended early, and how
  Stranger in_clear, in_tls;
  Answer vrfy_known, vrfy_unknown, expn, etrn;
  Answer tls;  // why there is no TLS although it should be
  std::optional<tls::Verdict> verdict;
  std::vector<VersionTried> versions;
  Injected injected = Injected::kNotTried;
  std::vector<TrickTried> tricks;
  bool tricks_cut_short = false;  // the server ended the dialogue again and again
};

}  // namespace sidegate::doctor
