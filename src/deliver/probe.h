// `sidegate relay test`: the way to a provider, step by step, with cause and cure for what fails. Nothing is sent,
// unless it is asked for: the dialogue ends after MAIL FROM with RSET and QUIT.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "deliver/settings.h"
#include "dns/resolver.h"
#include "net/loop.h"
#include "smtp/client_session.h"

namespace sidegate::deliver {

using ProbeValue = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

enum class ProbeMark : std::uint8_t {
  kGood,
  kNote,  // not as it could be, and no obstacle: no IPv6 here, nothing to log in with
  kFailed,
};

// Of a relay with several hosts or ports each is tried until one would take mail; "candidate" begins each.
// Names, in the order in which they come: "settings", "dns", "connect" (one for each address), "greeting", "ehlo",
// "starttls", "tls", "certificate", "ehlo_tls", "mechanisms", "auth", "limits", "mail" (one for each sender), "send",
// "port465", "result". With TLS from the first octet "tls" and "certificate" come before "greeting"; where
// opportunistic TLS is offered and fails, "connect", "greeting" and "ehlo" come once more. They are an interface:
// `--json`.
struct ProbeStep {
  std::string name;
  ProbeMark mark = ProbeMark::kGood;
  std::string text;         // what was seen, one line, free of control characters
  std::string cause, cure;  // plain words, where mark is kFailed (and sometimes for a kNote)
  std::vector<std::pair<std::string, ProbeValue>> details;  // for --json
  bool ok() const { return mark != ProbeMark::kFailed; }
};

struct ProbeSender {
  std::string address;
  bool guessed = false;  // nobody says that mail leaves so: a refusal is worth a note
};

struct ProbeOptions {
  std::string hostname = "localhost";    // for EHLO
  std::optional<std::string> sender;     // for MAIL FROM, "" is the null one; none: those that follow
  std::vector<ProbeSender> senders;      // empty: the relay's address, or the user if that is one
  std::uint64_t max_message_size = 0;    // what our own listeners take; 0: not known
  std::string send_to;                   // one real message goes there
  Duration patience = Duration(15'000);  // no step takes longer, whatever the relay's own time-outs are
  smtp::Transcript transcript;           // empty: none
};

// Runs on the loop's thread; sink is called on it, for each step as it ends. True: mail would be taken. relay.host may
// be "[host]:port"; no secret comes into a step or the transcript.
net::Awaitable<bool> probe(net::Loop& loop, dns::Resolver& resolver, RelaySettings relay, ProbeOptions options,
                           std::function<void(const ProbeStep&)> sink);

// One step as a person reads it (cause and cure on lines of their own), and as one line of JSON. Pure.
std::string probe_text(const ProbeStep& step, bool colour);
std::string probe_json(const ProbeStep& step);

}  // namespace sidegate::deliver
