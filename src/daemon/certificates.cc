#include "daemon/certificates.h"

#include <algorithm>

#include "base/text.h"
#include "daemon/kept_secret.h"

namespace sidegate::daemon {
namespace {

using intake::ListenerSettings;
using intake::ListenerTls;

constexpr int kOwnDays = 3650;
constexpr int kOwnRenewal = 30;  // days before its end

std::string names_of(const tls::CertificateFacts& facts) {
  return fmt::format("{}", fmt::join(facts.names, ", "));
}

std::string expiry_text(const tls::CertificateFacts& facts, int days) {
  std::string subject = fmt::format("certificate {} ({})", facts.file, names_of(facts));
  return days < 0 ? subject + " has expired: clients turn away"
                  : fmt::format("{} expires in {} day{}", subject, days, days == 1 ? "" : "s");
}

}  // namespace

int expiry_limit(int days_left) {
  if (days_left < 0) return 0;
  if (days_left <= 7) return 7;
  return days_left <= 21 ? 21 : 1000;
}

// Made once and kept, so that a client that was told to trust it goes on doing so. A new name gets a new one.
Result<tls::Identity> Certificates::own_identity(const std::string& hostname) {
  const std::string path = folder_ + "/self_signed.pem";
  tls::Identity identity{path, path};
  auto fits = [&] {
    auto context = tls::ServerContext::make(identity);
    if (!context) return false;
    const tls::CertificateFacts& facts = (*context)->certificates().front();
    return tls::days_left(facts, clock_.wall()) >= kOwnRenewal &&
           std::ranges::find(facts.names, hostname) != facts.names.end();
  };
  if (auto kept = kept_file(path); kept) {
    identity.cert_pem = identity.key_pem = *kept;
    if (fits()) return identity;
  }
  auto made = tls::self_signed(hostname, kOwnDays);
  if (!made) return std::unexpected(made.error());
  identity.cert_pem = identity.key_pem = *made;
  if (Status kept = keep_file(path, *made); !kept) {
    log_.warning("start", {{"warning", kept.error().text + ": the certificate changes with each start"}});
  }
  return identity;
}

Result<Certificates::Contexts> Certificates::contexts_for(const std::vector<ListenerSettings>& listeners) {
  std::lock_guard lock(mutex_);
  std::vector<Made> made;
  Contexts contexts;
  for (const ListenerSettings& listener : listeners) {
    contexts.emplace_back();
    tls::ServerSettings wanted = listener.tls_server;
    const bool none = listener.tls == ListenerTls::kNone ||
                      (wanted.identities.empty() && listener.profile == intake::Profile::kLocal &&
                       listener.tls == ListenerTls::kStartTls);
    if (none) continue;
    if (wanted.identities.empty()) {
      auto own = own_identity(listener.smtp.hostname);
      if (!own) return std::unexpected(own.error());
      wanted.identities.push_back(std::move(*own));
    }
    for (const std::vector<Made>* known : {&made, &made_}) {
      auto same = std::ranges::find(*known, wanted, &Made::settings);
      if (contexts.back() == nullptr && same != known->end()) contexts.back() = same->context;
    }
    if (contexts.back() == nullptr) {
      auto context = tls::ServerContext::serve(wanted, tickets_);
      if (!context) return std::unexpected(context.error());
      contexts.back() = *context;
    }
    if (std::ranges::find(made, wanted, &Made::settings) == made.end())
      made.push_back({std::move(wanted), contexts.back()});
  }
  for (const Made& one : made) {
    bool fresh = std::ranges::find(made_, one.context, &Made::context) == made_.end();
    for (const tls::CertificateFacts& facts : one.context->certificates()) {
      if (fresh) tell(facts);
    }
  }
  made_ = std::move(made);
  return contexts;
}

void Certificates::tell(const tls::CertificateFacts& facts) {
  log_.info("certificate", {{"file", facts.file},
                            {"names", names_of(facts)},
                            {"key", facts.key},
                            {"fingerprint", facts.fingerprint},
                            {"days_left", tls::days_left(facts, clock_.wall())}});
  if (!facts.self_signed || !facts.file.starts_with(folder_)) return;
  log_.warning(
      "self_signed_certificate",
      {{"file", facts.file},
       {"fingerprint", facts.fingerprint},
       {"reason", "no certificate is configured, so the server made one itself: mail programs will warn of it"},
       {"next", "name yours: [tls] certificates = [{ certificate = \"...\", key = \"...\" }]"}});
}

std::vector<Certificates::Row> Certificates::rows() const {
  std::lock_guard lock(mutex_);
  std::vector<Row> rows;
  for (const Made& made : made_) {
    for (const tls::CertificateFacts& facts : made.context->certificates()) {
      bool twice =
          std::ranges::any_of(rows, [&](const Row& row) { return row.facts.fingerprint == facts.fingerprint; });
      if (!twice) rows.push_back({facts, tls::days_left(facts, clock_.wall())});
    }
  }
  return rows;
}

std::vector<std::string> Certificates::warnings() const {
  std::vector<std::string> texts;
  for (const Row& row : rows()) {
    if (expiry_limit(row.days_left) < 1000) texts.push_back(expiry_text(row.facts, row.days_left));
    if (row.facts.self_signed && row.facts.file.starts_with(folder_))
      texts.push_back(
          "no certificate is configured: listeners show one that the server signed itself, and mail "
          "programs warn of it; set certificates in [tls]");
  }
  return texts;
}

void Certificates::look() {
  for (const Row& row : rows()) {
    const int limit = expiry_limit(row.days_left);
    bool fresh = false;
    {
      std::lock_guard lock(mutex_);
      auto [at, first] = told_.try_emplace(row.facts.fingerprint, 1000);
      fresh = limit < at->second;
      at->second = std::min(at->second, limit);
    }
    if (!fresh) continue;
    log_.write(limit == 21 ? LogLevel::kWarning : LogLevel::kError, LogWeight::kSession, "certificate_expires",
               {{"file", row.facts.file},
                {"names", names_of(row.facts)},
                {"days_left", row.days_left},
                {"warning", expiry_text(row.facts, row.days_left)},
                {"next", "renew it; the server reads the new file by itself"}});
  }
}

}  // namespace sidegate::daemon
