// A file of the drop directory as sidegate-drop writes it (doc/drop.md): pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "mail/envelope.h"

namespace sidegate::intake {

inline constexpr std::size_t kMaxDropEnvelope = (1u << 20) + 4096;

struct DropHeading {
  unsigned uid = 0;
  std::uint64_t time = 0;  // seconds since 1970
  mail::Envelope envelope;
  std::size_t message_at = 0;  // octets before the message
  std::uint64_t message_size = 0;
};

// start: the file's first octets, all of them or kMaxDropEnvelope. kBadInput says why it is none.
Result<DropHeading> parse_drop(std::string_view start);

struct DropName {
  std::string base;      // "0123456789abcdef-0123456789abcdef"
  unsigned in_hand = 0;  // 1 to 9: the server was at work on it, so many times; 0: fresh
};
std::optional<DropName> parse_drop_name(std::string_view name);
bool is_unfinished_drop(std::string_view name);  // "tmp-..."

}  // namespace sidegate::intake
