// What the SMTP server of one listener is allowed and told to do. Filled by the configuration; a session keeps the
// snapshot it began with.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace sidegate::smtp {

using namespace std::chrono_literals;

enum class LongLines : std::uint8_t { kPass, kRefuse };

struct ServerSettings {
  std::string hostname;                          // greeting, EHLO, trace field
  std::uint64_t max_message_size = 50ull << 20;  // octets; SIZE (RFC 1870)
  std::uint32_t max_recipients = 1000;           // a message; then 452 4.5.3 (RFC 5321 section 4.5.3.1.8: at least 100)
  std::uint32_t max_header_size = 256u << 10;    // octets
  std::uint32_t max_received = 100;              // Received fields: more is a loop, 554 5.4.6
  std::uint32_t max_command = 512;      // octets with CRLF, more where an extension adds (RFC 5321 section 4.5.3.1.4)
  std::uint32_t refuse_command = 4096;  // up to here 500, longer without CRLF up to:
  std::uint32_t fatal_command = 65536;  // ... here, then closed
  std::uint32_t max_text_line = 1000;   // octets with CRLF (RFC 5321 section 4.5.3.1.6)
  std::uint32_t max_long_line = 65536;  // where long_lines passes
  LongLines long_lines = LongLines::kPass;
  std::uint32_t max_errors = 20;          // then 421 4.7.0
  std::uint32_t max_idle_commands = 100;  // NOOP, RSET, VRFY, HELP, a second EHLO without mail in between, then 421
  Duration idle_timeout = 5min;           // waiting for a command (RFC 5321 section 4.5.3.2.7)
  Duration data_timeout = 3min;           // waiting for the next block of content
  std::uint64_t min_data_rate = 500;      // octets a second of content, over data_timeout; 0: any
  bool offer_starttls = false;
  bool offer_auth = false;  // inside TLS only, whatever is configured
};

}  // namespace sidegate::smtp
