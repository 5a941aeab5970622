// The commands that change messages: retry, hold, release and delete.
#include <boost/json.hpp>

#include "admin/commands.h"
#include "admin/commands_walk.h"
#include "base/text.h"
#include "queue/await_commit.h"

namespace sidegate::admin {
namespace {

namespace json = boost::json;

// How long `hold` waits for an attempt under way before it says that it will be held at its end.
constexpr Duration kBusyRound{250};
constexpr unsigned kBusyRounds = 4;

}  // namespace

net::Awaitable<Status> Commands::commit(queue::Change change) {
  co_return co_await queue::commit(parts_.store, std::move(change));
}

net::Awaitable<Result<std::string>> Commands::change(Request request, RowSink& rows) {
  if (request.selection.empty()) co_return bad("say which messages: queue ids, or --all, --to, --from, --relay");
  auto walk = Walk::of(request.selection);
  if (!walk) co_return std::unexpected(walk.error());
  if (auto learnt = co_await learn_classes(); !learnt) co_return std::unexpected(learnt.error());
  if (!request.selection.relay.empty() && std::ranges::none_of(parts_.scheduler.ways(), [&](const auto& way) {
        return iequals(way.name, request.selection.relay);
      })) {
    co_return fail(ErrorKind::kNotFound,
                   fmt::format("there is no relay \"{}\"", printable(request.selection.relay, 100)));
  }
  std::uint64_t matched = 0, changed = 0, would = 0;
  while (!walk->end) {
    const QueueId asked = walk->asked();
    auto page = co_await next_page(*walk);
    if (!page) co_return std::unexpected(page.error());
    if (asked && page->empty()) {
      auto sent = co_await rows.row(action_json(asked, "not_found", nullptr));
      if (!sent) co_return std::unexpected(sent.error());
    }
    for (const queue::ListRow& row : *page) {
      if (!selected(request.selection, row)) continue;
      ++matched;
      const QueueId id = row.message.id;
      const bool leased = parts_.scheduler.is_leased(id);
      const char* result = would_be(request.verb, row, leased);
      if (!request.dry_run) result = co_await apply(request.verb, row);
      const std::string_view word = result;
      would += word == "would";
      changed += word == "done" || word == "done_under_way" || word == "done_later";
      auto sent = co_await rows.row(action_json(id, result, &row));
      if (!sent) co_return std::unexpected(sent.error());
    }
  }
  if (request.dry_run) co_return dry_run_end(matched, would, false);
  co_return json::serialize(json::object{{"matched", matched}, {"changed", changed}, {"dry_run", false}});
}

net::Awaitable<const char*> Commands::apply(Verb verb, const queue::ListRow& row) {
  const QueueId id = row.message.id;
  if (verb == Verb::kRetry) {
    // The due time on disk stays as it is: after a crash the message is tried then, at the latest.
    const char* hindered = would_be(verb, row, parts_.scheduler.is_leased(id));
    if (std::string_view(hindered) != "would") co_return hindered;
    parts_.scheduler.retry_now(id);
    co_return "done";
  }
  if (verb == Verb::kDelete) {
    const bool leased = parts_.scheduler.is_leased(id);
    parts_.scheduler.remove(id);
    queue::Change change = queue::Remove{id};
    auto removed = co_await commit(std::move(change));
    if (!removed) co_return removed.error().kind == ErrorKind::kNotFound ? "not_found" : "failed";
    co_return leased ? "done_under_way" : "done";
  }
  if (verb == Verb::kHold) co_return co_await hold(id);
  co_return co_await release(id);
}

// In the schedule first, so that no attempt begins; then on disk, so that it outlives a restart. An attempt under way
// writes its own rows: ours are written after its end, and who asks is not kept waiting for a slow one.
net::Awaitable<const char*> Commands::hold(QueueId id) {
  parts_.scheduler.hold(id, true);
  for (unsigned round = 0; round < kBusyRounds && parts_.scheduler.is_leased(id); ++round)
    co_await parts_.loop.sleep(kBusyRound);
  if (!parts_.scheduler.is_leased(id)) co_return co_await write_held(id, true);
  if (hold_later_.insert(id).second) parts_.loop.spawn("hold", hold_at_end(id));
  co_return "done_later";
}

net::Awaitable<void> Commands::hold_at_end(QueueId id) {
  while (hold_later_.contains(id) && parts_.scheduler.is_leased(id)) co_await parts_.loop.sleep(kBusyRound);
  if (hold_later_.erase(id) == 0) co_return;  // released meanwhile
  const std::string_view result = co_await write_held(id, true);
  if (result == "failed")
    parts_.loop.log().error(
        "queue_hold_failed",
        {{"id", id.text()}, {"consequence", "it is not held"}, {"next", "sidegate queue hold " + id.text()}});
}

net::Awaitable<const char*> Commands::release(QueueId id) {
  if (hold_later_.erase(id) != 0) parts_.scheduler.hold(id, false);
  if (parts_.scheduler.is_leased(id)) co_return "under_way";
  const char* result = co_await write_held(id, false);
  if (std::string_view(result) == "done" || std::string_view(result) == "not_held") parts_.scheduler.hold(id, false);
  if (std::string_view(result) == "done") parts_.scheduler.retry_now(id);
  co_return result;
}

// Where it cannot be written nothing is held: the schedule says what the disk says.
net::Awaitable<const char*> Commands::write_held(QueueId id, bool held) {
  auto page = co_await read_one(id);
  if (!page) co_return "failed";
  if (page->empty()) co_return "not_found";  // delivered meanwhile
  queue::Outcome outcome;
  outcome.id = id;
  for (queue::DueRow due : page->front().due) {
    if (due.held == held) continue;
    due.held = held;
    if (!held) due.due = parts_.loop.clock().wall();
    outcome.due.push_back(due);
  }
  if (outcome.due.empty()) co_return held ? "done" : "not_held";
  queue::Change change = std::move(outcome);
  auto written = co_await commit(std::move(change));
  if (written) co_return "done";
  if (held) parts_.scheduler.hold(id, false);
  co_return written.error().kind == ErrorKind::kNotFound ? "not_found" : "failed";
}

}  // namespace sidegate::admin
