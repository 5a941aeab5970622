#include "deliver/courier.h"

#include <algorithm>

#include "base/text.h"
#include "deliver/decided_connection.h"
#include "deliver/direct_opening.h"
#include "deliver/local_connection.h"

namespace sidegate::deliver {

using smtp::Phase;

constexpr Duration kOverdueEvery = 1s;
constexpr Duration kLastWait = 3s;  // after the connections were cancelled
// How long an account that has used up what it may is left alone at most before one message tries it again.
constexpr Duration kSpentDay = 4h, kSpentPace = 30min;
Duration spent_at_most(const Verdict& verdict) {
  return verdict.hold >= Duration(1h) ? kSpentDay : kSpentPace;
}

constexpr Duration kPassedOver = 10min;
constexpr Duration kLook = 250ms;  // between two looks at what ends by itself

// One connection's coroutine. It holds a slot of the way for as long as it lives.
struct Courier::Line {
  std::shared_ptr<const Ways> ways;
  std::shared_ptr<Way> way;
  std::unique_ptr<Connection> connection;
  Parking parking;
  std::optional<Attempt> attempt;  // the lease in hand
  unsigned carried = 0;            // messages on this connection
  bool stood = false;              // slot_ready was called
  bool probes = false;             // the first connection to a way that has not proven itself
  RelayOpening* opening = nullptr;
  DirectOpening* direct = nullptr;
  std::optional<OpenTrouble> refused;  // what every recipient of this destination comes to

  queue::WayId id() const { return way->id; }
};

Courier::Courier(Parts parts) : parts_(std::move(parts)), random_(std::random_device{}()) {
  if (parts_.loop.index() != 0) return;
  parts_.loop.every(kOverdueEvery, [this, alive = alive_] {
    if (*alive) look_overdue();
  });
}
Courier::~Courier() {
  *alive_ = false;
}

void Courier::set_ways(std::shared_ptr<const Ways> ways) {
  parts_.loop.post([this, ways = std::move(ways)]() mutable {
    ways_ = std::move(ways);
    if (idle_.size() < ways_->list.size()) idle_.resize(ways_->list.size());
    for_each_idle([this](Line& line) {  // those of blocks that changed end now; the others only take the new snapshot
      if (!keeps(line)) line.parking.call();
    });
  });
}

std::vector<Courier::Line*>& Courier::idle_of(queue::WayId id) {
  if (queue::is_member(id)) [[unlikely]]
    return idle_members_[id];
  if (idle_.size() <= id) idle_.resize(id + 1u);
  return idle_[id];
}

// The one that fell asleep last. nullptr: none.
Courier::Line* Courier::take_idle(queue::WayId id) {
  std::vector<Line*>* idle = nullptr;
  if (!queue::is_member(id)) [[likely]] {
    if (id < idle_.size()) idle = &idle_[id];
  } else if (auto at = idle_members_.find(id); at != idle_members_.end()) {
    idle = &at->second;
  }
  if (idle == nullptr || idle->empty()) return nullptr;
  Line* line = idle->back();
  idle->pop_back();
  return line;
}

template <typename Fn>
void Courier::for_each_idle(Fn fn) {
  std::vector<Line*> sleeping;
  for (const auto& lines : idle_) sleeping.insert(sleeping.end(), lines.begin(), lines.end());
  for (const auto& [id, lines] : idle_members_) sleeping.insert(sleeping.end(), lines.begin(), lines.end());
  for (Line* line : sleeping) fn(*line);
}

// Not one whose block a reload has made anew or taken away.
bool Courier::in_use(const Way& way) const {
  if (way.family) return ways_->direct == way.family;
  return way.id < ways_->list.size() && ways_->list[way.id].get() == &way;
}

bool Courier::keeps(const Line& line) const {
  return !stopping_ && in_use(*line.way);
}

void Courier::kick(queue::WayId way) {
  if (parts_.loop.on_this_thread()) return look(way, 1);
  if (way >= kCoalescedWays) return parts_.loop.post([this, way] { look(way, 1); });
  if (kicks_[way].fetch_add(1, std::memory_order_acq_rel) > 0) return;  // a look is on its way
  parts_.loop.post([this, way] { look(way, kicks_[way].exchange(0, std::memory_order_acq_rel)); });
}

// Each kick asks for one connection: one that sleeps here, else a new one.
void Courier::look(queue::WayId id, unsigned kicks) {
  if (stopping_ || !ways_) return;
  const std::shared_ptr<Way> found = ways_->find(id, parts_.scheduler, parts_.loop.clock().steady());
  if (!found || found->retired) return;
  const unsigned loop = parts_.loop.index();
  for (; kicks > 0; --kicks) {
    if (Line* line = take_idle(id)) {
      parts_.scheduler.idle(id, loop, -1);
      line->parking.call();
      continue;
    }
    Way& way = *found;
    if (!way.health.may_open(parts_.loop.clock().steady())) return;
    // Until it has worked once: one connection alone, so that a wrong password is tried once and not ten times. When it
    // stands, the scheduler calls for the others.
    bool probes = !way.proven.load();
    if (probes && way.probing.exchange(true)) return;
    if (!parts_.scheduler.take_slot(id, loop)) {
      if (probes) way.probing.store(false);
      return;
    }
    connections_.fetch_add(1, std::memory_order_relaxed);
    parts_.loop.spawn("relay connection", run(ways_, found, probes));
  }
}

// What must happen however a line ends, by an exception too. Not when the loop takes its coroutines down at the very
// end.
struct Courier::Leaving {
  Courier& courier;
  Line& line;
  std::shared_ptr<const bool> alive;

  Leaving(Courier& c, Line& l) : courier(c), line(l), alive(c.alive_) { courier.lines_.push_back(&line); }
  ~Leaving() {
    if (!*alive) return;
    if (line.connection) line.way->standing.fetch_sub(1);
    if (line.probes) line.way->probing.store(false);
    if (line.attempt) courier.give_back(line.attempt->lease());
    courier.lines_.remove(&line);
    std::erase(courier.idle_of(line.id()), &line);
    if (queue::is_member(line.id()) && courier.idle_of(line.id()).empty()) courier.idle_members_.erase(line.id());
    courier.parts_.scheduler.release_slot(line.id(), courier.parts_.loop.index(), line.stood);
    courier.connections_.fetch_sub(1, std::memory_order_relaxed);
  }
};

net::Awaitable<void> Courier::run(std::shared_ptr<const Ways> ways, std::shared_ptr<Way> way, bool probes) {
  Line line;
  line.ways = std::move(ways);
  line.way = std::move(way);
  line.probes = probes;
  Leaving leaving(*this, line);
  for (;;) {
    Served served = co_await serve(line);
    if (line.connection) {
      line.way->standing.fetch_sub(1);
      line.connection->close();
      line.connection.reset();
    }
    if (served == Served::kEnd) co_return;
  }
}

// The one place that knows which transport a way has.
net::Awaitable<bool> Courier::open(Line& line) {
  if (line.way->settings.protocol == Protocol::kLocal) {
    line.connection = std::make_unique<LocalConnection>();
    co_return true;
  }
  if (line.way->settings.protocol == Protocol::kDiscard || line.way->settings.protocol == Protocol::kFail) {
    line.connection = std::make_unique<DecidedConnection>();
    co_return true;
  }
  if (line.way->settings.protocol == Protocol::kDirect) co_return co_await open_direct(line);
  RelayOpening opening(parts_.loop, parts_.resolver, *line.way, line.ways->settings);
  line.opening = &opening;
  Opened opened = co_await opening.run();
  line.opening = nullptr;
  if (!opened) {
    opening_failed(line, opened.error());
    co_return false;
  }
  line.connection = std::move(*opened);
  // Where a relay answers, the line is up: worth knowing when port 25 does not (port25.h).
  if (line.way->settings.protocol == Protocol::kSmtp && line.ways->direct_used)
    line.ways->direct->direct->port25.other_answered(parts_.loop.clock().steady());
  co_return true;
}

// --- direct delivery

net::Awaitable<bool> Courier::open_direct(Line& line) {
  DirectOpening opening(parts_.loop, parts_.resolver, *line.way, line.ways->settings,
                        static_cast<std::uint32_t>(random_()), parts_.tls_hooks);
  line.direct = &opening;
  Opened opened = co_await opening.run();
  line.direct = nullptr;
  const bool made = opened.has_value();
  if (made) {
    line.connection = std::move(*opened);
  } else if (opened.error().verdict.action == Action::kFail || opened.error().verdict.action == Action::kNextWay) {
    line.refused = std::move(opened.error());
  } else {
    opening_failed(line, opened.error());
  }
  for (Port25::Step step : opening.findings.steps) {
    if (step.kind != Port25::Step::kAsk) {
      port25_step(*line.ways, step);
      continue;
    }
    parts_.loop.spawn("whether anything answers",
                      look_for_evidence(line.ways, line.way->domain, opening.findings.silent));
  }
  co_return made;
}

// There is no such domain, say: nothing was wrong with the way, and all that waits for it has the same answer.
net::Awaitable<void> Courier::give_all(Line& line) {
  const OpenTrouble told = std::move(*line.refused);
  line.refused.reset();
  if (!line.stood) parts_.scheduler.slot_ready(line.id(), parts_.loop.index());
  line.stood = true;
  while (keeps(line)) {
    co_await room_for_outcomes();
    auto lease = parts_.scheduler.lease(line.id());
    if (!lease) co_return;
    queue::InHand in_hand(parts_.poison, lease->id, "");
    line.attempt.emplace(parts_, *line.ways, *line.way, *lease, std::generate_canonical<double, 32>(random_));
    std::string words = told.reason;
    Attempted attempted = co_await line.attempt->give(told.verdict, std::move(words));
    line.attempt.reset();
    if (attempted.fate == Attempted::Fate::kSettled) {
      settle(std::move(*lease), std::move(attempted.settled));
    } else if (attempted.fate == Attempted::Fate::kUnread) {
      after_unread(*lease);
    } else {
      std::vector<queue::ClassResult> ends;
      for (queue::ClassId id : lease->classes) ends.push_back({.class_id = id});
      parts_.scheduler.finish(*lease, ends, parts_.loop.index());
    }
  }
}

// What follows for all destinations. Each change is told once.
void Courier::port25_step(const Ways& ways, Port25::Step step) {
  const Port25& port25 = ways.direct->direct->port25;
  const std::string reason = port25.reason();
  switch (step.kind) {
    case Port25::Step::kClosed:
    case Port25::Step::kImpostor:
      parts_.loop.log().warning(
          step.kind == Port25::Step::kClosed ? "port25_closed" : "port25_intercepted",
          {{"reason", reason},
           {"interceptor", port25.interceptor()},
           {"cure", ways.settings.relays.empty()
                        ? "No relay is set up. One relay carries mail to every address, and you need no account at the "
                          "recipient's provider: your internet or mail provider's submission server, with your account "
                          "there. `sidegate status` shows the lines to write."
                        : "Mail goes by the next way of its route, and waits where there is none."},
           {"look_again_in", step.pause.count() / 1000}});
      [[fallthrough]];
    case Port25::Step::kStill:
      if (ways.settings.direct.through_interceptor && port25.state() == Port25::State::kIntercepted) break;
      if (!in_use(*ways.direct)) break;
      return parts_.scheduler.way_down(ways.direct->id, step.pause, reason);
    case Port25::Step::kOpen:
      parts_.loop.log().info("port25_open", {{"explanation", "Port 25 leads out again: mail goes direct."}});
      return parts_.scheduler.way_up(ways.direct->id);
    default:
      break;
  }
}

// Nothing answers on port 25: is it the port, or the whole line? A name that everybody knows tells, or any other port
// of those hosts, be it that it refuses.
net::Awaitable<void> Courier::look_for_evidence(std::shared_ptr<const Ways> ways, std::string domain,
                                                std::vector<std::string> silent) {
  constexpr Duration kPatience = 5s;
  constexpr unsigned kPorts[] = {587, 465, 443};
  bool answers = co_await parts_.resolver.can_tell(parts_.loop, std::move(domain));
  for (std::size_t i = 0; i < silent.size() && i < 3 && !answers; ++i) {
    for (unsigned port : kPorts) {
      net::Endpoint to{silent[i], port};
      auto stream = co_await net::connect(parts_.loop, std::move(to), kPatience);
      answers |= stream || stream.error().kind == ErrorKind::kRefused;
    }
  }
  port25_step(*ways, ways->direct->direct->port25.evidence(parts_.loop.clock().steady(), answers));
}

// What every way out is known to refuse for its size is refused where it comes in.
void Courier::note_size(const Line& line) {
  const std::uint64_t most = line.connection->most_octets();
  if (line.way->most_octets.exchange(most) == most) return;
  if (line.way->family) return;  // one destination's matter
  parts_.scheduler.set_sizes(ways_->largest(), ways_->smallest());
  if (parts_.learnt_size) parts_.learnt_size(*line.way);
}

// One connection from its opening to its end. kAgain: it was found dead, and the lease in hand needs another one.
net::Awaitable<Courier::Served> Courier::serve(Line& line) {
  bool opened = co_await open(line);
  if (std::exchange(line.probes, false)) line.way->probing.store(false);
  if (line.refused) co_await give_all(line);
  if (!opened) co_return Served::kEnd;
  line.carried = 0;
  line.way->standing.fetch_add(1);
  line.way->proven.store(true);
  way_good(*line.way, Phase::kAuth);
  if (!line.stood) parts_.scheduler.slot_ready(line.id(), parts_.loop.index());
  line.stood = true;
  note_size(line);
  for (;;) {
    bool leased = co_await next_lease(line);
    if (!leased) break;
    if (line.carried > 0 && line.connection->looks_dead()) co_return Served::kAgain;  // the lease stays in hand
    bool usable = co_await deliver(line, *line.connection);
    if (!usable) co_return line.attempt ? Served::kAgain : Served::kEnd;
    if (line.carried >= line.way->settings.messages_per_connection) break;
  }
  co_await line.connection->quit();
  co_return Served::kEnd;
}

// For a connection that keeps(): what a reload has said since it was opened holds for the next message.
bool Courier::take_lease(Line& line) {
  auto lease = parts_.scheduler.lease(line.id());
  if (!lease) return false;
  if (lease->charged > 0 && parts_.ledger) parts_.ledger->write();
  line.ways = ways_;
  line.attempt.emplace(parts_, *line.ways, *line.way, std::move(*lease), std::generate_canonical<double, 32>(random_));
  return true;
}

// A lease in hand, at once or after a while of sleep. False: none came, or the connection should end.
net::Awaitable<bool> Courier::next_lease(Line& line) {
  if (line.attempt) co_return true;  // from the connection before
  const queue::WayId id = line.id();
  const unsigned loop = parts_.loop.index();
  for (;;) {
    co_await room_for_outcomes();
    if (!keeps(line)) co_return false;
    if (take_lease(line)) co_return true;
    if (parts_.scheduler.is_wanted_elsewhere(id)) co_return false;
    idle_of(id).push_back(&line);  // first: idle() may wake it at once, for a message that came in this moment
    parts_.scheduler.idle(id, loop, +1);
    Parking::Why why = co_await line.parking.wait(parts_.loop, line.way->settings.timeouts.idle);
    auto& sleeping = idle_of(id);
    if (auto at = std::ranges::find(sleeping, &line); at != sleeping.end()) {  // nobody's kick: time, reload or stop
      sleeping.erase(at);
      parts_.scheduler.idle(id, loop, -1);
    }
    if (why == Parking::Why::kTimeout) {  // a message may have come in this very moment
      co_return keeps(line) && take_lease(line);
    }
  }
}

// The lease in hand over this connection. True: another message may follow on it.
net::Awaitable<bool> Courier::deliver(Line& line, Connection& connection) {
  Attempted attempted;
  {
    queue::InHand in_hand(parts_.poison, line.attempt->lease().id, line.way->settings.name);
    attempted = co_await line.attempt->run(connection, line.carried > 0);
  }
  if (attempted.fate == Attempted::Fate::kDiedIdle) co_return false;  // the lease stays in hand for a new connection
  ++line.carried;
  queue::Lease lease = line.attempt->lease();
  line.attempt.reset();
  if (had_ended(attempted.fate, lease)) co_return true;
  if (attempted.fate == Attempted::Fate::kUnread) {
    after_unread(lease);
    co_return true;
  }
  if (connection.others && (attempted.trouble || attempted.put_off)) pass_over(line, connection, attempted);
  if (attempted.answered && !attempted.trouble) way_good(*line.way, Phase::kFinal);
  // Before the lease goes back: what waits must find the way down, not this connection's place.
  if (attempted.trouble) {
    way_trouble(*line.way, attempted.trouble->verdict, attempted.trouble->phase, std::move(attempted.trouble->reason),
                true);
  }
  settle(std::move(lease), std::move(attempted.settled));
  co_return attempted.usable;
}

// RFC 5321 section 5.1: what one exchanger does not take now, another one may: it is asked the next time, and soon.
void Courier::pass_over(Line& line, const Connection& connection, Attempted& attempted) {
  Duration wait = kPassedOver;
  if (attempted.trouble) wait = std::max(wait, std::exchange(attempted.trouble->verdict.hold, Duration(0)));
  line.way->passed_over.add(connection.host, parts_.loop.clock().steady() + wait);
  line.carried = line.way->settings.messages_per_connection;  // this one has done
}

// --- health

void Courier::opening_failed(Line& line, const OpenTrouble& trouble) {
  way_trouble(*line.way, trouble.verdict, trouble.trouble.phase, trouble.reason, false);
}

// What a connection of before a reload meets says nothing of the block as it is now.
void Courier::way_trouble(Way& way, const Verdict& verdict, Phase phase, std::string reason, bool was_standing) {
  if (!in_use(way)) return;
  unsigned standing = way.standing.load();
  if (was_standing && standing > 0) --standing;
  Advice advice = way.health.trouble(parts_.loop.clock().steady(), phase, verdict.meaning, standing, verdict.hold);
  if (advice.say) {
    parts_.loop.log().warning("way_down", {{"relay", way.settings.name},
                                           {"destination", way.domain},
                                           {"scope", name(verdict.scope)},
                                           {"phase", smtp::name(phase)},
                                           {"meaning", verdict.meaning},
                                           {"reason", reason},
                                           {"cure", verdict.explanation},
                                           {"retry_in", advice.pause.count() / 1000}});
  }
  if (advice.response == Advice::Response::kGoOn) {
    parts_.loop.log().info("connection_broken",
                           {{"relay", way.settings.name}, {"phase", smtp::name(phase)}, {"reason", reason}});
  }
  if (advice.response == Advice::Response::kDown && phase < Phase::kMail) way.proven.store(false);
  if (advice.response != Advice::Response::kDown) return;
  reason += ". ";
  reason += verdict.explanation;
  if (verdict.scope != Scope::kAccount) return parts_.scheduler.way_down(way.id, advice.pause, std::move(reason));
  parts_.scheduler.account_down(way.id, advice.pause, std::move(reason),
                                verdict.spent ? std::optional<Duration>(spent_at_most(verdict)) : std::nullopt);
}

void Courier::way_good(Way& way, Phase phase) {
  if (!in_use(way) || !way.health.good(phase)) return;
  parts_.loop.log().info("way_up", {{"relay", way.settings.name}, {"destination", way.domain}});
  parts_.scheduler.way_up(way.id);
}

net::Awaitable<void> Courier::stop(Duration patience) {
  stopping_ = true;
  for_each_idle([](Line& line) { line.parking.call(); });
  const SteadyTime until = parts_.loop.clock().steady() + patience;
  bool cancelled = false;
  while (!lines_.empty() || writers_ > 0 || unwritten_->load() > 0) {
    SteadyTime now = parts_.loop.clock().steady();
    if (now >= until + kLastWait) co_return;  // what is left waits for a connect or a lookup: nothing of ours
    if (!cancelled && now >= until) {
      cancelled = true;
      for (Line* line : lines_) {
        if (line->connection) line->connection->cancel();
        if (line->opening) line->opening->cancel();
        if (line->direct) line->direct->cancel();
      }
    }
    co_await parts_.loop.sleep(kLook);
  }
}

}  // namespace sidegate::deliver
