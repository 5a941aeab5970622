#include "mail/idna.h"

#include <idn2.h>

#include <algorithm>
#include <memory>

#include "base/text.h"

namespace sidegate::mail {
namespace {

constexpr std::size_t kMostOctets = 1024;  // of a name whose A-labels make 253 octets at the most

bool is_of_name(char c) {
  return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
}

}  // namespace

Result<std::string> to_ascii(std::string_view domain) {
  if (is_ascii(domain)) return std::string(domain);
  if (domain.size() > kMostOctets || domain.find('\0') != std::string_view::npos)
    return fail(ErrorKind::kBadInput, "'" + printable(domain, 100) + "' is no domain");
  const std::string name(domain);
  char* made = nullptr;
  // RFC 5891 section 5, with the mapping of UTS 46 before it, as mail clients and browsers do.
  const int error = idn2_to_ascii_8z(name.c_str(), &made, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
  const std::unique_ptr<char, void (*)(void*)> owned(made, idn2_free);
  if (error != IDN2_OK)
    return fail(ErrorKind::kBadInput, "'" + printable(domain, 100) + "' is no domain: " + idn2_strerror(error));
  std::string ascii(owned.get());
  if (!std::ranges::all_of(ascii, is_of_name))
    return fail(ErrorKind::kBadInput, "'" + printable(domain, 100) + "' is no domain: it holds what no name may hold");
  return ascii;
}

std::string dns_form(std::string_view domain) {
  if (is_ascii(domain)) return lower(domain);
  auto ascii = to_ascii(domain);
  return lower(ascii ? std::string_view(*ascii) : domain);
}

bool same_domain(std::string_view a, std::string_view b) {
  if (iequals(a, b)) return true;
  return !(is_ascii(a) && is_ascii(b)) && dns_form(a) == dns_form(b);
}

bool is_within(std::string_view domain, std::string_view parent) {
  if (!is_ascii(domain) || !is_ascii(parent)) {
    const std::string one = dns_form(domain), other = dns_form(parent);
    return one == other || one.ends_with("." + other);
  }
  if (iequals(domain, parent)) return true;
  return domain.size() > parent.size() && domain[domain.size() - parent.size() - 1] == '.' &&
         iequals(domain.substr(domain.size() - parent.size()), parent);
}

std::string dns_form_of_address(std::string_view address) {
  const std::size_t at = address.rfind('@');
  if (at == std::string_view::npos || is_ascii(address.substr(at))) return lower(address);
  return lower(address.substr(0, at + 1)) + dns_form(address.substr(at + 1));
}

}  // namespace sidegate::mail
