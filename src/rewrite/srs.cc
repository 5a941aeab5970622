#include "rewrite/srs.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "mail/idna.h"
#include "rewrite/address_list.h"

namespace sidegate::rewrite {
namespace {

constexpr std::size_t kHashLength = 4;
constexpr unsigned kSlots = 1024;  // two characters of base32
constexpr unsigned kSkew = 1;      // days that a clock may be ahead
constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

bool is_separator(char c) {
  return c == '=' || c == '+' || c == '-';
}

enum class Form : std::uint8_t { kNone, kSrs0, kSrs1 };
Form form_of(std::string_view local) {
  if (local.size() < 6 || !is_separator(local[4])) return Form::kNone;
  if (istarts_with(local, "SRS0")) return Form::kSrs0;
  return istarts_with(local, "SRS1") ? Form::kSrs1 : Form::kNone;
}

std::string timestamp(WallTime now) {
  auto day = static_cast<unsigned>(std::chrono::duration_cast<std::chrono::days>(now.time_since_epoch()).count());
  return {kBase32[day >> 5 & 31], kBase32[day & 31]};
}

std::optional<unsigned> slot_of(std::string_view stamp) {
  unsigned slot = 0;
  for (char c : stamp) {
    auto at = kBase32.find(ascii_upper(c));
    if (at == std::string_view::npos || stamp.size() != 2) return std::nullopt;
    slot = slot << 5 | static_cast<unsigned>(at);
  }
  return stamp.empty() ? std::nullopt : std::optional(slot);
}

bool in_time(std::string_view stamp, WallTime now) {
  auto then = slot_of(stamp), today = slot_of(timestamp(now));
  if (!then) return false;
  return (*today + kSkew + kSlots - *then) % kSlots <= kSrsDays + kSkew;
}

// HMAC-SHA1 over the parts in lower case (mail servers change the case of addresses), in base64, its beginning.
std::string hash(std::string_view secret, std::initializer_list<std::string_view> parts) {
  std::string data;
  for (std::string_view part : parts) data += lower(part);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  HMAC(EVP_sha1(), secret.data(), static_cast<int>(secret.size()), reinterpret_cast<const unsigned char*>(data.data()),
       data.size(), digest.data(), &size);
  return base64({reinterpret_cast<const char*>(digest.data()), size});
}

bool made_by_us(const SrsKeys& keys, std::string_view given, std::initializer_list<std::string_view> parts) {
  if (given.size() < kHashLength) return false;
  for (const std::string& secret : keys.secrets) {
    std::string whole = hash(secret, parts);
    if (given.size() <= whole.size() && iequals(given, std::string_view(whole).substr(0, given.size()))) return true;
  }
  return false;
}

// The part up to the next '='; false: there is none.
bool take_part(std::string_view& rest, std::string_view* part) {
  auto end = rest.find('=');
  if (end == std::string_view::npos) return false;
  *part = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return true;
}

std::string joined(std::string_view local, std::string_view domain) {
  return quoted_local(local) + "@" + std::string(domain);
}

// SRS1 =hash=first forwarder=what stood behind its SRS0, separator and all.
std::string srs1(const SrsKeys& keys, std::string_view forwarder, std::string_view behind) {
  std::string sign = hash(keys.secrets.front(), {forwarder, behind}).substr(0, kHashLength);
  return joined("SRS1=" + sign + "=" + std::string(forwarder) + "=" + std::string(behind), keys.domain);
}

std::unexpected<Error> not_ours() {
  return fail(ErrorKind::kNotFound, "this return address was not made here");
}

Result<std::string> reverse_srs0(const SrsKeys& keys, std::string_view rest, WallTime now) {
  std::string_view sign, stamp, host;
  if (!take_part(rest, &sign) || !take_part(rest, &stamp) || !take_part(rest, &host)) return not_ours();
  if (host.empty() || rest.empty() || !made_by_us(keys, sign, {stamp, host, rest})) return not_ours();
  if (!in_time(stamp, now)) return fail(ErrorKind::kTimeout, "this return address has expired");
  return joined(rest, host);
}

Result<std::string> reverse_srs1(const SrsKeys& keys, std::string_view rest) {
  std::string_view sign, host;
  if (!take_part(rest, &sign) || !take_part(rest, &host)) return not_ours();
  bool whole = !host.empty() && rest.size() > 1 && is_separator(rest.front());
  if (!whole || !made_by_us(keys, sign, {host, rest})) return not_ours();
  return joined("SRS0" + std::string(rest), host);  // its age is the first forwarder's to judge
}

}  // namespace

bool is_srs(std::string_view address) {
  return form_of(unquoted(local_part(address))) != Form::kNone;
}

std::string srs_forward(const SrsKeys& keys, std::string_view sender, WallTime now) {
  std::string_view domain = domain_part(sender);
  bool ours = iequals(domain, keys.domain) ||
              std::ranges::any_of(keys.own, [&](const std::string& own) { return mail::same_domain(domain, own); });
  bool carried = !domain.empty() && !domain.contains('=');  // a literal may hold what divides the parts
  if (!carried || keys.secrets.empty() || ours) return std::string(sender);
  std::string local = unquoted(local_part(sender));
  if (local.empty()) return std::string(sender);
  std::string_view rest(local);
  Form form = form_of(local);
  if (form == Form::kSrs0) return srs1(keys, domain, rest.substr(4));
  if (form == Form::kSrs1) {  // a third forwarder: the first one stays, the second is left out
    std::string_view sign, first;
    rest.remove_prefix(5);
    bool whole = take_part(rest, &sign) && take_part(rest, &first) && !first.empty() && !rest.empty() &&
                 is_separator(rest.front());
    if (whole) return srs1(keys, first, rest);
  }
  std::string stamp = timestamp(now);
  std::string sign = hash(keys.secrets.front(), {stamp, domain, local}).substr(0, kHashLength);
  return joined("SRS0=" + sign + "=" + stamp + "=" + std::string(domain) + "=" + local, keys.domain);
}

Result<std::string> srs_reverse(const SrsKeys& keys, std::string_view address, WallTime now) {
  std::string local = unquoted(local_part(address));
  Form form = form_of(local);
  if (form == Form::kNone) return not_ours();
  auto rest = std::string_view(local).substr(5);
  return form == Form::kSrs0 ? reverse_srs0(keys, rest, now) : reverse_srs1(keys, rest);
}

}  // namespace sidegate::rewrite
