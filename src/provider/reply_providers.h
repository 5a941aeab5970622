// Whose servers the rules of replies know apart.
#pragma once

#include <string_view>
#include <vector>

namespace sidegate::provider {

// All that provider_of_host() gives, each once.
std::vector<std::string_view> reply_providers();

}  // namespace sidegate::provider
