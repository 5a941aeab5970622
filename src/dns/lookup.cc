#include "dns/lookup.h"

#include <fmt/format.h>

#include <algorithm>

#include "dns/system_files.h"

namespace sidegate::dns {

namespace {

constexpr auto kPlainAfter = std::chrono::milliseconds(2000);  // libunbound has asked three times by then
constexpr auto kPoorFor = std::chrono::minutes(10);
// With one family's addresses in hand the other one is waited for this long: some forwarders never answer AAAA.
constexpr auto kGrace = std::chrono::milliseconds(1000);
constexpr std::uint32_t kHalfTtl = 60;  // and asked for again soon

}  // namespace

Lookup::Lookup(std::vector<std::string> candidates, Duration timeout, SteadyTime now)
    : candidates_(std::move(candidates)),
      plain_after_(std::min<Duration>(kPlainAfter, timeout / 4)),
      deadline_(now + timeout) {}

// One of the two families' places stands for it; the other has nothing to be asked for.
Lookup::Lookup(std::string name, RecordType type, Duration timeout, SteadyTime now, bool fresh)
    : Lookup(std::vector<std::string>{std::move(name)}, timeout, now) {
  fresh_ = fresh;
  four_.type = type;
  six_.answer.verdict = Verdict::kNoData;
}

void Lookup::start(Servers& servers, SteadyTime now) {
  plain_at_ = now < servers.poor_until ? now : now + plain_after_;
  for (Family* family : {&six_, &four_}) {
    if (!family->settled()) start(servers, *family, now);
  }
}

void Lookup::start_validated(Servers& servers, Family& family) {
  if (servers.validating) {
    family.number = servers.validating->ask(candidates_[candidate_], family.type, [&family](Answer answer) {
      family.number = -1;
      family.answer = std::move(answer);
    });
  }
  if (family.number < 0 && !family.settled())
    family.answer = {Verdict::kFailed, {}, 0, "there is no trust anchor for DNSSEC"};
}

void Lookup::start(Servers& servers, Family& family, SteadyTime now) {
  drop(servers, family);
  if (validated_) return start_validated(servers, family);
  family.unbound_failed = false;
  if (now >= servers.poor_until && servers.unbound && !fresh_) {
    family.number = servers.unbound->ask(candidates_[candidate_], family.type, [&family](Answer answer) {
      family.number = -1;
      family.unbound_failed = !answer.definite();
      if (answer.definite()) family.answer = std::move(answer);
    });
  }
  if (family.number < 0) family.unbound_failed = true;
}

void Lookup::drop(Servers& servers, Family& family) {
  const auto& asked = validated_ ? servers.validating : servers.unbound;
  if (family.number >= 0 && asked) asked->cancel(family.number);
  family.number = -1;
  family.plain.reset();
}

void Lookup::drop(Servers& servers) {
  drop(servers, six_);
  drop(servers, four_);
}

void Lookup::step(Servers& servers, Family& family, SteadyTime now) {
  if (family.settled() || validated_) return;
  if (!family.plain && (family.unbound_failed || now >= plain_at_)) {
    family.plain = std::make_unique<PlainQuestion>(candidates_[candidate_], family.type);
  }
  if (family.plain) {
    family.plain->step(servers.list, now);
    if (auto answer = family.plain->read(servers.list)) {
      family.plain.reset();
      if (answer->definite() && !fresh_) servers.poor_until = std::max<SteadyTime>(servers.poor_until, now + kPoorFor);
      family.answer = std::move(*answer);  // a failure of every server too: libunbound would only find it out later
    }
  }
  if (family.settled()) drop(servers, family);
}

// Whether there is nothing more to wait for.
bool Lookup::answered(SteadyTime now) {
  bool both = six_.settled() && four_.settled();
  if (both || now >= deadline_) return true;
  bool found = six_.answer.verdict == Verdict::kFound || four_.answer.verdict == Verdict::kFound;
  if (found && !grace_given_) {
    grace_given_ = true;
    deadline_ = std::min<SteadyTime>(deadline_, now + kGrace);
  }
  return false;
}

void Lookup::step(Servers& servers, SteadyTime now) {
  step(servers, six_, now);
  step(servers, four_, now);
  if (!answered(now)) return;
  drop(servers);
  Answer answer = combined(servers);
  bool negative = answer.verdict == Verdict::kNoName || answer.verdict == Verdict::kNoData;
  if (answer.verdict == Verdict::kNoData) name_exists_ = true;
  if (negative && candidate_ + 1 < candidates_.size() && now < deadline_) {
    ++candidate_;
    six_.answer = four_.answer = Answer();
    start(servers, now);
    return;
  }
  if (answer.verdict == Verdict::kNoName && name_exists_) answer.verdict = Verdict::kNoData;
  result_ = std::move(answer);
}

Answer Lookup::combined(const Servers& servers) const {
  if (validated_) {
    if (four_.settled()) return four_.answer;
    return {Verdict::kSilent, {}, 0, fmt::format("no answer from {}", fmt::join(servers.list, ", "))};
  }
  Answer answer;
  answer.list = interleaved(six_.answer.list, four_.answer.list);
  if (!answer.list.empty()) {
    answer.verdict = Verdict::kFound;
    answer.ttl = UINT32_MAX;
    for (const Family* family : {&six_, &four_}) {
      if (!family->answer.definite()) answer.ttl = std::min(answer.ttl, kHalfTtl);
      if (family->answer.verdict == Verdict::kFound) answer.ttl = std::min(answer.ttl, family->answer.ttl);
    }
    return answer;
  }
  // RFC 4074 section 4.2: some servers answer NXDOMAIN for AAAA alone, so only that for A is believed by itself.
  if (four_.answer.verdict == Verdict::kNoName) return four_.answer;
  for (const Family* family : {&six_, &four_}) {
    Verdict verdict = family->answer.verdict == Verdict::kPending ? Verdict::kSilent : family->answer.verdict;
    answer.verdict = std::max(answer.verdict, verdict);  // the worst of both: see the order of Verdict
    if (answer.why.empty() && verdict == Verdict::kFailed) answer.why = family->answer.why;
  }
  if (answer.verdict == Verdict::kSilent) answer.why = fmt::format("no answer from {}", fmt::join(servers.list, ", "));
  return answer;
}

SteadyTime Lookup::next_step() const {
  SteadyTime next = deadline_;
  for (const Family* family : {&six_, &four_}) {
    if (family->settled() || validated_) continue;
    if (family->plain) {
      next = std::min(next, family->plain->next_step());
    } else {
      next = std::min(next, plain_at_);
    }
  }
  return next;
}

void Lookup::append_fds(std::vector<int>& fds) const {
  for (const Family* family : {&six_, &four_}) {
    if (family->plain && family->plain->fd() >= 0) fds.push_back(family->plain->fd());
  }
}

}  // namespace sidegate::dns
