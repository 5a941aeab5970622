// Regular expressions over short texts in time that grows with text times pattern and never worse: domains come from
// strangers, and std::regex goes back over its steps without a bound. Of our own, because what a rule about domains
// needs is small: . [] () | * + ? {n,m} ^ $ \. \d \w \s. No backreferences.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sidegate::route {

class Regex {
 public:
  // kBadInput, with what is wrong and where.
  static Result<Regex> compile(std::string_view pattern);
  // Anywhere in the text, whatever the case of ASCII letters. Of more than kMostText octets: false.
  bool matches(std::string_view text) const;
  static constexpr std::size_t kMostText = 1024;

 private:
  friend class RegexParser;
  enum class Op : std::uint8_t { kSet, kSplit, kJump, kBegin, kEnd, kMatch };
  struct Step {
    Op op = Op::kMatch;
    std::uint32_t a = 0, b = 0;  // kSet: which set; kSplit: both ways; kJump: where to
  };
  void follow(std::uint32_t at, std::size_t position, std::size_t end, std::vector<std::uint32_t>& list,
              std::vector<bool>& seen) const;
  std::vector<Step> steps_;
  std::vector<std::bitset<256>> sets_;
};

}  // namespace sidegate::route
