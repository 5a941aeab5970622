#include "alias/address.h"

#include <fmt/format.h>

#include "base/text.h"
#include "mail/idna.h"
#include "mail/mailbox.h"

namespace sidegate::alias {
namespace {

// The "@" before the domain: a domain holds neither quotes nor "@".
std::size_t last_at(std::string_view address) {
  std::size_t at = address.rfind('@');
  if (at == std::string_view::npos || address.find('"', at) != std::string_view::npos) return std::string_view::npos;
  return at;
}

// One character of UTF-8 as its number; 0 where it is malformed.
std::uint32_t decode(std::string_view text, std::size_t length) {
  auto first = static_cast<unsigned char>(text[0]);
  std::uint32_t value = length == 2 ? first & 0x1fu : length == 3 ? first & 0x0fu : first & 0x07u;
  for (std::size_t i = 1; i < length; ++i) value = value << 6 | (static_cast<unsigned char>(text[i]) & 0x3fu);
  return value;
}

}  // namespace

std::string unquoted(std::string_view local) {
  if (local.size() < 2 || local.front() != '"' || local.back() != '"') return std::string(local);
  std::string out;
  std::string_view inside = local.substr(1, local.size() - 2);
  for (std::size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] == '\\' && i + 1 < inside.size()) ++i;
    out += inside[i];
  }
  return out;
}

Split split_address(std::string_view address) {
  std::size_t at = last_at(address);
  if (at == std::string_view::npos) return {unquoted(address), {}};
  return {unquoted(address.substr(0, at)), mail::dns_form(address.substr(at + 1))};
}

std::string as_local_part(std::string_view name) {
  std::string plain(name);
  if (!name.starts_with('"') && mail::is_mailbox(plain + "@x", true)) return plain;
  std::string out = "\"";
  for (char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    out += is_control(c) ? '?' : c;
  }
  return out + '"';
}

std::string join_address(std::string_view name, std::string_view domain) {
  return as_local_part(name) + "@" + std::string(domain);
}

bool looks_routed(std::string_view name) {
  return name.find_first_of("%!@") != std::string_view::npos;
}

std::string make_orcpt(std::string_view address) {
  std::string out = is_ascii(address) ? "rfc822;" : "utf-8;";
  for (std::size_t i = 0; i < address.size();) {
    std::string_view rest = address.substr(i);
    std::size_t length = utf8_sequence(rest);
    if (length > 1) {  // RFC 6533 section 3: utf-8-addr-xtext
      out += fmt::format("\\x{{{:X}}}", decode(rest, length));
      i += length;
      continue;
    }
    auto c = static_cast<unsigned char>(rest[0]);
    bool plain = c > 32 && c < 127 && c != '+' && c != '=' && (c != '\\' || is_ascii(address));
    if (plain)
      out += rest[0];
    else if (c == '\\')
      out += "\\x{5C}";
    else
      out += fmt::format("+{:02X}", c);
    ++i;
  }
  return out;
}

std::string delivery_key(const mail::Recipient& recipient) {
  using enum mail::Destination;
  switch (recipient.destination) {
    case kRoute:
      return "r " + recipient.return_path + " " + lower(recipient.address);
    case kMailbox:
      return "m " + recipient.return_path + " " + recipient.target;
    case kPipe:
      return "p " + recipient.as_user + " " + recipient.target;
    case kFile:
      return "f " + recipient.as_user + " " + recipient.target;
    case kDiscard:
      return recipient.target.empty() ? "d" : "d " + recipient.target + " " + recipient.address;
  }
  return {};
}

}  // namespace sidegate::alias
