// Which mechanism: a pure decision, with a sentence for each one that is left out.
#include <algorithm>

#include "auth/client.h"
#include "auth/mechanisms.h"
#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::auth {
namespace {

bool holds(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::any_of(names, [name](const std::string& n) { return iequals(n, name); });
}

std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, " "));
}

// promise 5 of doc/design.md: a secret goes to a verified TLS peer, or where the relay's block says so in words. TLS
// without a verified certificate is no better than none: whoever sits between is the peer.
std::string_view forbidden_here(const Mechanism& mechanism, const Circumstances& c) {
  if (mechanism.shows == Shows::kNothing) {
    return c.certificate ? std::string_view()
                         : _("it is for a client that shows a certificate; set tls_certificate and tls_key");
  }
  if (c.tls_verified || c.insecure == InsecureAuth::kAll) return {};
  if (mechanism.shows == Shows::kChallenge && c.insecure == InsecureAuth::kChallenge) return {};
  if (c.tls) {
    return mechanism.shows == Shows::kPassword
               ? _("it hands over the password, and the server's certificate is not verified; make the certificate "
                   "verifiable (tls_name, tls_ca_file or tls_fingerprints)")
               : _("the server's certificate is not verified; make it verifiable (tls_name, tls_ca_file or "
                   "tls_fingerprints), or take any (tls_verify = false) and allow this mechanism there with "
                   "insecure_auth = \"challenge\"");
  }
  return mechanism.shows == Shows::kPassword
             ? _("it hands over the password, and this connection has no TLS; set tls = \"starttls\" or \"implicit\" "
                 "(only insecure_auth = true would send it in the clear)")
             : _("this connection has no TLS; set tls = \"starttls\" or \"implicit\", or for a server that has no TLS "
                 "at all allow this mechanism with insecure_auth = \"challenge\"");
}

std::string reason_against(std::string_view offered, const std::vector<std::string>& allowed, const Circumstances& c) {
  const Mechanism* mechanism = find_mechanism(offered);
  if (mechanism == nullptr) {
    return offered == "XOAUTH2" || offered == "OAUTHBEARER"
               ? _("it wants an access token, and this relay has a password")
               : _("Sidegate does not speak this mechanism");
  }
  if (!allowed.empty() && !holds(allowed, offered)) {
    return _("not among this relay's mechanisms; add it to mechanisms = [...], or remove that line");
  }
  if (mechanism->binds && !c.tls)
    return _("it is bound to TLS, and this connection has none; set tls = \"starttls\" or \"implicit\"");
  if (mechanism->binds && (c.binding_data.empty() || c.binding_type.empty())) {
    return _(
        "it is bound to TLS, and this TLS connection gives nothing to bind to (TLS 1.3, or TLS 1.2 with extended "
        "master secret, does)");
  }
  return std::string(forbidden_here(*mechanism, c));
}

}  // namespace

const Mechanism* find_mechanism(std::string_view name) {
  auto it = std::ranges::find_if(kMechanisms, [name](const Mechanism& m) { return iequals(m.name, name); });
  return it == kMechanisms.end() ? nullptr : &*it;
}

std::vector<std::string> choose(const std::vector<std::string>& offered, const std::vector<std::string>& allowed,
                                const Circumstances& circumstances, std::vector<std::string>* why) {
  for (const std::string& name : offered) {
    if (why == nullptr) break;
    std::string reason = reason_against(upper(name), allowed, circumstances);
    if (!reason.empty()) why->push_back(fmt::format("{}: {}", printable(upper(name), 40), reason));
  }
  std::vector<std::string> chosen;
  for (const Mechanism& mechanism : kMechanisms) {
    if (!holds(offered, mechanism.name)) continue;
    if (reason_against(mechanism.name, allowed, circumstances).empty()) chosen.emplace_back(mechanism.name);
  }
  return chosen;
}

std::string no_common_mechanism(const std::vector<std::string>& offered, const std::vector<std::string>& allowed,
                                const Circumstances& circumstances) {
  std::string session = !circumstances.tls           ? _("without TLS")
                        : circumstances.tls_verified ? _("with verified TLS")
                                                     : _("with TLS, certificate not verified");
  if (offered.empty()) {
    return tr(
        "the server offers no AUTH ({}), and this relay has a user and a password; nothing is sent without "
        "logging in: ask the provider which port takes AUTH, or remove the user",
        session);
  }
  std::vector<std::string> usable = choose(offered, allowed, circumstances, nullptr);
  std::vector<std::string> shown;
  std::vector<std::pair<std::string, std::string>> reasons;  // reason, the mechanisms it keeps out
  for (const std::string& offer : offered) {
    shown.push_back(printable(upper(offer), 40));
    std::string reason = reason_against(upper(offer), allowed, circumstances);
    if (reason.empty()) continue;
    auto same = std::ranges::find(reasons, reason, &std::pair<std::string, std::string>::first);
    if (same == reasons.end()) {
      reasons.emplace_back(std::move(reason), shown.back());
    } else {
      same->second += ", " + shown.back();
    }
  }
  std::string why;
  for (const auto& [reason, names] : reasons) why += fmt::format("{}{}: {}", why.empty() ? "" : "; ", names, reason);
  return tr("no common AUTH mechanism: offered {} ({}); allowed {}; usable {}. {}", joined(shown), session,
            allowed.empty() ? std::string(_("all")) : joined(allowed),
            usable.empty() ? std::string(_("none")) : joined(usable), why);
}

}  // namespace sidegate::auth
