// The promise of a window: never more than the limit within any stretch of its length, and room again at most one slot
// later than that asks for.
#include "quota/window.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <deque>

namespace sidegate::quota::window_test {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

SteadyTime at(nanoseconds t) {
  return SteadyTime(1h + t);
}

TEST(Window, CountsWhatIsNotOlderThanItsLength) {
  struct {
    Span span;
    nanoseconds later;
    std::uint64_t seen;
  } cases[] = {
      {Span::kSecond, 0ns, 5},      {Span::kSecond, 999ms, 5}, {Span::kSecond, 1101ms, 0},    {Span::kMinute, 59s, 5},
      {Span::kMinute, 1min, 5},     {Span::kMinute, 66s, 0},   {Span::kHour, 60min, 5},       {Span::kHour, 66min, 0},
      {Span::kDay, 23h + 59min, 5}, {Span::kDay, 25h + 1s, 0}, {Span::kDay, 24h * 10'000, 0},
  };
  for (const auto& c : cases) {
    Window window(c.span);
    window.add(5, at(0ns));
    EXPECT_EQ(window.count(at(c.later)), c.seen) << static_cast<int>(c.span) << " " << c.later.count();
  }
}

TEST(Window, AnEarlierTimeIsNow) {
  Window window(Span::kMinute);
  window.add(1, at(10s));
  window.add(1, at(0s));
  EXPECT_EQ(window.count(at(0s)), 2u);
  window.take_back(1, at(10s));
  EXPECT_EQ(window.count(at(10s)), 1u);
}

TEST(Window, SaysWhenThereIsRoom) {
  Window window(Span::kMinute);
  window.add(3, at(0s));
  window.add(4, at(30s));
  EXPECT_EQ(window.until(7, at(31s)), 0ns);
  const nanoseconds first = window.until(4, at(31s));
  EXPECT_GE(first, 29s);
  EXPECT_LE(first, 35s);
  EXPECT_LE(window.count(at(31s + first)), 4u);
  const nanoseconds all = window.until(0, at(31s));
  EXPECT_GE(all, 59s);
  EXPECT_LE(all, 65s);
}

Span any_span() {
  return *rc::gen::element(Span::kSecond, Span::kMinute, Span::kHour, Span::kDay);
}

// Against every single event, remembered.
struct Model {
  std::deque<std::pair<nanoseconds, std::uint64_t>> events;
  std::uint64_t newer_than(nanoseconds t) const {
    std::uint64_t sum = 0;
    for (const auto& [when, n] : events) sum += when > t ? n : 0;
    return sum;
  }
};

TEST(Window, IsNeverShortAndAtMostOneSlotLong) {
  EXPECT_TRUE(rc::check([] {
    const Span span = any_span();
    const nanoseconds whole = length(span), slot = whole / slots(span);
    Window window(span);
    Model model;
    nanoseconds now{0};
    const auto steps = *rc::gen::container<std::vector<std::pair<std::uint8_t, std::uint16_t>>>(
        rc::gen::pair(rc::gen::inRange<std::uint8_t>(0, 200), rc::gen::inRange<std::uint16_t>(0, 500)));
    for (const auto& [n, parts] : steps) {
      now += whole * parts / 100;
      if (n % 7 == 0 && !model.events.empty()) {  // a transaction that came to nothing
        auto& [when, counted] = model.events[n % model.events.size()];
        window.take_back(counted, at(when));
        counted = 0;
      } else if (n % 5 == 0) {  // over a restart
        std::string text;
        OctetWriter out(text);
        window.encode(out, at(now));
        const nanoseconds away = whole * (n % 3) / 4;
        now += away;
        OctetReader in(text);
        window = Window::decode(in, span, at(now), away);
        RC_ASSERT(in.done());
      } else {
        window.add(n, at(now));
        model.events.emplace_back(now, n);
      }
      const std::uint64_t counted = window.count(at(now));
      RC_ASSERT(counted >= model.newer_than(now - whole));
      RC_ASSERT(counted <= model.newer_than(now - whole - slot));
      for (std::uint64_t most : {counted / 2, std::uint64_t{0}}) {
        const nanoseconds until = window.until(most, at(now));
        RC_ASSERT(window.count(at(now + until)) <= most);
        RC_ASSERT(until <= whole + slot);
        if (until > 1ns) RC_ASSERT(window.count(at(now + until - 1ns)) > most);
      }
    }
  }));
}

TEST(Window, TakesAnyOctets) {
  EXPECT_TRUE(rc::check([](const std::string& text) {
    OctetReader in(text);
    Window window = Window::decode(in, any_span(), at(0ns), nanoseconds(0));
    window.add(1, at(1h));
    RC_ASSERT(window.count(at(1h)) >= 1u);
  }));
}

}  // namespace
}  // namespace sidegate::quota::window_test
