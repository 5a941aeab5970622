#include "mail/idna.h"

#include <idn2.h>

#include <memory>

#include "base/text.h"

namespace sidegate::mail {
namespace {

constexpr std::size_t kMostOctets = 1024;  // of a name whose A-labels make 253 octets at the most

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
  return std::string(owned.get());
}

}  // namespace sidegate::mail
