// From what an operator writes to a member of a settings struct and back: one codec a type. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/value.h"

namespace sidegate::config {

struct Range {  // as an operator would write it; empty: open
  std::string_view min, max;
  bool open() const { return min.empty() && max.empty(); }
};
inline constexpr Range kAny{}, kCount{"0", "1000000000"};

// Errors are sentences about the value, without the key: "70000 is not between 1 and 65535".
struct Codec {
  std::string_view type;                                                // for people: "duration"
  Status (*set)(void* member, const Value& value, const Range& range);  // sets *member or leaves it alone
  std::string (*text)(const void* member);                              // as TOML: "\"30s\"", "true"
  std::string (*words)();  // "starttls | implicit | none", for enums; or null
};

// The words of an enum, in the order they are shown. Each specialisation stands in codec_words.cc.
template <typename T>
using Words = std::vector<std::pair<std::string_view, T>>;

template <typename T>
const Codec& codec();         // by the member's type
const Codec& size32_codec();  // octets: "50MiB", "64KB" or a number
const Codec& size64_codec();
const Codec& one_or_list_codec();  // of texts; options_route.cc

// "250ms", "30s", "5min", "4h", "5d", "2w", and sums such as "1h 30min"; "0" needs no unit.
Result<Duration> parse_duration(std::string_view text);
std::string duration_text(Duration d);  // in the largest unit that is exact
// KiB, MiB, GiB, TiB and K, M, G, T are powers of 1024; KB, MB, GB, TB of 1000; B or nothing: octets.
Result<std::uint64_t> parse_size(std::string_view text);
std::string size_text(std::uint64_t octets);
Result<std::uint16_t> parse_port(std::string_view text);  // 1-65535, or smtp, submission, submissions, smtps

std::string quoted(std::string_view text);  // a TOML basic string

// "did you mean": the nearest of `words`, else one that begins like it ("warn", "logging"); empty: none.
std::string_view suggest(std::string_view word, const std::vector<std::string_view>& words);

}  // namespace sidegate::config
