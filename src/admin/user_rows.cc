#include "admin/user_rows.h"

#include <boost/json.hpp>

#include "admin/queue_rows.h"
#include "base/text.h"
#include "intake/user_replies.h"
#include "login/user_file.h"

namespace sidegate::admin {
namespace {

namespace json = boost::json;

const char* word(quota::Measure measure) {
  switch (measure) {
    case quota::Measure::kMessages:
      return "messages";
    case quota::Measure::kRecipients:
      return "recipients";
    case quota::Measure::kOctets:
      break;
  }
  return "bytes";
}

void add_stop(json::object& out, const quota::Stop& stop) {
  out["since"] = time_text(stop.since);
  out["by"] = stop.by_itself ? "server" : "operator";
  out["reason"] = printable(stop.reason, 1000);
}

}  // namespace

std::string user_json(const intake::UserStanding& standing) {
  json::object out{{"name", standing.name}, {"suspended", standing.stop.has_value()}};
  if (standing.stop) add_stop(out, *standing.stop);
  out["connections"] = standing.connections;
  out["usual_per_hour"] = standing.usual_per_hour;
  json::array used;
  for (const intake::UsedLimit& one : standing.used) {
    json::object limit{{"measure", word(one.limit.kind.measure)},
                       {"span", intake::span_word(one.limit.kind.span)},
                       {"used", one.used}};
    if (one.limit.most != 0) limit["limit"] = one.limit.most;
    used.push_back(std::move(limit));
  }
  out["used"] = std::move(used);
  return json::serialize(out);
}

json::object users_status(const intake::UserAccounts* users, std::uint64_t held) {
  json::array suspended;
  if (users != nullptr) {
    for (const std::string& name : *users->suspended()) {
      auto stop = users->stopped(name);
      if (!stop) continue;
      json::object one{{"name", name}};
      add_stop(one, *stop);
      suspended.push_back(std::move(one));
    }
  }
  return {{"suspended", std::move(suspended)},
          {"held", held},
          {"suspensions", users != nullptr ? users->suspensions() : 0},
          {"limited", users != nullptr ? users->limited() : 0}};
}

Result<std::string> user_name(const std::string& given) {
  std::string name = login::canonical_name(given);
  if (!name.empty()) return name;
  return fail(ErrorKind::kBadInput, printable(given, 100) + " is no name for a user");
}

std::string user_end(const std::string& name, bool suspended, bool dry_run, bool offline) {
  json::object out{{"user", name}, {"suspended", suspended}};
  if (dry_run) out["dry_run"] = true;
  if (offline) out["offline"] = true;
  return json::serialize(out);
}

Result<std::string> list_users_offline(queue::Store& store, const intake::UserSettings& settings, Clock& clock,
                                       const std::function<bool(std::string)>& on_row) {
  auto notes = store.notes(intake::kUserNotes);
  if (!notes) return std::unexpected(notes.error());
  for (const queue::Note& note : *notes) {
    auto row = quota::decode(note.value, intake::user_plan(), clock.steady(), clock.wall());
    if (!row) continue;
    const std::string name = note.key.substr(std::string_view(intake::kUserNotes).size());
    if (!on_row(user_json(intake::standing_of(name, *row, settings.of(name, row->program), clock.steady())))) break;
  }
  return json::serialize(json::object{{"users", notes->size()}, {"offline", true}});
}

Result<queue::Note> user_note(queue::Store& store, const Request& request, Clock& clock) {
  auto name = user_name(request.user);
  if (!name) return std::unexpected(name.error());
  return request.verb == Verb::kUserSuspend ? intake::suspended_note(store, *name, request.reason, clock)
                                            : intake::resumed_note(store, *name, clock);
}

}  // namespace sidegate::admin
