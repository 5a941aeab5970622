#include "dns/record_questions.h"

#include <algorithm>

#include "base/text.h"

namespace sidegate::dns {
namespace {

constexpr std::size_t kMostTroubles = 2000;
constexpr auto kTroubleFresh = std::chrono::seconds(30);
constexpr auto kAbsentFresh = std::chrono::seconds(60);  // as libunbound is told for its own cache

std::unexpected<Error> absent(const std::string& key) {
  return fail(ErrorKind::kNotFound, "DNS: there is no " + printable(key, 300));
}

}  // namespace

std::string RecordQuestions::key_of(const std::string& name, RecordType type) {
  const char* word = "address";
  if (type == RecordType::kPtr) word = "PTR";
  if (type == RecordType::kMx) word = "MX";
  if (type == RecordType::kTxt) word = "TXT";
  if (type == RecordType::kSrv) word = "SRV";
  if (type == RecordType::kTlsa) word = "TLSA";
  if (type == RecordType::kAaaa) word = "IPv6 address";
  if (type == RecordType::kCname) word = "CNAME";
  return std::string(word) + " of " + name;
}

std::optional<Result<Records>> RecordQuestions::known(const std::string& key, SteadyTime now) {
  std::lock_guard lock(mutex_);
  const AddressCache::Entry* entry = cache_.fresh(key, now);
  if (entry == nullptr) {
    auto trouble = troubles_.find(key);
    if (trouble == troubles_.end() || now >= trouble->second.until) return std::nullopt;
    return std::unexpected(trouble->second.error);
  }
  if (entry->list.empty()) return absent(key);
  return entry->list;
}

RecordQuestions::Next RecordQuestions::wait_for(const std::string& key, Waiter& waiter) {
  std::lock_guard lock(mutex_);
  auto at = waiters_.find(key);
  if (at == waiters_.end() && waiters_.size() >= most_) return Next::kTooMany;
  const bool first = at == waiters_.end();
  waiters_[key].push_back(std::move(waiter));
  return first ? Next::kAsk : Next::kWait;
}

Result<Records> RecordQuestions::result_of(const std::string& key, Answer answer) {
  if (answer.verdict == Verdict::kFound) return std::move(answer.list);
  if (answer.definite()) return absent(key);
  const bool silent = answer.verdict == Verdict::kSilent;
  return fail(silent ? ErrorKind::kTimeout : ErrorKind::kUnreachable,
              "DNS: looking up " + printable(key, 300) + ": " + answer.why);
}

void RecordQuestions::take(const std::string& key, Answer answer, SteadyTime now) {
  std::vector<Waiter> waiting;
  if (answer.verdict == Verdict::kFound) {
    know(key, answer.list, std::min<Duration>(std::chrono::seconds(answer.ttl), kLongestFresh), now);
  } else if (answer.definite()) {
    know(key, {}, kAbsentFresh, now);
  }
  const Result<Records> result = result_of(key, std::move(answer));
  {
    std::lock_guard lock(mutex_);
    if (auto at = waiters_.find(key); at != waiters_.end()) {
      waiting = std::move(at->second);
      waiters_.erase(at);
    }
  }
  if (!result && result.error().kind != ErrorKind::kNotFound) remember(key, result.error(), now);
  for (Waiter& waiter : waiting) waiter(result);
}

// Of PTR alone: a list or a sender's domain that did not answer is asked again.
void RecordQuestions::remember(const std::string& key, const Error& trouble, SteadyTime now) {
  if (!key.starts_with("PTR ")) return;
  std::lock_guard lock(mutex_);
  if (troubles_.size() >= kMostTroubles) troubles_.clear();
  troubles_[key] = {now + kTroubleFresh, trouble};
}

void RecordQuestions::know(const std::string& key, Records records, Duration fresh_for, SteadyTime now) {
  std::lock_guard lock(mutex_);
  cache_.put(key, std::move(records), fresh_for, now);
}

}  // namespace sidegate::dns
