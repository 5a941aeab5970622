#include "tls/tlsa.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <memory>

#include "base/text.h"
#include "tls/freed.h"

namespace sidegate::tls {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string octets;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto high = kHex.find(ascii_lower(text[i])), low = kHex.find(ascii_lower(text[i + 1]));
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    octets += static_cast<char>(high * 16 + low);
  }
  return octets;
}

// Whole, and nothing behind it.
template <typename T, T* (*Read)(T**, const unsigned char**, long), void (*Free)(T*)>
bool reads_as(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const auto* end = at + der.size();
  std::unique_ptr<T, Freed<T, Free>> made(Read(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  return made != nullptr && at == end;
}

}  // namespace

std::optional<Tlsa> parse_tlsa(std::string_view text) {
  Tlsa record;
  for (std::uint8_t* field : {&record.usage, &record.selector, &record.matching}) {
    const auto space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    const auto number = parse_number(text.substr(0, space));
    if (!number || *number > 255) return std::nullopt;
    *field = static_cast<std::uint8_t>(*number);
    text.remove_prefix(space + 1);
  }
  auto data = from_hex(text);
  if (!data) return std::nullopt;
  record.data = std::move(*data);
  return record;
}

std::string text_of(const Tlsa& record) {
  std::string text = std::to_string(record.usage) + " " + std::to_string(record.selector) + " " +
                     std::to_string(record.matching) + " ";
  for (unsigned char octet : record.data) {
    text += kHex[octet >> 4];
    text += kHex[octet & 15];
  }
  return text;
}

bool is_usable(const Tlsa& record) {
  if (record.usage != 2 && record.usage != 3) return false;
  if (record.selector > 1) return false;
  switch (record.matching) {
    case 0:
      return record.selector == 0 ? reads_as<X509, d2i_X509, X509_free>(record.data)
                                  : reads_as<EVP_PKEY, d2i_PUBKEY, EVP_PKEY_free>(record.data);
    case 1:
      return record.data.size() == 32;  // SHA-256
    case 2:
      return record.data.size() == 64;  // SHA-512
    default:
      return false;
  }
}

bool name_fits(std::string_view name, std::string_view pattern) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || pattern.empty()) return false;
  if (pattern.starts_with('.')) {
    return name.size() > pattern.size() && iequals(name.substr(name.size() - pattern.size()), pattern);
  }
  if (iequals(name, pattern)) return true;
  if (!name.starts_with("*.") || name.find('*', 1) != std::string_view::npos) return false;
  const auto dot = pattern.find('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  const std::string_view below = name.substr(2);
  // RFC 6125 section 7.2: nobody is "*.org".
  return below.find('.') != std::string_view::npos && iequals(below, pattern.substr(dot + 1));
}

}  // namespace sidegate::tls
