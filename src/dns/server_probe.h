// One name server asked directly, in the ways that a router's forwarder may lack: with EDNS and DNSSEC's records, over
// TCP. For those who look for faults; nothing else uses it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace sidegate::dns {

struct ServerSeen {
  std::string server;              // as resolv.conf has it
  bool answers = false;            // a question without EDNS, over UDP
  int rcode = -1;                  // of that answer
  bool edns = false;               // an answer with EDNS came to a question with it
  bool signatures = false;         // it passes on DNSSEC's records (RFC 4035)
  bool validates = false;          // and says that it has checked them (AD)
  bool tcp = false;                // it answers over TCP (RFC 7766)
  std::int64_t milliseconds = -1;  // of the first answer
};

// Asks for the root's SOA record: it is signed, and everybody has it. Blocks, `limit` at the most.
ServerSeen probe_server(const std::string& server, Duration limit);

// --- pure parts

// The question for the root's SOA; dnssec: with EDNS (RFC 6891), DO and AD.
std::string make_root_question(std::uint16_t id, bool dnssec);

struct RootAnswer {
  int rcode = 0;
  bool edns = false, signatures = false, authentic = false;
};
// nullopt: no answer to question `id`.
std::optional<RootAnswer> read_root_answer(std::string_view message, std::uint16_t id);

}  // namespace sidegate::dns
