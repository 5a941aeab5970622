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

// What a change would do: the same rows as the server's, from the disk.
Result<std::string> rehearse(queue::Store& store, const Request& request, const std::vector<QueueId>& ids,
                             const std::function<bool(std::string)>& on_row) {
  std::uint64_t matched = 0, would = 0;
  auto tell = [&](const queue::ListRow& row) {
    if (!matches(row, request.selection)) return true;
    ++matched;
    const char* result = would_be(request.verb, row, false);
    would += std::string_view(result) == "would";
    return on_row(action_json(row.message.id, result, &row));
  };
  for (QueueId id : ids) {
    auto row = read_one(store, id);
    const bool missing = !row && row.error().kind == ErrorKind::kNotFound;
    if (!row && !missing) return std::unexpected(row.error());
    if (missing ? !on_row(action_json(id, "not_found", nullptr)) : !tell(*row)) break;
  }
  if (!ids.empty()) return dry_run_end(matched, would, true);
  for (QueueId after{};;) {
    auto page = store.find({request.selection.to, request.selection.from}, after, kPage);
    if (!page) return std::unexpected(page.error());
    for (const queue::ListRow& row : *page) {
      if (!tell(row)) return dry_run_end(matched, would, true);
    }
    if (page->size() < kPage) return dry_run_end(matched, would, true);
    after = page->back().message.id;
  }
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
  std::uint64_t given = 0;
  const queue::Filter filter{request.selection.to, request.selection.from};
  for (QueueId after{};;) {
    auto page = store.find(filter, after, kPage);
    if (!page) return std::unexpected(page.error());
    for (const queue::ListRow& row : *page) {
      if (!ids->empty() && std::ranges::find(*ids, row.message.id) == ids->end()) continue;
      if (!matches(row, request.selection)) continue;
      if (!on_row(list_row_json(row, {}, now))) break;
      ++given;
      if (request.limit != 0 && given >= request.limit)
        return json::serialize(json::object{{"messages", given}, {"more", true}, {"offline", true}});
    }
    if (page->size() < kPage) break;
    after = page->back().message.id;
  }
  return json::serialize(json::object{{"messages", given}, {"offline", true}});
}

}  // namespace sidegate::admin
