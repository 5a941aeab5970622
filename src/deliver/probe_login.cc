// Mechanisms, the login, and what the relay says of its limits.
#include <algorithm>

#include "deliver/probe_walk.h"

namespace sidegate::deliver {
namespace {

std::string all_or(const std::vector<std::string>& words, const char* if_empty) {
  return words.empty() ? if_empty : shown(words);
}

}  // namespace

auth::Circumstances Probe::circumstances() const {
  auth::Circumstances c;
  c.tls = stream_->is_tls();
  c.tls_verified = c.tls && stream_->verdict().verified;
  c.insecure = relay_.insecure_auth;
  c.host = relay_.host;
  c.certificate = c.tls && !relay_.certificate.cert_file.empty();
  if (c.tls) {
    tls::ChannelBinding binding = stream_->channel_binding();
    c.binding_type = std::move(binding.type);
    c.binding_data = std::move(binding.data);
  }
  return c;
}

bool Probe::mechanisms() {
  const std::vector<std::string>& offered = session_->capabilities().auth;
  auth::Circumstances here = circumstances();
  std::vector<std::string> why;
  usable_ = auth::choose(offered, relay_.mechanisms, here, &why);
  ProbeStep step{
      "mechanisms", ProbeMark::kGood,
      {},           {},
      {},           {{"offered", offered}, {"allowed", relay_.mechanisms}, {"usable", usable_}, {"why_not", why}}};
  step.text = tr("offered {}; allowed {}; usable {}", all_or(offered, _("none")), all_or(relay_.mechanisms, _("all")),
                 all_or(usable_, _("none")));
  if (!relay_.has_credentials()) {
    step.mark = ProbeMark::kNote;
    step.text = tr("{}; no user is set, so there is no login", step.text);
  } else if (usable_.empty()) {
    step.mark = ProbeMark::kFailed;
    step.cause = printable(auth::no_common_mechanism(offered, relay_.mechanisms, here), 2000);
    step.cure = offered.empty() && here.tls ? _("ask the provider which port takes a login")
                : offered.empty() ? _("many servers offer AUTH only inside TLS: set tls = \"starttls\" or \"implicit\"")
                                  : _("see the reasons above; each says what would make that mechanism usable");
  }
  bool good = step.ok();
  say(std::move(step));
  return good;
}

net::Awaitable<bool> Probe::log_in() {
  const bool external = std::ranges::find(usable_, "EXTERNAL") != usable_.end();
  if (!relay_.has_credentials() && !external) co_return true;
  auth::Credentials credentials{relay_.user, relay_.password};
  auth::Circumstances here = circumstances();
  std::string used;
  auto granted = co_await session_->authenticate(usable_, credentials, here, &used);
  if (!granted) {
    std::string text = (used.empty() ? "" : used + ": ") + words_of(granted.error());
    co_return failed("auth", std::move(text), advise_auth(relay_, granted.error()));
  }
  say({"auth",
       ProbeMark::kGood,
       tr("{} as {}: {}", used, printable(relay_.user, 200), printable(granted->line(), 300)),
       {},
       {},
       {{"mechanism", used}, {"user", relay_.user}, {"reply", granted->line()}}});
  co_return true;
}

// What the relay says of its limits: SIZE (RFC 1870), LIMITS (RFC 9422).
void Probe::limits() {
  const smtp::Capabilities& said = session_->capabilities();
  ProbeStep step{"limits", ProbeMark::kGood, {}, {}, {}, {}};
  if (said.size) {
    const std::uint64_t size = *said.size;
    step.text = tr("messages up to {} octets", size);
    step.details.emplace_back("size", static_cast<std::int64_t>(std::min<std::uint64_t>(size, INT64_MAX)));
    if (options_.max_message_size > size) {
      step.mark = ProbeMark::kNote;
      step.cause = _("our listeners take larger ones; what no relay takes is refused there once that is known");
      step.cure = tr("max_message_size = \"{}\" in [[listener]] says so from the beginning", size);
    }
  }
  for (const std::string& line : said.raw) {
    if (!istarts_with(line, "LIMITS ")) continue;
    step.text += (step.text.empty() ? "" : "; ") + printable(line.substr(7), 200);
    step.details.emplace_back("limits", line.substr(7));
  }
  if (!step.text.empty()) say(std::move(step));
}

}  // namespace sidegate::deliver
