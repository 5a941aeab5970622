#include "admin/commands.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <set>

#include "admin/commands_walk.h"
#include "admin/tls_rows.h"
#include "admin/user_rows.h"
#include "base/text.h"
#include "queue/matches.h"

namespace sidegate::admin {
namespace {

namespace json = boost::json;

const char* store_word(queue::StoreState state) {
  switch (state) {
    case queue::StoreState::kOpen:
      return "open";
    case queue::StoreState::kLowSpace:
      return "low_space";
    case queue::StoreState::kReopening:
      return "reopening";
    case queue::StoreState::kFailed:
      return "failed";
  }
  return "failed";
}

template <typename T>
Result<T> flat(Result<Result<T>> nested) {
  if (!nested) return std::unexpected(nested.error());
  return std::move(*nested);
}

}  // namespace

Result<std::vector<QueueId>> parse_ids(const std::vector<std::string>& ids) {
  std::vector<QueueId> out;
  std::set<QueueId> seen;
  for (const std::string& text : ids) {
    auto id = QueueId::parse(text);
    if (!id)
      return bad(fmt::format("\"{}\" is not a queue id: 13 letters and digits, as `sidegate queue list` shows them",
                             printable(text, 60)));
    if (seen.insert(*id).second) out.push_back(*id);
  }
  return out;
}

bool matches(const queue::ListRow& row, const Selection& selection) {
  const mail::Envelope& e = row.message.envelope;
  if (!queue::address_matches(e.reverse_path, selection.from)) return false;
  if (selection.to.empty()) return true;
  for (std::size_t n = 0; n < e.recipients.size(); ++n) {
    if (is_pending(row, n) && queue::address_matches(e.recipients[n].address, selection.to)) return true;
  }
  return false;
}

const char* would_be(Verb verb, const queue::ListRow& row, bool leased) {
  // It ends first: what is held is held then, and nothing but `delete` goes before it.
  if (leased && verb != Verb::kDelete && verb != Verb::kHold) return "under_way";
  if (verb == Verb::kRelease && std::ranges::none_of(row.due, &queue::DueRow::held)) return "not_held";
  // Held recipients stay held, and where there is no other nothing is tried.
  if (verb == Verb::kRetry && !row.due.empty() && std::ranges::all_of(row.due, &queue::DueRow::held)) return "held";
  return "would";
}

std::string list_end(const Listed& listed, bool offline) {
  json::object end{{"messages", listed.given}};
  if (listed.more) end["more"] = true;
  json::array missing;
  for (QueueId id : listed.missing) missing.emplace_back(id.text());
  if (!missing.empty()) end["missing"] = std::move(missing);
  if (offline) end["offline"] = true;
  return json::serialize(end);
}

std::string dry_run_end(std::uint64_t matched, std::uint64_t would, bool offline) {
  json::object end{{"matched", matched}, {"changed", 0}, {"would", would}, {"dry_run", true}};
  if (offline) end["offline"] = true;
  return json::serialize(end);
}

Commands::Commands(Parts parts) : parts_(std::move(parts)), started_(parts_.loop.clock().wall()) {}

net::Awaitable<Result<std::string>> Commands::handle(Request request, RowSink& rows) {
  switch (request.verb) {
    case Verb::kStatus:
      co_return status();
    case Verb::kVersion:
      co_return json::serialize(json::object{{"version", parts_.version}});
    case Verb::kReload:
      co_return co_await reload();
    case Verb::kList:
      co_return co_await list(std::move(request), rows);
    case Verb::kShow:
      co_return co_await show(std::move(request), rows);
    case Verb::kUserList:
      co_return co_await list_users(rows);
    case Verb::kUserSuspend:
    case Verb::kUserResume:
      co_return change_user(request);
    case Verb::kStsShow:
      co_return co_await show_sts(std::move(request.domain));
    case Verb::kTlsReport:
      co_return co_await report_tls(std::move(request.domain), rows);
    default:
      co_return co_await change(std::move(request), rows);
  }
}

std::string Commands::status() const {
  queue::Totals t = parts_.scheduler.totals();
  const WallTime now = parts_.loop.clock().wall();
  // The ways of mail that stays on this machine are no relays (deliver/settings.h; no relay may be called so).
  std::vector<queue::WayStatus> relays, here;
  std::uint64_t of_suspended = 0;
  for (queue::WayStatus& way : parts_.scheduler.ways()) {
    if (way.name == kSuspendedWay) {
      of_suspended = way.ready;
      t.held += std::min<std::uint64_t>(way.ready, t.ready);
      t.ready -= std::min<std::uint64_t>(way.ready, t.ready);
      continue;
    }
    // Direct delivery is there without a block of its own; where no mail goes by it, it is nobody's relay.
    if (way.name == "direct" && way.family == queue::kNoWay && way.up && way.members == 0) continue;
    const bool decided = way.name == "discard" || way.name.starts_with("fail:");
    (decided || way.name == "local" || way.name == "lmtp" ? here : relays).push_back(std::move(way));
  }
  json::array warnings;
  if (parts_.warnings) {
    for (const std::string& warning : parts_.warnings()) warnings.emplace_back(warning);
  }
  json::array certificates;
  if (parts_.certificates) {
    for (const CertificateRow& row : parts_.certificates()) {
      certificates.push_back(json::object{{"file", row.file},
                                          {"names", json::value_from(row.names)},
                                          {"key", row.key},
                                          {"days_left", row.days_left},
                                          {"self_signed", row.self_signed}});
    }
  }
  json::array filters;
  if (parts_.filters) {
    for (const FilterRow& row : parts_.filters()) {
      json::object one{{"name", row.name}, {"address", row.address}, {"up", row.up}};
      if (!row.up) {
        one["reason"] = row.reason;
        one["since"] = time_text(row.since);
        one["failures"] = row.failures;
        one["then"] = row.then;
      }
      filters.push_back(std::move(one));
    }
  }
  json::object out{{"version", parts_.version},
                   {"pid", getpid()},
                   {"started", time_text(started_)},
                   {"uptime", std::chrono::duration_cast<std::chrono::seconds>(now - started_).count()},
                   {"config", parts_.config_path},
                   {"sandbox", parts_.sandbox},
                   {"store", store_word(parts_.store.state())},
                   {"queue", json::object{{"messages", t.messages},
                                          {"ready", t.ready},
                                          {"waiting", t.waiting},
                                          {"active", t.active},
                                          {"held", t.held},
                                          {"memory", parts_.scheduler.memory()}}},
                   {"relays", json::parse(status_json_ways(relays))},
                   {"here", json::parse(status_json_ways(here))},
                   {"advice", is_relay_needed(relays) ? kRelayNeeded
                              : leads_nowhere({})     ? kNoWayOut
                                                      : ""},
                   {"certificates", std::move(certificates)},
                   {"users", users_status(parts_.users, of_suspended)},
                   {"milters", std::move(filters)},
                   {"log_dropped", parts_.loop.log().dropped()},
                   {"warnings", std::move(warnings)}};
  return json::serialize(out);
}

// --- users

net::Awaitable<Result<std::string>> Commands::list_users(RowSink& rows) {
  std::uint64_t given = 0;
  if (parts_.users != nullptr) {
    for (const intake::UserStanding& standing : parts_.users->standings()) {
      std::string text = user_json(standing);
      auto sent = co_await rows.row(std::move(text));
      if (!sent) co_return std::unexpected(sent.error());
      ++given;
    }
  }
  co_return json::serialize(json::object{{"users", given}});
}

Result<std::string> Commands::change_user(const Request& request) {
  if (parts_.users == nullptr) return fail(ErrorKind::kConflict, "this server knows no users");
  const bool suspend = request.verb == Verb::kUserSuspend;
  auto name = user_name(request.user);
  if (!name) return std::unexpected(name.error());
  if (request.dry_run) {
    if (parts_.users->stopped(*name).has_value() == suspend)
      return std::unexpected(intake::is_so_already(*name, suspend));
  } else if (Status done = suspend ? parts_.users->suspend(*name, request.reason) : parts_.users->resume(*name);
             !done) {
    return std::unexpected(done.error());
  }
  return user_end(*name, suspend, request.dry_run, false);
}

// --- TLS of other domains

net::Awaitable<Result<std::string>> Commands::show_sts(std::string domain) {
  if (!sts_) co_return fail(ErrorKind::kConflict, "this server asks for no MTA-STS policies");
  mta_sts::Known known = co_await sts_(std::move(domain));
  co_return sts_json(known, parts_.loop.clock().wall());
}

net::Awaitable<Result<std::string>> Commands::report_tls(std::string domain, RowSink& rows) {
  std::uint64_t given = 0;
  std::vector<tlsrpt::Day> days;
  if (tls_days_) days = tls_days_(domain);
  for (const tlsrpt::Day& day : days) {
    std::string text = tlsrpt::json(day);
    auto sent = co_await rows.row(std::move(text));
    if (!sent) co_return std::unexpected(sent.error());
    ++given;
  }
  co_return json::serialize(json::object{{"days", given}});
}

net::Awaitable<Result<std::string>> Commands::reload() {
  if (!parts_.reload) co_return fail(ErrorKind::kConflict, "this server cannot reload");
  auto work = parts_.reload;
  auto nested = co_await net::on_worker(parts_.pool, std::move(work));
  auto restart = flat(std::move(nested));
  if (!restart) co_return std::unexpected(restart.error());
  co_return json::serialize(json::object{{"restart_needed", json::value_from(*restart)}});
}

// --- reading

net::Awaitable<Commands::Page> Commands::read_one(QueueId id) {
  queue::Store& store = parts_.store;
  auto work = [&store, id]() -> Page {
    auto page = store.find({}, QueueId{id.value - 1}, 1);
    if (page && !page->empty() && page->front().message.id != id) page->clear();
    return page;
  };
  auto nested = co_await net::on_worker(parts_.pool, std::move(work));
  co_return flat(std::move(nested));
}

net::Awaitable<Commands::Page> Commands::next_page(Walk& walk) {
  if (walk.by_id) {
    Page page = std::vector<queue::ListRow>{};
    if (walk.at < walk.ids.size()) {
      const QueueId id = walk.ids[walk.at++];
      page = co_await read_one(id);
    }
    walk.end = walk.at >= walk.ids.size();
    co_return page;
  }
  queue::Store& store = parts_.store;
  const queue::Filter filter{walk.selection.to, walk.selection.from};
  const QueueId after = walk.after;
  auto work = [&store, filter, after]() -> Page { return store.find(filter, after, kPage); };
  auto nested = co_await net::on_worker(parts_.pool, std::move(work));
  Page page = flat(std::move(nested));
  if (page) {
    walk.end = page->size() < kPage;
    if (!page->empty()) walk.after = page->back().message.id;
  }
  co_return page;
}

net::Awaitable<Status> Commands::learn_classes() {
  queue::Store& store = parts_.store;
  auto work = [&store]() -> Result<std::vector<queue::ClassRow>> { return store.classes(); };
  auto nested = co_await net::on_worker(parts_.pool, std::move(work));
  auto rows = flat(std::move(nested));
  if (!rows) co_return std::unexpected(rows.error());
  for (queue::ClassRow& row : *rows) classes_.insert_or_assign(row.id, std::move(row.key));
  co_return Status{};
}

// Mail of that class goes out, and there is no way for it. (What stays on this machine has a domain that begins with a
// dot: route/ways.h.)
bool Commands::leads_nowhere(const queue::ClassKey& key) const {
  return parts_.router && !key.recipient_domain.starts_with('.') && parts_.router(key).empty();
}

Live Commands::live(const queue::ListRow& row) const {
  Live live;
  live.known = true;
  live.leased = parts_.scheduler.is_leased(row.message.id);
  if (row.due.empty() || !parts_.router) return live;
  auto key = classes_.find(row.due.front().class_id);
  if (key == classes_.end()) return live;
  const std::vector<queue::WayStatus> ways = parts_.scheduler.ways_of(key->second, parts_.router(key->second));
  // The first of its ways that takes it, else the first that is up, else the one that is tried first: whichever of them
  // comes back takes the message.
  const auto rank = [](const queue::WayStatus& way) {
    const bool takes = way.up ? !way.room_at || way.waits_when_full : way.spent && way.waits_when_full;
    return takes ? 0 : way.up ? 1 : 2;
  };
  const auto order = [&](const queue::WayStatus& way) {
    return std::pair(rank(way), rank(way) == 2 ? way.again_at.value_or(WallTime{}) : WallTime{});
  };
  const auto first = std::ranges::min_element(ways, {}, order);
  const queue::WayStatus* chosen = first == ways.end() ? nullptr : &*first;
  if (chosen == nullptr && leads_nowhere(key->second)) {
    live.relay_up = false;
    live.relay_reason = kNoWayOutReason;
    live.advice = kNoWayOut;
  }
  if (chosen == nullptr) return live;
  live.suspended = chosen->name == kSuspendedWay;
  if (live.suspended) return live;
  live.relay = chosen->name;
  live.relay_up = chosen->up;
  live.relay_reason = chosen->reason;
  live.relay_again_at = chosen->again_at;
  live.relay_room_at = chosen->room_at;
  if (chosen->room_at) {
    for (const queue::UsedLimit& used : chosen->limits) {
      if (used.used >= used.limit.most) live.relay_full = limit_words(used);
    }
  }
  if (is_relay_needed(ways)) live.advice = kRelayNeeded;
  return live;
}

bool Commands::selected(const Selection& selection, const queue::ListRow& row) const {
  if (!matches(row, selection)) return false;
  return selection.relay.empty() || iequals(live(row).relay, selection.relay);
}

net::Awaitable<Result<std::string>> Commands::list(Request request, RowSink& rows) {
  auto walk = Walk::of(request.selection);
  if (!walk) co_return std::unexpected(walk.error());
  if (auto learnt = co_await learn_classes(); !learnt) co_return std::unexpected(learnt.error());
  Listed listed;
  while (!walk->end) {
    const QueueId asked = walk->asked();
    auto page = co_await next_page(*walk);
    if (!page) co_return std::unexpected(page.error());
    if (asked && page->empty()) listed.missing.push_back(asked);
    for (const queue::ListRow& row : *page) {
      if (!selected(request.selection, row)) continue;
      std::string text = list_row_json(row, live(row), parts_.loop.clock().wall());
      auto sent = co_await rows.row(std::move(text));
      if (!sent) co_return std::unexpected(sent.error());
      listed.more = ++listed.given == request.limit;
      if (listed.more) co_return list_end(listed, false);
    }
  }
  co_return list_end(listed, false);
}

net::Awaitable<Result<std::string>> Commands::show(Request request, RowSink& rows) {
  auto ids = parse_ids(request.selection.ids);
  if (!ids) co_return std::unexpected(ids.error());
  if (ids->empty()) co_return bad("queue show needs a queue id");
  if (auto learnt = co_await learn_classes(); !learnt) co_return std::unexpected(learnt.error());
  for (QueueId id : *ids) {
    auto page = co_await read_one(id);
    if (!page) co_return std::unexpected(page.error());
    if (page->empty())
      co_return fail(ErrorKind::kNotFound, fmt::format("there is no message {} in the queue", id.text()));
    queue::Store& store = parts_.store;
    auto work = [&store, id]() -> Result<std::vector<queue::AttemptRow>> { return store.attempts(id); };
    auto nested = co_await net::on_worker(parts_.pool, std::move(work));
    auto attempts = flat(std::move(nested));
    if (!attempts) co_return std::unexpected(attempts.error());
    const queue::ListRow& row = page->front();
    std::string text = show_json(row, *attempts, live(row), parts_.loop.clock().wall(), parts_.sender_rule);
    auto sent = co_await rows.row(std::move(text));
    if (!sent) co_return std::unexpected(sent.error());
  }
  co_return json::serialize(json::object{{"messages", ids->size()}});
}

}  // namespace sidegate::admin
