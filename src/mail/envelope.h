// The envelope: who sent it, to whom, and what the sender asked for. Written once, when the message is accepted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sidegate::mail {

enum class BodyType : std::uint8_t { kUnspecified, k7bit, k8bitMime };  // RFC 6152
enum class Ret : std::uint8_t { kUnspecified, kFull, kHeaders };        // RFC 3461 section 4.3

// RFC 3461 section 4.1. No flag: not specified (failure and, by our choice, delay).
struct Notify {
  bool never = false, success = false, failure = false, delay = false;
  bool specified() const { return never || success || failure || delay; }
  bool operator==(const Notify&) const = default;
};

// The value of NOTIFY=: "NEVER", "SUCCESS,FAILURE"; empty: not specified.
std::string notify_words(const Notify& notify);

// Where a recipient's mail goes once aliases are resolved. kRoute: by the address, the rules and the ways out; the
// others end on this machine.
enum class Destination : std::uint8_t { kRoute, kMailbox, kPipe, kFile, kDiscard };

// What a kDiscard recipient's target may say: nothing is to be delivered, the sender who asked for it is told that the
// address led to several (RFC 3464 section 2.3.3: expanded), or to a list (delivered).
inline constexpr const char *kExpanded = "expanded", *kHandedToList = "list";

struct Recipient {
  std::string address;  // forward-path without brackets: as given, or what an alias led to
  Notify notify;
  std::string orcpt;  // "rfc822;xtext" as received, still encoded; empty: none
  // --- of a recipient that went through an alias or ends here; all empty for the usual one that is relayed
  Destination destination = Destination::kRoute;
  std::string target = {};   // kMailbox: the user or mailbox name; kPipe: the command; kFile: the path; kDiscard: above
  std::string as_user = {};  // kPipe, kFile: the Unix user with whose rights; empty: the default_user setting
  std::string original = {};     // the address as given, where `address` is another one
  std::string return_path = {};  // takes the reverse-path's place for this recipient (owner- alias); empty: it does not
  bool forwarded = false;  // an address of ours led to one elsewhere: the sender is rewritten as forward_sender says
  bool operator==(const Recipient&) const = default;
};

inline bool tells_of(const Recipient& r, const char* what) {
  return r.destination == Destination::kDiscard && r.target == what;
}

// What the sender wants of TLS on the way (RFC 8689). The numbers lie on disk.
enum class TlsDemand : std::uint8_t {
  kUsual = 0,     // what the configuration and the destinations' policies say
  kRequired = 1,  // REQUIRETLS: authenticated TLS all the way, or a report that it could not be had
  kOptional = 2,  // "TLS-Required: No": better in the clear than not at all
};

struct Envelope {
  std::string reverse_path;  // empty: null reverse-path
  std::vector<Recipient> recipients;
  BodyType body = BodyType::kUnspecified;
  Ret ret = Ret::kUnspecified;
  std::string envid;  // xtext as received; empty: none
  bool smtputf8 = false;
  TlsDemand tls = TlsDemand::kUsual;
  bool operator==(const Envelope&) const = default;
};

// Where a message came from: what routing looks at, and what the trace field and the log tell.
struct Origin {
  std::string listener;      // its name in the configuration
  std::string peer_address;  // "192.0.2.1", "2001:db8::1", empty for our own reports
  std::string helo;
  std::string user;      // authenticated or Unix user; empty: none
  std::string protocol;  // "ESMTP", "ESMTPS", ...: RFC 3848 keyword
  bool operator==(const Origin&) const = default;
};

}  // namespace sidegate::mail
