// What an operator says of one filter.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "base/clock.h"
#include "milter/address.h"

namespace sidegate::milter {

constexpr std::uint32_t kNewestVersion = 6;  // of the protocol, that we speak

// What becomes of a message when the filter is down, too slow, or breaks the protocol.
enum class OnFailure : std::uint8_t { kTempfail, kAccept, kQuarantine };

// Named and sized as Postfix's.
struct Timeouts {
  Duration connect = std::chrono::seconds(30);   // the link, and the options
  Duration command = std::chrono::seconds(30);   // one answer before the message
  Duration content = std::chrono::seconds(300);  // one answer to a field, a piece of body or the end
  // All answers to one command together, and all about one message's content, whichever filter gives them: one that
  // only ever says "progress" ends too. RFC 5321 section 4.5.3.2.6: the client waits 10 minutes for the reply to the
  // dot.
  Duration longest = std::chrono::minutes(9);
};

struct Settings {
  std::string name;  // for the log
  Address address;
  OnFailure on_failure = OnFailure::kTempfail;
  Timeouts timeouts = {};
  std::uint32_t version = kNewestVersion;  // of the protocol: the newest that is offered
  // What it is told beside what we know; where we know a value of that name, ours counts.
  std::map<std::string, std::string, std::less<>> macros = {};
  std::uint64_t max_body = 50 * 1024 * 1024;  // of what it puts in the place of a body
};

}  // namespace sidegate::milter
