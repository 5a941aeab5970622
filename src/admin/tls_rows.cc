#include "admin/tls_rows.h"

#include <boost/json.hpp>

#include "admin/queue_rows.h"
#include "base/text.h"
#include "deliver/tls_ledger.h"

namespace sidegate::admin {
namespace {

namespace json = boost::json;

json::object policy_json(const mta_sts::Known& known, WallTime now) {
  const mta_sts::InForce& in_force = known.in_force;
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - in_force.fetched).count();
  return {{"mode", name(in_force.policy->mode)},         {"mx", json::value_from(in_force.policy->mx)},
          {"max_age", in_force.policy->max_age.count()}, {"id", in_force.id},
          {"fetched", time_text(in_force.fetched)},      {"age", std::max<std::int64_t>(age, 0)},
          {"expires", time_text(known.expires)}};
}

}  // namespace

std::string sts_json(const mta_sts::Known& known, WallTime now) {
  json::object out{{"domain", known.domain}};
  if (!known.record.empty()) out["record"] = json::object{{"id", known.record}};
  if (!known.record_trouble.empty()) out["record_trouble"] = known.record_trouble;
  if (known.in_force.policy) out["policy"] = policy_json(known, now);
  if (const auto& trouble = known.in_force.trouble)
    out["trouble"] = json::object{{"failure", name(trouble->failure)}, {"reason", trouble->text}};
  out["in_force"] = known.in_force.policy ? name(known.in_force.policy->mode) : "none";
  return json::serialize(out);
}

Result<std::string> show_sts_offline(queue::Store& store, const std::string& domain, WallTime now) {
  const std::string key = deliver::kStsNotes + lower(domain);
  auto notes = store.notes(key);
  if (!notes) return std::unexpected(notes.error());
  mta_sts::Known known;
  known.domain = lower(domain);
  for (const queue::Note& note : *notes) {
    auto entry = note.key == key ? mta_sts::decode(note.value) : std::nullopt;
    if (!entry || entry->expires() <= now) continue;
    known.expires = entry->expires();
    known.in_force = {.policy = entry->policy, .id = entry->id, .fetched = entry->fetched, .trouble = {}};
  }
  return sts_json(known, now);
}

Result<std::string> report_tls_offline(queue::Store& store, const std::string& domain, WallTime now,
                                       const std::function<bool(std::string)>& on_row) {
  auto notes = store.notes(deliver::kReportNotes);
  if (!notes) return std::unexpected(notes.error());
  tlsrpt::Counters counters;
  for (const queue::Note& note : *notes)
    counters.restore(note.key.substr(std::string_view(deliver::kReportNotes).size()), note.value, now);
  std::uint64_t given = 0;
  for (const tlsrpt::Day& day : counters.days(domain)) {
    if (!on_row(tlsrpt::json(day))) break;
    ++given;
  }
  return json::serialize(json::object{{"days", given}, {"offline", true}});
}

}  // namespace sidegate::admin
