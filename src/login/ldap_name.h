// A user's name put into a distinguished name (RFC 4514 section 2.4) or a filter (RFC 4515 section 3). Pure.
#pragma once

#include <string>
#include <string_view>

namespace sidegate::login {

std::string dn_escaped(std::string_view value);
std::string filter_escaped(std::string_view value);
// "%u" the name, "%n" its part before "@", "%d" the part behind it, "%%" a percent sign; each escaped.
std::string filled(std::string_view pattern, std::string_view user, std::string (*escape)(std::string_view));

}  // namespace sidegate::login
