// `sidegate explain sts` and `sidegate tls report`: what other domains ask of TLS, and how sessions with them went. The
// server is asked; where none answers, the queue on disk.
#include <boost/json.hpp>

#include "admin/tls_rows.h"
#include "base/i18n.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/server.h"
#include "mail/mailbox.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;

std::string shown(const json::value& value, std::size_t most) {
  return printable({value.as_string().data(), value.as_string().size()}, most);
}

std::string text(const json::object& from, const char* key) {
  const json::value* value = from.if_contains(key);
  return value != nullptr && value->is_string() ? shown(*value, 500) : std::string();
}

std::int64_t number(const json::object& from, const char* key) {
  const json::value* value = from.if_contains(key);
  boost::system::error_code error;
  const std::int64_t n = value == nullptr ? 0 : value->to_number<std::int64_t>(error);
  return error ? 0 : n;
}

const json::object* object(const json::object& from, const char* key) {
  const json::value* value = from.if_contains(key);
  return value != nullptr && value->is_object() ? &value->as_object() : nullptr;
}

std::string list(const json::object& from, const char* key) {
  const json::value* value = from.if_contains(key);
  std::string out;
  if (value == nullptr || !value->is_array()) return out;
  for (const json::value& one : value->as_array()) {
    if (one.is_string()) out += (out.empty() ? "" : ", ") + shown(one, 300);
  }
  return out;
}

std::optional<json::object> parsed(const std::string& line) {
  boost::system::error_code error;
  json::value value = json::parse(line, error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

// The server's answer, or what `offline` makes of the queue on disk. An exit code, where there is neither.
using Answer = std::expected<std::string, int>;
Answer ask(const Context& context, const admin::Request& request, const std::function<bool(std::string)>& on_row,
           const std::function<Result<std::string>(queue::Store&)>& offline) {
  auto asked = ask_server(context, request, on_row);
  if (asked) return std::move(*asked);
  if (!server_is_down(asked.error()) || !context.hooks.open_queue)
    return std::unexpected(report_server(context, asked.error()));
  auto loaded = context.load(false, false);
  if (!loaded) return std::unexpected(EX_CONFIG);
  auto store = context.hooks.open_queue(loaded->settings.store.path);
  if (!store) {
    report_server(context, asked.error());
    return std::unexpected(
        report(context, store.error(), _("the queue on disk could not be read either: its owner or root can")));
  }
  if (!context.common.json) context.terminal.warning(_("the server is down: this is the queue on disk, read only"));
  auto read = offline(**store);
  if (!read) return std::unexpected(report(context, read.error()));
  return std::move(*read);
}

std::string mode_words(const std::string& mode) {
  if (mode == "enforce") return _("enforce: only to the hosts listed, with a valid certificate");
  if (mode == "testing") return _("testing: mail goes as without a policy, and failures are counted");
  return _("none: as without a policy");
}

void print_sts(const Terminal& t, const json::object& sts) {
  t.out << t.in(Colour::kBold, text(sts, "domain")) << "\n";
  if (const json::object* record = object(sts, "record"))
    t.out << "  " << tr("record: id {}", text(*record, "id")) << "\n";
  else if (const std::string why = text(sts, "record_trouble"); !why.empty())
    t.out << "  " << tr("record: {}", why) << "\n";
  if (const json::object* policy = object(sts, "policy")) {
    t.out << "  " << tr("policy: {}", mode_words(text(*policy, "mode"))) << "\n";
    if (const std::string hosts = list(*policy, "mx"); !hosts.empty()) t.out << "  " << tr("hosts: {}", hosts) << "\n";
    t.out << "  "
          << tr("fetched {} ago with id {}; holds until {}", age_words(number(*policy, "age")), text(*policy, "id"),
                text(*policy, "expires"))
          << "\n";
  } else {
    t.out << "  " << _("policy: none is in force") << "\n";
  }
  if (const json::object* trouble = object(sts, "trouble"))
    t.out << "  " << t.in(Colour::kYellow, tr("not fetched: {}", text(*trouble, "reason"))) << "\n";
}

// One line a policy of a day, and one below it for each kind of failure.
void add_day(std::vector<std::vector<std::string>>& rows, const json::object& day) {
  const json::value* policies = day.if_contains("policies");
  if (policies == nullptr || !policies->is_array()) return;
  for (const json::value& one : policies->as_array()) {
    if (!one.is_object()) continue;
    const json::object* policy = object(one.as_object(), "policy");
    const json::object* summary = object(one.as_object(), "summary");
    if (policy == nullptr || summary == nullptr) continue;
    std::string why;
    const json::value* details = one.as_object().if_contains("failure-details");
    if (details != nullptr && details->is_array()) {
      for (const json::value& detail : details->as_array()) {
        if (!detail.is_object()) continue;
        const json::object& d = detail.as_object();
        why += fmt::format("{}{} {} ({})", why.empty() ? "" : "; ", number(d, "failed-session-count"),
                           text(d, "result-type"), text(d, "receiving-mx-hostname"));
      }
    }
    rows.push_back({text(day, "date"), text(day, "domain"), text(*policy, "policy-type"),
                    fmt::format("{}", number(*summary, "total-successful-session-count")),
                    fmt::format("{}", number(*summary, "total-failure-session-count")), why});
  }
}

}  // namespace

int explain_sts_command(const Context& context, const std::string& domain) {
  std::string asked = lower(domain);
  if (const std::size_t at = asked.rfind('@'); at != std::string::npos) asked.erase(0, at + 1);
  if (!mail::is_domain(asked, false)) {
    context.terminal.error(tr("{} is no domain", printable(domain, 300)));
    return EX_DATAERR;
  }
  admin::Request request{.verb = admin::Verb::kStsShow, .selection = {}};
  request.domain = asked;
  const WallTime now = context.clock().wall();
  auto answer = ask(
      context, request, [](std::string) { return true; },
      [&](queue::Store& store) { return admin::show_sts_offline(store, asked, now); });
  if (!answer) return answer.error();
  if (context.common.json) {
    context.terminal.out << *answer << "\n";
    return EX_OK;
  }
  auto sts = parsed(*answer);
  if (!sts) return report(context, {ErrorKind::kProtocol, _("the server's answer is not understood")});
  print_sts(context.terminal, *sts);
  return EX_OK;
}

int tls_report_command(const Context& context, const std::string& domain) {
  admin::Request request{.verb = admin::Verb::kTlsReport, .selection = {}};
  request.domain = lower(domain);
  std::vector<std::vector<std::string>> rows;
  auto take = [&](const std::string& row) {
    if (context.common.json) {
      context.terminal.out << row << "\n";
    } else if (auto day = parsed(row)) {
      add_day(rows, *day);
    }
    return context.terminal.out.good();
  };
  const WallTime now = context.clock().wall();
  auto answer = ask(context, request, take,
                    [&](queue::Store& store) { return admin::report_tls_offline(store, request.domain, now, take); });
  if (!answer) return answer.error();
  if (context.common.json) return EX_OK;
  if (rows.empty())
    context.terminal.out << _("no session with another domain's server has been counted") << "\n";
  else
    context.terminal.out << table({_("DAY"), _("DOMAIN"), _("POLICY"), _("GOOD"), _("FAILED"), _("FAILURES")}, rows,
                                  context.terminal.width);
  return EX_OK;
}

}  // namespace sidegate::cli
