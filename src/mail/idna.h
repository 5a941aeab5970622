// Internationalised domain names: the form in which DNS knows them (RFC 5891). Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace sidegate::mail {

// "例え.jp" to "xn--r8jz45g.jp", mapped as UTS 46 has it (width, case). ASCII stays as it is, whatever it is.
// kBadInput: no domain can be called so.
Result<std::string> to_ascii(std::string_view domain);

}  // namespace sidegate::mail
