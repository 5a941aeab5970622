#include <fmt/format.h>

#include <algorithm>

#include "daemon/server_parts.h"

namespace sidegate::daemon {

void Server::Parts::make_control(int descriptor, About about,
                                 std::function<Result<std::vector<std::string>>()> reload) {
  if (descriptor < 0) return;
  commands = std::make_unique<admin::Commands>(
      admin::Parts{.loop = loops[0],
                   .pool = workers,
                   .store = *store,
                   .scheduler = scheduler,
                   .router = router(),
                   .reload = std::move(reload),
                   .warnings = [this, off = std::move(about.off)] { return warnings(off); },
                   .version = std::move(about.version),
                   .sandbox = std::move(about.sandbox),
                   .config_path = loaded.path,
                   .certificates = [this] { return certificate_rows(); },
                   .filters = [this] { return filter_rows(); }});
  commands->set_tls([this](std::string domain) { return sts.explain(loops[0], std::move(domain)); },
                    [this](const std::string& domain) { return tls->counters().days(domain); });
  control = std::make_unique<admin::ControlServer>(loops[0], descriptor, *commands);
  control->start();
}

std::vector<std::string> Server::Parts::warnings(std::vector<std::string> texts) const {
  std::lock_guard lock(reload_mutex);
  for (const config::Problem& warning : loaded.warnings) texts.push_back(warning.text());
  for (const std::string& key : pending_restart()) texts.push_back(key + " takes effect after a restart");
  for (std::string& text : certificates.warnings()) texts.push_back(std::move(text));
  add_dnssec_warning(texts);
  return texts;
}

std::vector<admin::FilterRow> Server::Parts::filter_rows() const {
  std::lock_guard lock(reload_mutex);
  std::vector<admin::FilterRow> rows;
  const std::vector<milter::Health::Row> down = intake->filter_health.down();
  for (const config::MilterBlock& block : loaded.settings.milters) {
    admin::FilterRow& row = rows.emplace_back(admin::FilterRow{.name = block.name, .address = block.address});
    auto bad = std::ranges::find(down, block.name, &milter::Health::Row::name);
    if (bad == down.end()) continue;
    row.up = false;
    row.reason = bad->reason;
    row.since = bad->since;
    row.failures = bad->times;
    row.then = block.failure == milter::OnFailure::kTempfail ? "tempfail"
               : block.failure == milter::OnFailure::kAccept ? "accept"
                                                             : "quarantine";
  }
  return rows;
}

// What rests on DNSSEC and is done without, or waits. Of use only where mail goes to mail servers directly.
void Server::Parts::add_dnssec_warning(std::vector<std::string>& texts) const {
  using deliver::TlsLevel;
  const deliver::DirectSettings& direct = loaded.settings.deliver.direct;
  const auto validating = resolver.validating();
  if (!ways || !ways->direct_used || !validating || validating->state == dns::Validates::kYes) return;
  const bool waits = direct.tls == TlsLevel::kDaneOnly || std::ranges::any_of(direct.tls_rules, [](const auto& r) {
                       return r.level == TlsLevel::kDaneOnly;
                     });
  texts.push_back(fmt::format("DNSSEC cannot be validated here ({}): {}", validating->why,
                              validating->state == dns::Validates::kNotNow ? "mail to domains with TLS level dane waits"
                              : waits ? "TLS level dane is as may, and mail with dane-only waits"
                                      : "TLS level dane is as may"));
}

std::vector<admin::CertificateRow> Server::Parts::certificate_rows() const {
  std::vector<admin::CertificateRow> out;
  for (Certificates::Row& row : certificates.rows())
    out.push_back({row.facts.file, row.facts.names, row.facts.key, row.days_left, row.facts.self_signed});
  return out;
}

std::string Server::status_line() const {
  const queue::Totals totals = parts_->scheduler.totals();
  std::string text = fmt::format("serving; {} in the queue", totals.messages);
  if (totals.active != 0) text += fmt::format(", {} being delivered", totals.active);
  if (totals.held != 0) text += fmt::format(", {} held", totals.held);
  return text;
}

}  // namespace sidegate::daemon
