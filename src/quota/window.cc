#include "quota/window.h"

#include <algorithm>
#include <limits>

namespace sidegate::quota {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

std::uint64_t plus(std::uint64_t a, std::uint64_t b) {  // a damaged row cannot make it wrap
  return b > std::numeric_limits<std::uint64_t>::max() - a ? std::numeric_limits<std::uint64_t>::max() : a + b;
}

}  // namespace

nanoseconds length(Span span) {
  switch (span) {
    case Span::kSecond:
      return 1s;
    case Span::kMinute:
      return 1min;
    case Span::kHour:
      return 1h;
    case Span::kDay:
      break;
  }
  return 24h;
}

unsigned slots(Span span) {
  return span == Span::kSecond ? 10 : span == Span::kDay ? 24 : 12;
}

// Threads bring times that are not quite in order: an earlier one counts as now.
std::uint64_t Window::passed(SteadyTime now) const {
  return now <= began_ ? 0 : static_cast<std::uint64_t>((now - began_) / slot());
}

void Window::move_to(SteadyTime now) {
  if (counts_.empty()) {
    began_ = now;
    return;
  }
  const std::uint64_t k = passed(now);
  if (k == 0) return;
  if (k > slots(span_)) {
    counts_.clear();
    began_ = now;
    return;
  }
  began_ += slot() * static_cast<std::int64_t>(k);
  counts_.insert(counts_.begin(), k, 0);
  if (counts_.size() > slots(span_) + 1) counts_.resize(slots(span_) + 1);
  while (!counts_.empty() && counts_.back() == 0) counts_.pop_back();
  if (counts_.empty()) began_ = now;
}

void Window::add(std::uint64_t n, SteadyTime now) {
  if (n == 0) return;
  move_to(now);
  if (counts_.empty()) counts_.push_back(0);
  counts_[0] = plus(counts_[0], n);
}

void Window::take_back(std::uint64_t n, SteadyTime when) {
  std::size_t at = 0;
  if (when < began_) at = static_cast<std::size_t>((began_ - when + slot() - nanoseconds(1)) / slot());
  if (at < counts_.size()) counts_[at] -= std::min(n, counts_[at]);
}

std::uint64_t Window::count(SteadyTime now) const {
  const std::uint64_t k = passed(now);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < counts_.size() && i + k <= slots(span_); ++i) sum = plus(sum, counts_[i]);
  return sum;
}

nanoseconds Window::until(std::uint64_t most, SteadyTime now) const {
  if (count(now) <= most) return nanoseconds(0);
  // From the oldest on they fall out, one slot after the other; with none left the count is 0.
  std::uint64_t k = passed(now);
  SteadyTime at = now;
  do {
    ++k;
    at = began_ + slot() * static_cast<std::int64_t>(k);
  } while (count(at) > most);
  return at - now;
}

void Window::encode(OctetWriter& out, SteadyTime now) const {
  Window copy = *this;
  copy.move_to(now);
  const nanoseconds phase = copy.counts_.empty() || now < copy.began_ ? nanoseconds(0) : now - copy.began_;
  out.number(static_cast<std::uint64_t>(std::chrono::duration_cast<Duration>(phase).count()));
  out.number(copy.counts_.size());
  for (std::uint64_t n : copy.counts_) out.number(n);
}

Window Window::decode(OctetReader& in, Span span, SteadyTime now, nanoseconds away) {
  Window window(span);
  const Duration most = std::chrono::duration_cast<Duration>(window.slot());
  const std::uint64_t phase = std::min<std::uint64_t>(in.number(), static_cast<std::uint64_t>(most.count()));
  for (std::size_t n = in.count(); n > 0 && in.ok(); --n) {
    const std::uint64_t counted = in.number();
    if (window.counts_.size() <= slots(span)) window.counts_.push_back(counted);
  }
  window.began_ = now - away - Duration(static_cast<std::int64_t>(phase));
  window.move_to(now);
  return window;
}

}  // namespace sidegate::quota
