#include "quota/usual.h"

#include <algorithm>

namespace sidegate::quota {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr std::uint64_t kWeight = 16;                    // one hour moves the average by a sixteenth
constexpr std::uint64_t kMost = std::uint64_t{1} << 40;  // in an hour; a damaged row cannot make it overflow
constexpr nanoseconds kPass = 2h;

std::uint64_t milliseconds(nanoseconds d) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(std::chrono::duration_cast<Duration>(d).count(), 0));
}

}  // namespace

void Usual::end_hour(SteadyTime now) {
  if (in_hour_ == 0 || now < hour_began_ + 1h) return;
  hours_ = std::min(hours_ + 1, kWeight);
  const auto average = static_cast<double>(thousandths_), hour = static_cast<double>(in_hour_) * 1000;
  thousandths_ = static_cast<std::uint64_t>(average + (hour - average) / static_cast<double>(hours_));
  in_hour_ = 0;
}

void Usual::add(std::uint64_t n, SteadyTime now) {
  end_hour(now);
  if (in_hour_ == 0) hour_began_ = now;
  in_hour_ = std::min(in_hour_ + std::min(n, kMost), kMost);
  if (lets_pass(now)) let_pass_ = std::max(let_pass_, in_hour_);
}

double Usual::per_hour(SteadyTime now) const {
  Usual then = *this;
  then.end_hour(now);
  return static_cast<double>(then.thousandths_) / 1000;
}

double Usual::far_over(std::uint32_t factor, std::uint64_t floor, SteadyTime now) const {
  return std::max({per_hour(now) * factor, static_cast<double>(floor), 2 * static_cast<double>(let_pass_)});
}

void Usual::let_pass(std::uint64_t in_this_hour, SteadyTime now) {
  passes_until_ = now + kPass;
  let_pass_ = std::max(let_pass_, std::min(in_this_hour, kMost));
}

void Usual::encode(OctetWriter& out, SteadyTime now) const {
  Usual then = *this;
  then.end_hour(now);
  out.number(then.thousandths_);
  out.number(then.hours_);
  out.number(then.in_hour_);
  out.number(then.in_hour_ == 0 ? 0 : milliseconds(now - then.hour_began_));
  out.number(then.let_pass_);
  out.number(milliseconds(then.passes_until_ - now));
}

Usual Usual::decode(OctetReader& in, SteadyTime now, nanoseconds away) {
  constexpr std::uint64_t kHour = 3'600'000;
  Usual usual;
  usual.thousandths_ = std::min(in.number(), kMost * 1000);
  usual.hours_ = std::min(in.number(), kWeight);
  usual.in_hour_ = std::min(in.number(), kMost);
  const SteadyTime saved = now - away;
  usual.hour_began_ = saved - Duration(static_cast<std::int64_t>(std::min(in.number(), kHour)));
  usual.let_pass_ = std::min(in.number(), kMost);
  usual.passes_until_ = saved + Duration(static_cast<std::int64_t>(std::min(in.number(), 2 * kHour)));
  usual.end_hour(now);
  return usual;
}

}  // namespace sidegate::quota
