#include "alias/check.h"

#include <algorithm>
#include <unordered_set>

#include "alias/address.h"
#include "base/i18n.h"
#include "base/text.h"
#include "mail/mailbox.h"

namespace sidegate::alias {
namespace {

using mail::Destination;

mail::Recipient to(const std::string& address) {
  mail::Recipient recipient;
  recipient.address = address;
  return recipient;
}

// A domain in which aliases are looked up; empty: there is none.
std::string home_domain(const Settings& settings) {
  std::string host = lower(settings.hostname);
  if (is_local_domain(settings, host)) return host;
  return settings.local_domains.empty() ? std::string() : settings.local_domains.front();
}

class Check {
 public:
  Check(const Settings& settings, const Tables& tables, Sources& sources)
      : expander_(settings, tables, sources), domain_(home_domain(settings)) {
    for (const Problem& problem : tables.problems()) add(problem);
    count(tables.alias_files(), false);
    count(tables.virtual_files(), true);
    if (!domain_.empty()) {
      for (const MapFile& file : tables.alias_files()) {
        for (const Entry& entry : file.entries) try_one(join_address(entry.key, domain_));
      }
    }
    for (const MapFile& file : tables.virtual_files()) {
      for (const Entry& entry : file.entries) try_virtual(entry);
    }
    out_.includes = includes_.size();
  }
  Checked take() { return std::move(out_); }

 private:
  void count(const std::vector<MapFile>& files, bool is_virtual) {
    for (const MapFile& file : files)
      out_.files.push_back({file.path, is_virtual, file.entries.size(), !file.unreadable});
  }
  void add(const Problem& problem) {
    if (told_.insert(problem.text()).second) out_.problems.push_back(problem);
  }
  void try_virtual(const Entry& entry) {
    if (entry.broken || entry.key.starts_with('@')) return;
    if (entry.key.find('@') != std::string::npos) {
      Split split = split_address(entry.key);
      try_one(join_address(split.local, split.domain));
    } else if (!domain_.empty() && entry.targets.size() == 1 && entry.targets[0].text.find('@') != std::string::npos) {
      try_one(join_address(entry.key, domain_));  // not the lines that only declare a domain
    }
  }
  void try_one(const std::string& address) {
    if (!mail::is_mailbox(address, true)) return;
    Expansion expansion = expander_.expand(to(address));
    for (const Problem& problem : expansion.problems) add(problem);
    for (const Step& step : expansion.steps) {
      if (step.kind == StepKind::kInclude) includes_.insert(step.subject);
    }
  }

  Expander expander_;
  std::string domain_;
  Checked out_;
  std::unordered_set<std::string> told_, includes_;
};

// Where the mail of one of them ends, in a word; empty: it is fine.
std::string wrong_end(const Expansion& expansion, const std::string& user) {
  switch (expansion.fate) {
    case Fate::kNotOurs:
      return {};
    case Fate::kUnknown:
      return tr("mail for {} is refused: there is no such user and no alias", user);
    case Fate::kDeferred:
      return tr("mail for {} waits: its alias leads nowhere", user);
    case Fate::kResolved:
      break;
  }
  auto all = [&](auto is) { return std::ranges::all_of(expansion.recipients, is); };
  if (all([](const mail::Recipient& r) { return r.destination == Destination::kDiscard; }))
    return tr("mail for {} is thrown away", user);
  if (user == "root" &&
      all([&](const mail::Recipient& r) { return r.destination == Destination::kMailbox && r.target == user; }))
    return _("mail for root stays in root's mailbox on this machine, where hardly anyone looks");
  return {};
}

}  // namespace

Checked check(const Settings& settings, const Tables& tables, Sources& sources) {
  return Check(settings, tables, sources).take();
}

Problems check_duty(const Settings& settings, const Tables& tables, Sources& sources) {
  Problems out;
  std::string domain = home_domain(settings);
  if (domain.empty()) return out;  // nothing is local: root's mail leaves as it is
  Expander expander(settings, tables, sources);
  std::string file = settings.alias_files.empty() ? kDefaultFile : settings.alias_files.front();
  for (const char* user : {"root", "postmaster"}) {
    Expansion expansion = expander.expand(to(join_address(user, domain)));
    std::string wrong = wrong_end(expansion, user);
    if (wrong.empty()) continue;
    const Entry* entry = tables.alias(user);
    Place at = entry != nullptr ? entry->at : Place{file, 0};
    std::string line = std::string(user) == "root" ? "root: you@example.org" : "postmaster: root";
    out.push_back({Severity::kWarning, at, std::move(wrong), tr("write into {}: {}", at.file, line)});
  }
  return out;
}

}  // namespace sidegate::alias
