#include "deliver/race.h"

#include "deliver/parking.h"

namespace sidegate::deliver {
namespace {

struct Race {
  RaceRules rules;
  Raced result;
  bool over = false;     // nobody waits any more
  unsigned running = 0;  // families
  Parking changed;
};

// However a family's coroutine ends, the one that waits hears of it.
struct Runner {
  explicit Runner(std::shared_ptr<Race> r) : race(std::move(r)) { ++race->running; }
  ~Runner() {
    --race->running;
    if (!race->over) race->changed.call();
  }
  Runner(const Runner&) = delete;
  std::shared_ptr<Race> race;
};

// One family. `race` is kept by the coroutine's frame.
net::Awaitable<void> run(net::Loop& loop, std::shared_ptr<Race> race, std::vector<net::Endpoint> places) {
  Runner runner(race);
  for (net::Endpoint& place : places) {
    if (race->over || race->result.stream) co_return;
    std::string source = is_ipv6(place.address) ? race->rules.source6 : race->rules.source4;
    net::Endpoint to = place;
    auto stream = co_await net::connect(loop, std::move(to), race->rules.timeout, std::move(source));
    if (race->over || race->result.stream) co_return;  // outrun
    if (stream) {
      race->result.stream = std::move(*stream);
      race->result.to = std::move(place);
      co_return;
    }
    race->result.failed.emplace_back(std::move(place), stream.error());
  }
}

}  // namespace

net::Awaitable<Raced> connect_first(net::Loop& loop, std::vector<net::Endpoint> places, RaceRules rules) {
  auto race = std::make_shared<Race>();
  race->rules = std::move(rules);
  std::vector<net::Endpoint> first, second;
  const bool six = !places.empty() && is_ipv6(places.front().address);
  for (net::Endpoint& place : places) (is_ipv6(place.address) == six ? first : second).push_back(std::move(place));
  if (second.empty()) {  // no race
    co_await run(loop, race, std::move(first));
    co_return std::move(race->result);
  }
  loop.spawn("connect", run(loop, race, std::move(first)));
  Duration head_start = race->rules.head_start;
  co_await race->changed.wait(loop, head_start);
  if (!race->result.stream) loop.spawn("connect", run(loop, race, std::move(second)));
  // Each address has its own limit; this one is for what cannot happen.
  while (!race->result.stream && race->running > 0) co_await race->changed.wait(loop, std::chrono::minutes(30));
  race->over = true;
  co_return std::move(race->result);
}

}  // namespace sidegate::deliver
