#pragma once

#include <string>
#include <vector>

#include "intake/user_rules.h"
#include "milter/settings.h"
#include "screen/settings.h"
#include "smtp/settings.h"
#include "tls/context.h"

namespace sidegate::intake {

// What is told of clients' sessions that is not about a message.
enum class LogConnections : std::uint8_t { kNone, kSummary, kAll };

// Whom a listener is for (intake/policy.h says what follows).
enum class Profile : std::uint8_t {
  kLocal,        // programs of this machine and of listed networks
  kSmtp,         // other servers: mail for our recipients; listed networks may relay
  kSubmission,   // users who have logged in, STARTTLS (RFC 6409)
  kSubmissions,  // the same with TLS from the first octet (RFC 8314)
};
constexpr bool is_submission(Profile profile) {
  return profile == Profile::kSubmission || profile == Profile::kSubmissions;
}
enum class ListenerTls : std::uint8_t { kNone, kStartTls, kImplicit };

// One [[listener]] block.
struct ListenerSettings {
  std::string name;
  std::string address;  // numeric
  std::uint16_t port = 25;
  Profile profile = Profile::kLocal;
  ListenerTls tls = ListenerTls::kNone;
  bool auth = false;                  // AUTH is offered, inside TLS only
  std::vector<std::string> networks;  // CIDR; who may relay without AUTH here
  std::vector<std::string> proxy;     // CIDR; who says in a PROXY header whom it speaks for
  std::vector<std::string> xclient;   // CIDR; who may do so by XCLIENT
  bool trust_loopback = true;         // 127.0.0.0/8 and ::1 may relay; only where the listener itself is on loopback
  bool add_missing_headers = true;    // Date, Message-ID and From where a program forgot them
  bool add_sender = false;            // Sender where an authenticated user's From names somebody else
  bool hide_client = true;            // no address of authenticated users in the trace field
  std::vector<tls::Identity> certificates;  // as configured; empty: those of the whole server
  tls::ServerSettings tls_server;           // what follows; no identities: one is made, or for `local` no TLS
  screen::Settings screen;                  // how strangers are looked at
  std::vector<milter::Settings> milters;    // asked about each message, in this order
  bool submit = false;                      // the submit socket: users of this machine, known by their uid
  smtp::ServerSettings smtp;
};

// Whose existence is looked at before mail for a relay domain is taken (intake/relay_domains.h).
enum class RecipientCheck : std::uint8_t { kAny, kList, kCallForward };

struct RelayDomainSettings {
  std::string domain;  // lower case
  RecipientCheck check = RecipientCheck::kAny;
  std::string list_text = {};  // of kList: the file's content, parse_recipient_list()
};

// How programs of this machine send: the submit socket and the drop directory.
struct SubmitSettings {
  std::string socket = "/run/sidegate/submit";            // empty: none
  std::string drop_directory = "/var/lib/sidegate/drop";  // empty: none
};

}  // namespace sidegate::intake
