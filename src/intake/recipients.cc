#include "intake/recipients.h"

#include "alias/address.h"

namespace sidegate::intake {
namespace {

constexpr std::size_t kMostTold = 1000;

}  // namespace

bool Recipients::concerns(std::string_view address) const {
  auto now = files_.current();
  return alias::concerns(now->settings, now->tables, address);
}

alias::Expansion Recipients::resolve_now(const mail::Recipient& given, bool null_sender) {
  files_.look();
  auto now = files_.current();
  alias::Expansion expansion = alias::Expander(now->settings, now->tables, sources_).expand(given, null_sender);
  tell(expansion, given.address);
  return expansion;
}

net::Awaitable<alias::Expansion> Recipients::resolve(mail::Recipient given, bool null_sender) {
  auto work = [this, &given, null_sender] { return resolve_now(given, null_sender); };
  Result<alias::Expansion> done = co_await net::on_worker(workers_, work);
  if (done) co_return std::move(*done);
  log_.error("alias_problem", {{"address", given.address}, {"reason", done.error().text}});
  alias::Expansion deferred;
  deferred.fate = alias::Fate::kDeferred;
  co_return deferred;
}

net::Awaitable<std::vector<mail::Recipient>> Recipients::for_report(std::string address) {
  mail::Recipient given;
  given.address = std::move(address);
  if (!concerns(given.address)) co_return std::vector<mail::Recipient>{};
  auto now = files_.current();
  if (alias::split_address(given.address).domain.empty()) given.address += "@" + now->settings.hostname;
  alias::Expansion expansion = co_await resolve(given, true);
  switch (expansion.fate) {
    case alias::Fate::kNotOurs:
      co_return std::vector<mail::Recipient>{};
    case alias::Fate::kResolved:
      for (mail::Recipient& recipient : expansion.recipients) recipient.orcpt.clear();
      co_return std::move(expansion.recipients);
    case alias::Fate::kUnknown:
    case alias::Fate::kDeferred:
      break;
  }
  alias::Split split = alias::split_address(given.address);
  // A domain that only the virtual map is about has no mailboxes here: as it stands, the next server decides.
  if (!alias::is_local_domain(now->settings, split.domain)) co_return std::vector<mail::Recipient>{};
  given.destination = mail::Destination::kMailbox;
  given.target = split.local.find('/') == std::string::npos ? split.local : "postmaster";
  co_return std::vector<mail::Recipient>{std::move(given)};
}

// Each trouble once, until a file changes.
void Recipients::tell(const alias::Expansion& expansion, const std::string& address) {
  if (expansion.problems.empty()) return;
  std::lock_guard lock(mutex_);
  if (unsigned version = files_.version(); version != told_version_ || told_.size() > kMostTold) {
    told_.clear();
    told_version_ = version;
  }
  for (const alias::Problem& problem : expansion.problems) {
    if (!told_.insert(problem.text()).second) continue;
    log_.warning("alias_problem", {{"address", address},
                                   {"file", problem.at.file},
                                   {"line", problem.at.line},
                                   {"reason", problem.what},
                                   {"next", problem.next}});
  }
}

}  // namespace sidegate::intake
