// "socks5://user:password@host:port"; socks5h:// is the same. Pure.
#pragma once

#include <string>

#include "base/result.h"
#include "deliver/settings.h"

namespace sidegate::config {

Result<deliver::Proxy> parse_proxy(const std::string& text);  // the error is a sentence about the text

}  // namespace sidegate::config
