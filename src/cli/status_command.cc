#include <boost/json.hpp>

#include "admin/control_client.h"
#include "base/i18n.h"
#include "cli/commands.h"
#include "cli/finding_text.h"
#include "cli/machine_findings.h"
#include "cli/queue_text.h"
#include "cli/server.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;

std::string text(const json::object& from, const char* key) {
  const json::value* value = from.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string().c_str()) : std::string();
}

std::uint64_t number(const json::object& from, const char* key) {
  const json::value* value = from.if_contains(key);
  boost::system::error_code error;
  std::uint64_t n = value == nullptr ? 0 : value->to_number<std::uint64_t>(error);
  return error ? 0 : n;
}

const json::object& object(const json::object& from, const char* key) {
  static const json::object kNone;
  const json::value* value = from.if_contains(key);
  return value != nullptr && value->is_object() ? value->as_object() : kNone;
}

void print_relays(const Terminal& t, const json::object& status) {
  std::vector<std::vector<std::string>> rows;
  auto add = [&](const json::value& value, bool even_if_idle) {
    if (!value.is_object()) return;
    const json::object& r = value.as_object();
    const bool up = r.contains("up") && r.at("up").is_bool() && r.at("up").as_bool();
    if (!even_if_idle && up && number(r, "ready") == 0 && number(r, "connections") == 0) return;
    const std::string destination = text(r, "destination");
    rows.push_back({text(r, "name") + (destination.empty() ? "" : ": " + destination), up ? _("up") : _("down"),
                    fmt::format("{}", number(r, "connections")), fmt::format("{}", number(r, "ready")),
                    text(r, "again_at"), text(r, "reason")});
  };
  for (const char* list : {"relays", "here"}) {
    const json::value* ways = status.if_contains(list);
    if (ways == nullptr || !ways->is_array()) continue;
    for (const json::value& value : ways->as_array()) add(value, list[0] == 'r');
  }
  if (rows.empty()) return;
  t.out << "\n"
        << table({_("RELAY"), _("STATE"), _("CONNECTIONS"), _("READY"), _("NEXT TRY"), _("REASON")}, rows, t.width);
}

// What the relays' accounts have used of their limits.
void print_limits(const Terminal& t, const json::object& status) {
  std::vector<std::vector<std::string>> rows;
  const json::value* relays = status.if_contains("relays");
  if (relays == nullptr || !relays->is_array()) return;
  for (const json::value& value : relays->as_array()) {
    if (!value.is_object()) continue;
    const json::object& relay = value.as_object();
    for (const auto& [name, limit] : object(relay, "limits")) {
      if (!limit.is_object()) continue;
      const std::uint64_t used = number(limit.as_object(), "used"), most = number(limit.as_object(), "limit");
      const std::string room = used < most ? std::string() : text(relay, "room_at");
      const std::string then = used < most                          ? std::string()
                               : text(relay, "when_full") == "next" ? _("mail goes by the next relay, or waits")
                                                                    : _("mail waits");
      rows.push_back(
          {text(relay, "name"), std::string(name), fmt::format("{}", used), fmt::format("{}", most), room, then});
    }
  }
  if (rows.empty()) return;
  t.out << "\n" << table({_("RELAY"), _("LIMIT"), _("USED"), _("OF"), _("ROOM AT"), _("MEANWHILE")}, rows, t.width);
}

void print_filters(const Terminal& t, const json::object& status) {
  const json::value* list = status.if_contains("milters");
  if (list == nullptr || !list->is_array()) return;
  std::vector<std::vector<std::string>> rows;
  for (const json::value& value : list->as_array()) {
    if (!value.is_object()) continue;
    const json::object& m = value.as_object();
    const bool up = m.contains("up") && m.at("up").is_bool() && m.at("up").as_bool();
    const std::string then = text(m, "then");
    rows.push_back({text(m, "name"), up ? _("up") : _("down"), text(m, "address"), text(m, "since"),
                    then == "tempfail"     ? _("clients are told to come again")
                    : then == "accept"     ? _("mail passes unseen by it")
                    : then == "quarantine" ? _("mail is held")
                                           : "",
                    text(m, "reason")});
  }
  if (rows.empty()) return;
  t.out << "\n"
        << table({_("MILTER"), _("STATE"), _("ADDRESS"), _("SINCE"), _("MEANWHILE"), _("REASON")}, rows, t.width);
}

void print_certificates(const Terminal& t, const json::object& status) {
  const json::value* list = status.if_contains("certificates");
  if (list == nullptr || !list->is_array()) return;
  std::vector<std::vector<std::string>> rows;
  for (const json::value& value : list->as_array()) {
    if (!value.is_object()) continue;
    const json::object& c = value.as_object();
    std::string names;
    if (const json::value* all = c.if_contains("names"); all != nullptr && all->is_array()) {
      for (const json::value& name : all->as_array())
        names += (names.empty() ? "" : ", ") + (name.is_string() ? std::string(name.as_string().c_str()) : "");
    }
    const json::value* days = c.if_contains("days_left");
    const std::int64_t left = days != nullptr && days->is_int64() ? days->as_int64() : 0;
    rows.push_back({names, text(c, "key"), fmt::format("{}", left), text(c, "file")});
  }
  if (rows.empty()) return;
  t.out << "\n" << table({_("CERTIFICATE"), _("KEY"), _("DAYS LEFT"), _("FILE")}, rows, t.width);
}

void print_users(const Terminal& t, const json::object& status) {
  const json::object& users = object(status, "users");
  const json::value* list = users.if_contains("suspended");
  if (list == nullptr || !list->is_array() || list->as_array().empty()) return;
  std::vector<std::vector<std::string>> rows;
  for (const json::value& value : list->as_array()) {
    if (!value.is_object()) continue;
    const json::object& user = value.as_object();
    rows.push_back({text(user, "name"), text(user, "since"),
                    text(user, "by") == "server" ? _("the server") : _("an operator"), text(user, "reason")});
  }
  t.out << "\n"
        << t.in(Colour::kRed, tr("suspended users: {}; {} of their messages wait (sidegate user resume NAME)",
                                 rows.size(), number(users, "held")))
        << "\n"
        << table({_("USER"), _("SINCE"), _("BY"), _("REASON")}, rows, t.width);
}

void print_status(const Terminal& t, const json::object& s) {
  const json::object& q = object(s, "queue");
  t.out << tr("Sidegate {}, process {}, up {} ({})", text(s, "version"), number(s, "pid"),
              age_words(static_cast<long long>(number(s, "uptime"))), text(s, "config"))
        << "\n";
  if (const std::string sandbox = text(s, "sandbox"); !sandbox.empty()) t.out << tr("sandbox: {}", sandbox) << "\n";
  const std::string store = text(s, "store");
  t.out << trn("queue: {} message; {} ready, {} waiting for its time, {} under way, {} held",
               "queue: {} messages; {} ready, {} waiting for their time, {} under way, {} held", number(q, "messages"),
               number(q, "messages"), number(q, "ready"), number(q, "waiting"), number(q, "active"), number(q, "held"))
        << "\n";
  if (store != "open") t.out << t.in(Colour::kRed, tr("store: {}", store)) << "\n";
  if (std::uint64_t dropped = number(s, "log_dropped"); dropped != 0)
    t.out << t.in(Colour::kYellow, trn("log: {} line dropped because the reader was too slow",
                                       "log: {} lines dropped because the reader was too slow", dropped, dropped))
          << "\n";
  print_relays(t, s);
  print_limits(t, s);
  if (const std::string needed = relay_needed_text(text(s, "advice")); !needed.empty()) t.out << "\n" << needed;
  print_filters(t, s);
  print_certificates(t, s);
  print_users(t, s);
  const json::value* warnings = s.if_contains("warnings");
  if (warnings == nullptr || !warnings->is_array()) return;
  for (const json::value& warning : warnings->as_array()) {
    if (warning.is_string()) t.out << t.in(Colour::kYellow, _("warning: ")) << warning.as_string().c_str() << "\n";
  }
}

// The settings as far as who asks may read them; nothing: not at all.
std::optional<config::Settings> settings_of(const Context& context) {
  config::LoadRequest request = context.request();
  request.open_files = false;  // no password is wanted here
  auto loaded = config::load(request);
  if (!loaded) return std::nullopt;
  return std::move(loaded->settings);
}

// Doctor's verdict in short: what the server knows, and what this machine tells without asking anybody. Of all that,
// what somebody should see to.
doctor::Findings what_is_wrong(const Context& context, const json::object& status) {
  doctor::Findings all = server_findings(status);
  if (const auto settings = settings_of(context)) {
    const WallTime now = context.clock().wall();
    doctor::QueueSeen queue{.known = true, .running = true, .messages = number(object(status, "queue"), "messages")};
    queue.lifetime_seconds = std::chrono::duration_cast<std::chrono::seconds>(settings->schedule.lifetime).count();
    auto take = [&](std::string row) {
      take_oldest(queue, row, now);
      return true;
    };
    if (queue.messages > 0) (void)ask_server(context, oldest_message(), take);
    all.push_back(doctor::judge_queue(queue));
    for (doctor::Finding& f : machine_findings(*settings, now)) all.push_back(std::move(f));
  }
  std::erase_if(all, [](const doctor::Finding& f) { return f.mark < doctor::Mark::kWarning; });
  return all;
}

void print_findings(const Terminal& t, const doctor::Findings& findings) {
  t.out << "\n";
  if (findings.empty())
    t.out << _("checks: nothing is wrong here (sidegate doctor looks at the network and the relays too)") << "\n";
  for (const doctor::Finding& f : findings) t.out << finding_text(t, f);
}

}  // namespace

int status_command(const Context& context) {
  const auto no_rows = [](std::string) { return true; };
  auto answer = ask_server(context, {.verb = admin::Verb::kStatus, .selection = {}}, no_rows);
  if (!answer) return report_server(context, answer.error());
  boost::system::error_code error;
  json::value value = json::parse(*answer, error);
  if (error || !value.is_object())
    return report(context, {ErrorKind::kProtocol, _("the server's answer is not understood")});
  json::object& status = value.as_object();
  const doctor::Findings findings = what_is_wrong(context, status);
  if (context.common.json) {
    json::array checks;
    for (const doctor::Finding& f : findings) checks.push_back(json::parse(doctor::finding_json(f)));
    status["checks"] = std::move(checks);
    status["worst"] = doctor::word(doctor::worst(findings));
    context.terminal.out << json::serialize(status) << "\n";
    return EX_OK;
  }
  print_status(context.terminal, status);
  print_findings(context.terminal, findings);
  return EX_OK;
}

int reload_command(const Context& context) {
  auto answer = ask_server(context, {.verb = admin::Verb::kReload, .selection = {}}, [](std::string) { return true; });
  if (!answer) {
    int code = report_server(context, answer.error());
    return answer.error().kind == ErrorKind::kBadInput ? EX_CONFIG : code;
  }
  if (context.common.json) {
    context.terminal.out << *answer << "\n";
    return EX_OK;
  }
  boost::system::error_code error;
  json::value value = json::parse(*answer, error);
  context.terminal.out << _("loaded again") << "\n";
  if (error || !value.is_object()) return EX_OK;
  const json::value* keys = value.as_object().if_contains("restart_needed");
  if (keys == nullptr || !keys->is_array()) return EX_OK;
  for (const json::value& key : keys->as_array())
    context.terminal.out << tr("{} takes effect after a restart", key.is_string() ? key.as_string().c_str() : "")
                         << "\n";
  return EX_OK;
}

int version_command(const Context& context) {
  if (context.common.json)
    context.terminal.out << json::serialize(json::object{{"version", context.hooks.version}}) << "\n";
  else
    context.terminal.out << "sidegate " << context.hooks.version << "\n";
  return EX_OK;
}

int run_command(const Context& context) {
  auto loaded = context.load(true, false);  // what is wrong, in the reader's language
  if (!loaded) return EX_CONFIG;
  if (!context.hooks.run) return EX_SOFTWARE;
  speak_no_language();
  // The log will hold the warnings, and has the words of the source.
  if (!loaded->warnings.empty()) loaded = context.load(true, false);
  if (!loaded) return EX_CONFIG;
  return context.hooks.run(context.request(), std::move(*loaded));
}

}  // namespace sidegate::cli
