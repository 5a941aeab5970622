// check_host() of RFC 7208: may this address send for that domain? Pure: DNS's answers come in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "spf/record.h"

namespace sidegate::spf {

enum class Type : std::uint8_t { kTxt, kA, kAaaa, kMx, kPtr };

struct Question {
  Type type = Type::kTxt;
  std::string name;  // lower case, no dot at its end; of kPtr the address
  auto operator<=>(const Question&) const = default;
};

struct Answer {
  enum class Kind : std::uint8_t { kFound, kNothing, kTrouble } kind = Kind::kNothing;  // kNothing: NXDOMAIN too
  std::vector<std::string> list{};  // TXT: strings joined; MX: names, by preference; addresses numeric
};
using Answers = std::map<Question, Answer>;

enum class Verdict : std::uint8_t { kNone, kNeutral, kPass, kFail, kSoftFail, kTempError, kPermError };
const char* name(Verdict result);  // "pass", "softfail", ...: RFC 7208 section 2.6

struct Query {
  std::string address;  // numeric; of IPv4 inside IPv6 ("::ffff:192.0.2.1") the IPv4 address counts
  std::string domain;   // whose record; usually the sender's
  std::string sender;   // "user@domain"; empty: postmaster@domain
  std::string helo;
};

struct Evaluation {
  std::optional<Question> needed{};  // ask this, and evaluate again; the rest says nothing then
  Verdict result = Verdict::kNone;
  std::string by{};                    // the directive that matched: "include:spf.example.org"
  std::string why{};                   // of an error, for the operator
  std::string record{};                // of the domain itself
  std::vector<std::string> visited{};  // domains whose records were read through include and redirect, in order
  unsigned lookups = 0;                // terms that needed DNS; 10 at the most
};

Evaluation evaluate(const Query& query, const Answers& known);

// Section 4.6.4.
inline constexpr unsigned kMostLookups = 10, kMostVoidLookups = 2, kMostNames = 10;
// Questions of one evaluation cannot be more than this: ten terms, an MX or PTR with ten names each in both families.
inline constexpr unsigned kMostQuestions = 240;

}  // namespace sidegate::spf
