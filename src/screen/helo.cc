#include "screen/helo.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "mail/mailbox.h"

namespace sidegate::screen {
namespace {

constexpr std::array<std::pair<HeloCheck, std::string_view>, 4> kWords = {{
    {HeloCheck::kSyntax, "syntax"},
    {HeloCheck::kOwnName, "own_name"},
    {HeloCheck::kNotQualified, "not_qualified"},
    {HeloCheck::kUnresolvable, "unresolvable"},
}};

// Ours by name; or an address that is not the client's, ours above all.
bool poses_as_other(std::string_view helo, std::string_view client, std::string_view own) {
  if (auto address = address_in(helo)) return address != net::parse_address(client);
  if (helo.ends_with('.')) helo.remove_suffix(1);
  return iequals(helo, own) || iequals(helo, "localhost") || iequals(helo, "localhost.localdomain");
}

bool fails(HeloCheck check, std::string_view helo, std::string_view client, std::string_view own) {
  switch (check) {
    case HeloCheck::kSyntax:
      return !mail::is_helo_name(helo.ends_with('.') ? helo.substr(0, helo.size() - 1) : helo);
    case HeloCheck::kOwnName:
      return poses_as_other(helo, client, own);
    case HeloCheck::kNotQualified:
      // RFC 5321 section 4.1.1.1: a name with its domain, or a literal; an address without brackets is neither.
      return helo.starts_with('[') ? false : address_in(helo).has_value() || helo.find('.') == std::string_view::npos;
    case HeloCheck::kUnresolvable:
      return false;
  }
  return false;
}

}  // namespace

std::optional<net::AddressOctets> address_in(std::string_view helo) {
  if (helo.starts_with('[') && helo.ends_with(']')) helo = helo.substr(1, helo.size() - 2);
  if (istarts_with(helo, "IPv6:")) helo.remove_prefix(5);
  return net::parse_address(helo);
}

std::string_view word_of(HeloCheck check) {
  return std::ranges::find(kWords, check, &decltype(kWords)::value_type::first)->second;
}

std::optional<HeloCheck> helo_check(std::string_view word) {
  auto at = std::ranges::find(kWords, word, &decltype(kWords)::value_type::second);
  return at == kWords.end() ? std::nullopt : std::optional(at->first);
}

std::optional<HeloCheck> judge_helo(std::string_view helo, std::string_view client, std::string_view own,
                                    const std::vector<HeloCheck>& checks) {
  for (HeloCheck check : checks) {
    if (fails(check, helo, client, own)) return check;
  }
  return std::nullopt;
}

}  // namespace sidegate::screen
