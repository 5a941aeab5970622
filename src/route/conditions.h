// The conditions of one [[route]] block: which classes it is for. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "queue/records.h"
#include "route/regex.h"

namespace sidegate::route {

// As an operator writes them. Each list: one of them fits, or the list is empty. All lists must fit.
struct RouteConditions {
  std::vector<std::string> senders;     // "me@example.org", "@example.org", "@.example.org" (below it), "<>", "/regex/"
  std::vector<std::string> recipients;  // of the domain: "example.org", ".example.org" (below it), "/regex/", "*"
  std::vector<std::string> users;       // "taro", "*@example.org", "*" (anyone who is known), "" (nobody)
  std::vector<std::string> listeners;   // names
  bool operator==(const RouteConditions&) const = default;
};

enum class Misfit : std::uint8_t { kNone, kSender, kRecipient, kUser, kListener };
const char* name(Misfit misfit);  // "sender"

class Conditions {
 public:
  Conditions() = default;  // everybody
  // kBadInput: which one, and what is wrong with it.
  static Result<Conditions> make(const RouteConditions& written);

  // The first condition that does not fit.
  Misfit misfit(const queue::ClassKey& key) const;
  // What can be said where the sender alone is known (lower case; nullopt: not even that).
  enum class Fit : std::uint8_t { kNever, kPerhaps, kAlways };
  Fit of_sender(const std::optional<std::string>& sender) const;
  const RouteConditions& written() const { return written_; }

 private:
  struct Pattern {
    enum class Kind : std::uint8_t { kExact, kEndsWith, kRegex, kAny } kind = Kind::kExact;
    std::string text;
    Regex regex;
    bool fits(std::string_view value) const;
  };
  using Patterns = std::vector<Pattern>;
  static Result<Pattern> pattern_of(const std::string& written, Misfit kind);
  static bool any_fits(const Patterns& patterns, std::string_view value);
  static bool any_fits_address(const Patterns& patterns, const std::string& value);

  RouteConditions written_;
  Patterns senders_, recipients_, users_, listeners_;
};

}  // namespace sidegate::route
