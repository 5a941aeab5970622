// What the texts of the [auth] block must look like.
#include <algorithm>

#include "base/i18n.h"
#include "base/text.h"
#include "config/codec.h"
#include "config/option_checks.h"

namespace sidegate::config {
namespace {

std::string host_of(std::string_view url) {
  std::size_t start = url.find("://");
  std::string_view rest = url.substr(start + 3);
  rest = rest.substr(0, rest.find('/'));
  if (rest.starts_with('[')) return std::string(rest.substr(1, rest.find(']') - 1));
  return std::string(rest.substr(0, rest.find(':')));
}

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

Status one_of(const std::string& text, const std::vector<std::string_view>& words) {
  if (std::ranges::find(words, text) != words.end()) return {};
  std::string_view near = suggest(text, words);
  std::string what = tr("{} is not one of {}", quoted(text), fmt::format("{}", fmt::join(words, ", ")));
  if (!near.empty()) what += "; " + tr("did you mean {}?", quoted(near));
  return fail(ErrorKind::kBadInput, std::move(what));
}

}  // namespace

Status check_auth_backend(std::string& text) {
  text = lower(text);
  return one_of(text, {"file", "pam", "dovecot", "saslauthd", "ldap", "oauth"});
}

Status check_server_mechanism(std::string& text) {
  text = upper(text);
  return one_of(text, {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN", "LOGIN",
                       "OAUTHBEARER", "XOAUTH2", "EXTERNAL", "CRAM-MD5"});
}

Status check_sender(std::string& text) {
  if (text == "*") return {};
  if (text.starts_with('@')) {
    std::string domain = text.substr(1);
    if (Status checked = check_domain(domain); !checked) return checked;
    text = "@" + domain;
    return {};
  }
  if (text.empty()) return fail(ErrorKind::kBadInput, tr("{} is no address", quoted(text)));
  return check_mailbox(text);
}

Status check_user_pattern(std::string& text) {
  const bool good = !text.empty() && text.size() <= 255 && is_utf8(text) &&
                    std::ranges::none_of(text, [](char c) { return is_control(c) || c == ' ' || c == ':'; }) &&
                    text.find('*', 1) == std::string::npos;
  if (!good)
    return fail(ErrorKind::kBadInput,
                tr("{} is no user's name, and no pattern such as \"*@example.org\"", quoted(printable(text, 100))));
  text = lower(text);
  return {};
}

Status check_service_name(std::string& text) {
  const bool good = !text.empty() && text.size() <= 64 && text.front() != '-' && std::ranges::all_of(text, [](char c) {
    return is_alpha(c) || is_digit(c) || c == '-' || c == '_';
  });
  if (good) return {};
  return fail(ErrorKind::kBadInput, tr("{} is no name of a PAM service", quoted(printable(text, 100))));
}

Status check_ldap_url(std::string& text) {
  const bool good =
      text.empty() || (is_plain(text) && (istarts_with(text, "ldap://") || istarts_with(text, "ldaps://") ||
                                          istarts_with(text, "ldapi://")));
  if (good) return {};
  return fail(ErrorKind::kBadInput,
              tr("{} does not begin with ldap://, ldaps:// or ldapi://", quoted(printable(text, 200))));
}

// Tokens and secrets go there.
Status check_http_url(std::string& text) {
  if (text.empty()) return {};
  const bool here =
      istarts_with(text, "http://") && (is_loopback_address(host_of(text)) || host_of(text) == "localhost");
  if (is_plain(text) && (istarts_with(text, "https://") || here)) return {};
  return fail(ErrorKind::kBadInput, tr("{} does not begin with https://", quoted(printable(text, 200))));
}

}  // namespace sidegate::config
