#include "tlsrpt/counters.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "tlsrpt/row.h"

namespace sidegate::tlsrpt {
namespace {

constexpr std::size_t kLongestReason = 300, kLongestLine = 500;

std::string oldest_date(WallTime now) {
  return date_of(now - std::chrono::days(kDaysKept - 1));
}

Policy cut(const Policy& policy) {
  Policy out{policy.type, {}, {}};
  for (const std::string& line : policy.text) {
    if (out.text.size() < kMostLines) out.text.push_back(printable(line, kLongestLine));
  }
  for (const std::string& host : policy.mx) {
    if (out.mx.size() < kMostLines) out.mx.push_back(printable(host, kLongestLine));
  }
  return out;
}

PolicyCount& count_of(Day& day, Policy policy) {
  for (PolicyCount& one : day.policies) {
    if (one.policy == policy) return one;
  }
  // No room: with the last one of its type, or the last of all.
  if (day.policies.size() >= kMostPolicies) {
    for (PolicyCount& one : day.policies) {
      if (one.policy.type == policy.type) return one;
    }
    return day.policies.back();
  }
  return day.policies.emplace_back(PolicyCount{.policy = std::move(policy), .failures = {}});
}

void add_failure(PolicyCount& count, const Session& session) {
  auto same = std::ranges::find_if(count.failures, [&](const Failure& f) {
    return f.type == *session.failure && f.sending_address == session.sending_address && f.mx_host == session.mx_host &&
           f.address == session.address;
  });
  if (same != count.failures.end()) {
    ++same->sessions;
    return;
  }
  if (count.failures.size() >= kMostFailures) {
    ++count.not_detailed;
    return;
  }
  count.failures.push_back({*session.failure, session.sending_address, printable(session.mx_host, 255), session.address,
                            printable(session.reason, kLongestReason), 1});
}

}  // namespace

const char* name(PolicyType type) {
  constexpr const char* kNames[] = {"no-policy-found", "tlsa", "sts"};
  return kNames[static_cast<unsigned>(type)];
}

const char* name(ResultType type) {
  constexpr const char* kNames[kResultTypes] = {"starttls-not-supported", "certificate-host-mismatch",
                                                "certificate-expired",    "certificate-not-trusted",
                                                "validation-failure",     "tlsa-invalid",
                                                "dnssec-invalid",         "dane-required",
                                                "sts-policy-fetch-error", "sts-policy-invalid",
                                                "sts-webpki-invalid"};
  return kNames[static_cast<unsigned>(type)];
}

std::string date_of(WallTime at) {
  const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(at)};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                     static_cast<unsigned>(day.day()));
}

void Counters::note(const Session& session, WallTime now) {
  const Key key{date_of(now), lower(session.domain)};
  std::lock_guard lock(mutex_);
  auto at = days_.find(key);
  if (at == days_.end()) {
    std::size_t& count = domains_[key.first];
    if (count >= kMostDomains) {
      ++not_counted_;
      return;
    }
    ++count;
    at = days_.emplace(key, Day{key.first, key.second, {}}).first;
  }
  PolicyCount& count = count_of(at->second, cut(session.policy));
  ++(session.failure ? count.bad : count.good);
  if (session.failure) add_failure(count, session);
  changed_.insert(key);
}

std::vector<std::pair<std::string, std::string>> Counters::take_changes() {
  std::vector<std::pair<std::string, std::string>> out;
  std::lock_guard lock(mutex_);
  for (const Key& key : changed_) {
    const auto at = days_.find(key);
    out.emplace_back(key.first + "/" + key.second, at == days_.end() ? std::string() : encode(at->second));
  }
  changed_.clear();
  return out;
}

void Counters::forget_old(WallTime now) {
  const std::string oldest = oldest_date(now);
  std::lock_guard lock(mutex_);
  while (!days_.empty() && days_.begin()->first.first < oldest) {
    changed_.insert(days_.begin()->first);
    domains_.erase(days_.begin()->first.first);
    days_.erase(days_.begin());
  }
}

bool Counters::restore(std::string_view key, std::string_view row, WallTime now) {
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos) return false;
  auto day = decode(row);
  if (!day) return false;
  day->date = key.substr(0, slash);
  day->domain = key.substr(slash + 1);
  // A clock that was ahead and is not any more: what it wrote then is of no day.
  if (day->date < oldest_date(now) || day->date > date_of(now) || day->domain.empty()) return false;
  std::lock_guard lock(mutex_);
  if (domains_[day->date] >= kMostDomains) return false;
  ++domains_[day->date];
  Key at{day->date, day->domain};
  days_.insert_or_assign(std::move(at), std::move(*day));
  return true;
}

std::vector<Day> Counters::days(std::string_view domain) const {
  std::vector<Day> out;
  const std::string wanted = lower(domain);
  std::lock_guard lock(mutex_);
  for (const auto& [key, day] : days_) {
    if (wanted.empty() || key.second == wanted) out.push_back(day);
  }
  return out;
}

std::uint64_t Counters::not_counted() const {
  std::lock_guard lock(mutex_);
  return not_counted_;
}

}  // namespace sidegate::tlsrpt
