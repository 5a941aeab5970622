// The DNS messages of RFC 1035 section 4 as far as a stub needs them: one question without EDNS out, its answer in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dns/answer.h"

namespace sidegate::dns {

enum class RecordType : std::uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kPtr = 12,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
  kTlsa = 52
};

// "." is the root. nullopt: not a name that can be asked for (labels of 1 to 63 octets, 255 in all).
std::optional<std::string> make_question(std::uint16_t id, std::string_view name, RecordType type);

// nullopt: not the answer to this question (RFC 5452 section 9.1), to be passed over. A truncated answer counts for
// what it has; with nothing usable in it, it is kFailed.
std::optional<Answer> read_answer(std::string_view message, std::uint16_t id, std::string_view name, RecordType type);

// The data of one record as text, from octets that stand by themselves (nothing in them points elsewhere): a numeric
// address; of PTR a name in lower case, of MX "10 mx.example.org" ("0 ." is the null MX of RFC 7505); of SRV "0 1 465
// smtp.example.org" (RFC 2782); of TXT the strings joined, octet for octet; of TLSA "3 1 1 0123ab..." (RFC 6698
// section 2.2). nullopt: malformed.
std::optional<std::string> record_text(RecordType type, std::string_view data);

}  // namespace sidegate::dns
