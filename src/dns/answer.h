// What came of asking for one name: the addresses of one family or of both, or the records of one other type.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sidegate::dns {

enum class Verdict : std::uint8_t {
  kPending,
  kFound,
  kNoData,  // the name exists, without such a record
  kNoName,  // NXDOMAIN
  kFailed,  // SERVFAIL and its like: temporary
  kSilent,  // nobody answered: temporary
};

struct Answer {
  Verdict verdict = Verdict::kPending;
  std::vector<std::string> list = {};  // numeric addresses; of other types as record_text() has them
  std::uint32_t ttl = 0;               // seconds
  std::string why = {};                // for the operator, where there is no address
  // Of a question that was validated:
  bool secure = false;         // proven, be it that there is nothing (RFC 4035 section 4.3)
  bool bogus = false;          // what came fails validation
  std::string canonical = {};  // the name that its aliases lead to; the name itself where it has none

  bool definite() const {
    return verdict == Verdict::kFound || verdict == Verdict::kNoData || verdict == Verdict::kNoName;
  }
};

}  // namespace sidegate::dns
