#include "quota/counters.h"

namespace sidegate::quota {

Counters::Counters(std::span<const Kind> plan) : plan_(plan) {
  windows_.reserve(plan.size());
  for (const Kind& kind : plan) windows_.emplace_back(kind.span);
}

void Counters::add(Measure measure, std::uint64_t n, SteadyTime now) {
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    if (plan_[i].measure == measure) windows_[i].add(n, now);
  }
}

void Counters::take_back(Measure measure, std::uint64_t n, SteadyTime when) {
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    if (plan_[i].measure == measure) windows_[i].take_back(n, when);
  }
}

void Counters::take_back(Kind kind, std::uint64_t n, SteadyTime when) {
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    if (plan_[i] == kind) windows_[i].take_back(n, when);
  }
}

std::uint64_t Counters::count(Kind kind, SteadyTime now) const {
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    if (plan_[i] == kind) return windows_[i].count(now);
  }
  return 0;
}

std::optional<Over> Counters::over(std::span<const Limit> limits, Measure measure, std::uint64_t n,
                                   SteadyTime now) const {
  std::optional<Over> worst;
  for (const Limit& limit : limits) {
    if (limit.most == 0 || limit.kind.measure != measure) continue;
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      if (plan_[i] != limit.kind) continue;
      const std::uint64_t used = windows_[i].count(now);
      if (used <= limit.most && n <= limit.most - used) continue;
      Over over{limit, {}, n > limit.most};
      if (!over.never) over.room_in = windows_[i].until(limit.most - n, now);
      if (!worst || over.never || (!worst->never && over.room_in > worst->room_in)) worst = over;
    }
  }
  return worst;
}

bool Counters::empty(SteadyTime now) const {
  for (const Window& window : windows_) {
    if (!window.empty(now)) return false;
  }
  return true;
}

void Counters::encode(OctetWriter& out, SteadyTime now) const {
  std::size_t used = 0;
  for (const Window& window : windows_) used += !window.empty(now);
  out.number(used);
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    if (windows_[i].empty(now)) continue;
    out.octet(static_cast<std::uint8_t>(plan_[i].measure));
    out.octet(static_cast<std::uint8_t>(plan_[i].span));
    windows_[i].encode(out, now);
  }
}

bool Counters::decode(OctetReader& in, SteadyTime now, std::chrono::nanoseconds away) {
  for (std::size_t n = in.count(); n > 0 && in.ok(); --n) {
    const std::uint8_t measure = in.octet(), span = in.octet();
    if (measure >= kMeasures || span >= kSpans) return false;
    const Kind kind{static_cast<Measure>(measure), static_cast<Span>(span)};
    Window window = Window::decode(in, kind.span, now, away);
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      if (plan_[i] == kind) windows_[i] = std::move(window);
    }
  }
  return in.ok();
}

}  // namespace sidegate::quota
