#include "cli/machine_findings.h"

#include <algorithm>

#include "alias/check.h"
#include "base/i18n.h"
#include "base/text.h"
#include "cli/alias_reading.h"
#include "doctor/look_machine.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;
using doctor::Finding;
using doctor::Findings;
using doctor::Mark;

std::string text(const json::object& from, const char* key) {
  const json::value* value = from.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string().c_str()) : std::string();
}

bool is_true(const json::object& from, const char* key) {
  const json::value* value = from.if_contains(key);
  return value != nullptr && value->is_bool() && value->as_bool();
}

template <typename Fn>
void for_each_object(const json::object& from, const char* key, Fn fn) {
  const json::value* list = from.if_contains(key);
  if (list == nullptr || !list->is_array()) return;
  for (const json::value& value : list->as_array()) {
    if (value.is_object()) fn(value.as_object());
  }
}

std::vector<tls::Identity> identities_of(const config::Settings& settings) {
  std::vector<tls::Identity> out;
  auto add = [&out](const std::vector<tls::Identity>& more) {
    for (const tls::Identity& one : more) {
      if (std::ranges::find(out, one.cert_file, &tls::Identity::cert_file) == out.end()) out.push_back(one);
    }
  };
  add(settings.tls.identities);
  for (const intake::ListenerSettings& l : settings.listeners) add(l.certificates);
  return out;
}

void add_aliases(const config::Settings& settings, Findings& out) {
  AliasReading reading(settings);
  const alias::Problems problems = alias::check_duty(settings.alias, reading.tables(), reading.sources());
  for (const alias::Problem& problem : problems) {
    // Root's own mailbox is where such mail always went; that it is refused or lost is another thing.
    const bool stays =
        problem.what == _("mail for root stays in root's mailbox on this machine, where hardly anyone looks");
    out.push_back({"root_alias", stays ? Mark::kNote : Mark::kWarning, problem.what, {}, problem.next});
  }
  if (problems.empty())
    out.push_back({"root_alias", Mark::kGood, _("root and postmaster: their mail leads to somebody")});
}

Finding way_down(const json::object& way, bool others_work) {
  const std::string name = text(way, "name"), destination = text(way, "destination");
  Finding f{"way", Mark::kWarning};
  f.details = {{"way", name}};
  if (!destination.empty()) f.details.emplace_back("destination", destination);
  f.text = destination.empty() ? tr("way out {}: down", printable(name, 100))
                               : tr("way out {} to {}: down", printable(name, 100), printable(destination, 200));
  f.why = printable(text(way, "reason"), 400);
  f.next = name == "direct" ? std::string(_("sidegate doctor")) : tr("sidegate relay test {}", printable(name, 100));
  // Port 25 closed is the usual state of home lines: no fault while another way works.
  if (name == "direct" && others_work) f.mark = Mark::kNote;
  return f;
}

void add_ways(const json::object& status, Findings& out) {
  bool works = false;
  for_each_object(status, "relays",
                  [&](const json::object& way) { works |= is_true(way, "up") && text(way, "destination").empty(); });
  for_each_object(status, "relays", [&](const json::object& way) {
    const std::string name = printable(text(way, "name"), 100);
    if (!is_true(way, "up")) out.push_back(way_down(way, works));
    if (!is_true(way, "full")) return;
    Finding f{"limit", Mark::kWarning, tr("relay {}: a limit is reached", name)};
    f.details = {{"way", name}};
    f.why = text(way, "when_full") == "next" ? _("mail goes by the next relay, or waits") : _("mail waits");
    if (const std::string at = text(way, "room_at"); !at.empty()) f.why += "; " + tr("there is room at {}", at);
    f.next = _("nothing to do; limits stand in [[relay]]");
    out.push_back(std::move(f));
  });
  for_each_object(status, "here", [&](const json::object& way) {
    const std::string name = text(way, "name");
    if (is_true(way, "up")) return;
    out.push_back({"way",
                   Mark::kWarning,
                   tr("delivery {}: down", printable(name, 100)),
                   printable(text(way, "reason"), 400),
                   _("sidegate config check"),
                   {{"way", name}}});
  });
  const std::string advice = text(status, "advice");
  if (advice == "no-way-out")
    out.push_back({"way_out",
                   Mark::kWrong,
                   _("no relay is set up and direct delivery is switched off: mail waits"),
                   {},
                   _("sidegate doctor")});
  if (advice == "relay-needed")
    out.push_back({"way_out",
                   Mark::kWarning,
                   _("port 25 is closed here and no relay is set up: mail waits"),
                   {},
                   _("sidegate doctor")});
}

}  // namespace

Findings machine_findings(const config::Settings& settings, WallTime now) {
  Findings out;
  std::vector<doctor::CertificateSeen> certificates;
  for (const tls::Identity& identity : identities_of(settings))
    certificates.push_back(doctor::look_at_certificate(identity, settings.hostname, now));
  out = doctor::judge_certificates(certificates, settings.hostname);
  add_aliases(settings, out);
  out.push_back(doctor::judge_disk(doctor::look_at_disk(settings.store.path, settings.store.min_free_space)));
  out.push_back(doctor::judge_clock(doctor::look_at_clock(now)));
  return out;
}

admin::Request oldest_message() {
  admin::Request request;
  request.verb = admin::Verb::kList;
  request.limit = 1;  // in the order of their ids: of their age
  return request;
}

void take_oldest(doctor::QueueSeen& seen, const std::string& row, WallTime now) {
  boost::system::error_code error;
  const json::value value = json::parse(row, error);
  if (error || !value.is_object()) return;
  auto id = QueueId::parse(text(value.as_object(), "id"));
  if (!id) return;
  seen.oldest_id = id->text();
  seen.oldest_reason = text(value.as_object(), "reason");
  seen.oldest_seconds =
      std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(now - id->time()).count());
}

Findings server_findings(const json::object& status) {
  Findings out;
  if (const std::string store = text(status, "store"); !store.empty() && store != "open")
    out.push_back({"store",
                   Mark::kWrong,
                   tr("store: {}", printable(store, 100)),
                   _("new mail is answered with 451 until it is open again"),
                   _("journalctl -u sidegate"),
                   {}});
  add_ways(status, out);
  for_each_object(status, "milters", [&](const json::object& filter) {
    if (is_true(filter, "up")) return;
    const std::string name = text(filter, "name");
    out.push_back({"milter",
                   Mark::kWarning,
                   tr("filter {}: down", printable(name, 100)),
                   printable(text(filter, "reason"), 400),
                   _("look at that filter's own log"),
                   {{"name", name}}});
  });
  if (const json::value* users = status.if_contains("users"); users != nullptr && users->is_object()) {
    for_each_object(users->as_object(), "suspended", [&](const json::object& user) {
      const std::string name = text(user, "name");
      out.push_back({"suspended",
                     Mark::kWarning,
                     tr("user {}: suspended", printable(name, 100)),
                     printable(text(user, "reason"), 400),
                     tr("sidegate user resume {}", printable(name, 100)),
                     {{"user", name}}});
    });
  }
  return out;
}

}  // namespace sidegate::cli
