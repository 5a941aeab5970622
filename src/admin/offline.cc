#include "admin/offline.h"

#include <boost/json.hpp>

#include "admin/commands.h"
#include "admin/queue_rows.h"
#include "base/i18n.h"

namespace sidegate::admin {
namespace {

namespace json = boost::json;

Result<queue::ListRow> read_one(queue::Store& store, QueueId id) {
  auto page = store.find({}, QueueId{id.value - 1}, 1);
  if (!page) return std::unexpected(page.error());
  if (page->empty() || page->front().message.id != id)
    return fail(ErrorKind::kNotFound, fmt::format("there is no message {} in the queue", id.text()));
  return std::move(page->front());
}

Result<std::string> show(queue::Store& store, const std::vector<QueueId>& ids, WallTime now,
                         const std::function<bool(std::string)>& on_row, const SenderRule& rule) {
  for (QueueId id : ids) {
    auto row = read_one(store, id);
    if (!row) return std::unexpected(row.error());
    auto attempts = store.attempts(id);
    if (!attempts) return std::unexpected(attempts.error());
    if (!on_row(show_json(*row, *attempts, {}, now, rule))) break;
  }
  return json::serialize(json::object{{"messages", ids.size()}, {"offline", true}});
}

// Those with these ids, or else the whole queue page by page; until one of the two says false.
Status walk(queue::Store& store, const Selection& selection, const std::vector<QueueId>& ids,
            const std::function<bool(const queue::ListRow&)>& on_row, const std::function<bool(QueueId)>& on_missing) {
  for (QueueId id : ids) {
    auto row = read_one(store, id);
    const bool missing = !row && row.error().kind == ErrorKind::kNotFound;
    if (!row && !missing) return std::unexpected(row.error());
    if (missing ? !on_missing(id) : matches(*row, selection) && !on_row(*row)) return {};
  }
  if (!ids.empty()) return {};
  for (QueueId after{};;) {
    auto page = store.find({selection.to, selection.from}, after, kPage);
    if (!page) return std::unexpected(page.error());
    for (const queue::ListRow& row : *page) {
      if (matches(row, selection) && !on_row(row)) return {};
    }
    if (page->size() < kPage) return {};
    after = page->back().message.id;
  }
}

// What a change would do: the same rows as the server's, from the disk.
Result<std::string> rehearse(queue::Store& store, const Request& request, const std::vector<QueueId>& ids,
                             const std::function<bool(std::string)>& on_row) {
  std::uint64_t matched = 0, would = 0;
  const auto tell = [&](const queue::ListRow& row) {
    ++matched;
    const char* result = would_be(request.verb, row, false);
    would += std::string_view(result) == "would";
    return on_row(action_json(row.message.id, result, &row));
  };
  const auto missing = [&](QueueId id) { return on_row(action_json(id, "not_found", nullptr)); };
  if (auto done = walk(store, request.selection, ids, tell, missing); !done) return std::unexpected(done.error());
  return dry_run_end(matched, would, true);
}

Result<std::string> list(queue::Store& store, const Request& request, const std::vector<QueueId>& ids, WallTime now,
                         const std::function<bool(std::string)>& on_row) {
  Listed listed;
  const auto tell = [&](const queue::ListRow& row) {
    if (!on_row(list_row_json(row, {}, now))) return false;
    listed.more = ++listed.given == request.limit;
    return !listed.more;
  };
  const auto missing = [&](QueueId id) {
    listed.missing.push_back(id);
    return true;
  };
  if (auto done = walk(store, request.selection, ids, tell, missing); !done) return std::unexpected(done.error());
  return list_end(listed, true);
}

}  // namespace

Result<std::string> read_offline(queue::Store& store, const Request& request, WallTime now,
                                 const std::function<bool(std::string)>& on_row, const SenderRule& rule) {
  const bool rehearsal = writes(request.verb) && request.verb != Verb::kReload && request.dry_run;
  if (!rehearsal && request.verb != Verb::kList && request.verb != Verb::kShow)
    return fail(ErrorKind::kConflict, "this needs the running server");
  if (!request.selection.relay.empty())
    return fail(ErrorKind::kConflict, "--relay needs the running server: it knows the way that a message takes");
  auto ids = parse_ids(request.selection.ids);
  if (!ids) return std::unexpected(ids.error());
  if (rehearsal) return rehearse(store, request, *ids, on_row);
  if (request.verb == Verb::kShow) return show(store, *ids, now, on_row, rule);
  return list(store, request, *ids, now, on_row);
}

}  // namespace sidegate::admin
