// The TXT record at _mta-sts.DOMAIN: that there is a policy, and which version of it (RFC 8461 section 3.1). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sidegate::mta_sts {

struct Record {
  std::string id;  // 1 to 32 letters and digits
};

// kBadInput says what is wrong with it.
Result<Record> parse_record(std::string_view text);

// Of all the TXT records there: the one that is ours. kNotFound: none, or several; kBadInput: it is malformed.
Result<Record> find_record(const std::vector<std::string>& texts);

// Names of fields, in the record as in the policy file: a letter or digit, then up to 31 of those, "_", "-" and ".".
bool is_extension_name(std::string_view text);

}  // namespace sidegate::mta_sts
