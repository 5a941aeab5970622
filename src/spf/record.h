// An SPF record as its terms (RFC 7208 sections 4.6, 5, 6). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sidegate::spf {

enum class Qualifier : std::uint8_t { kPass, kFail, kSoftFail, kNeutral };

enum class Mechanism : std::uint8_t { kAll, kInclude, kA, kMx, kPtr, kIp4, kIp6, kExists };

struct Directive {
  Qualifier qualifier = Qualifier::kPass;
  Mechanism mechanism = Mechanism::kAll;
  std::string domain = {};   // with its macros; empty: the current domain
  std::string address = {};  // of ip4 and ip6
  unsigned bits4 = 32, bits6 = 128;
  std::string text = {};  // as written
};

struct Record {
  std::vector<Directive> directives;
  std::optional<std::string> redirect;  // with its macros
};

// Is this text an SPF record at all? RFC 7208 section 4.5.
bool is_record(std::string_view text);
// kBadInput: a syntax error anywhere in it; the text says which term. RFC 7208 section 4.6.
Result<Record> parse_record(std::string_view text);

// One record that says what all of these say and has the new terms too, before its "all". What is not understood is
// left out. Where the records' own "all" disagree it is "~all": nothing is refused for what nobody has decided.
std::string merged(const std::vector<std::string>& records, const std::vector<std::string>& terms);

// Whether the address lies in the network; of different families: never.
bool in_network(std::string_view address, std::string_view network, unsigned bits);

}  // namespace sidegate::spf
