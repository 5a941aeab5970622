#include "cli/queue_text.h"

#include <boost/json.hpp>

#include "admin/queue_rows.h"
#include "base/i18n.h"
#include "base/text.h"
#include "provider/meanings.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;

json::object object_of(const std::string& text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  return error || !value.is_object() ? json::object{} : value.as_object();
}

std::string text(const json::object& from, const char* key) {
  const json::value* value = from.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string().c_str(), value->as_string().size())
                                                : std::string();
}

std::uint64_t number(const json::object& from, const char* key) {
  const json::value* value = from.if_contains(key);
  boost::system::error_code error;
  std::uint64_t n = value == nullptr ? 0 : value->to_number<std::uint64_t>(error);
  return error ? 0 : n;
}

bool truth(const json::object& from, const char* key) {
  const json::value* value = from.if_contains(key);
  return value != nullptr && value->is_bool() && value->as_bool();
}

std::vector<std::string> texts(const json::object& from, const char* key) {
  std::vector<std::string> out;
  const json::value* value = from.if_contains(key);
  if (value == nullptr || !value->is_array()) return out;
  for (const json::value& item : value->as_array()) {
    if (item.is_string()) out.emplace_back(item.as_string().c_str(), item.as_string().size());
  }
  return out;
}

std::string state_words(const std::string& state) {
  if (state == "active") return _("under way");
  if (state == "held") return _("held");
  if (state == "waiting") return _("relay down");
  if (state == "limited") return _("at limit");
  if (state == "deferred") return _("deferred");
  return _("ready");
}

std::string recipients_words(const json::object& row) {
  std::vector<std::string> to = texts(row, "to");
  if (to.empty()) return {};
  return to.size() == 1 ? to[0] : tr("{} and {} more", to[0], to.size() - 1);
}

std::string sender_words(const json::object& row) {
  std::string from = text(row, "from");
  return from.empty() ? "<>" : from;
}

struct Columns {
  std::size_t id = 13, age = 5, size = 9, state = 10, from = 0, to = 0;
};

Columns columns(std::size_t width) {
  Columns c;
  const std::size_t fixed = c.id + c.age + c.size + c.state + 5 * 2;
  const std::size_t rest = width > fixed + 20 ? width - fixed : width == 0 ? 60 : 20;
  c.from = rest / 2;
  c.to = rest - c.from;
  return c;
}

// Without a terminal nothing is cut: programs and files get whole addresses.
std::string cell(std::string_view text, std::size_t columns, std::size_t width) {
  if (width != 0) return padded(text, columns);
  std::string out(text);
  const std::size_t used = display_width(out);
  if (used < columns) out.append(columns - used, ' ');
  return out;
}

long long age(const std::string& id, WallTime now) {
  auto parsed = QueueId::parse(id);
  return parsed ? std::chrono::duration_cast<std::chrono::seconds>(now - parsed->time()).count() : 0;
}

void line(std::string& out, const char* label, const std::string& value) {
  if (!value.empty()) out += fmt::format("  {}: {}\n", _(label), value);
}

std::string recipient_line(const json::object& r) {
  std::string state = text(r, "state");
  std::string words = state == "delivered" ? _("delivered") : state == "failed" ? _("failed") : _("pending");
  std::string out = fmt::format("  {}  {}", words, text(r, "address"));
  if (truth(r, "uncertain")) out += fmt::format("  ({})", _("uncertain: it may have been delivered"));
  out += "\n";
  if (std::string reply = text(r, "last_reply"); !reply.empty())
    out += fmt::format("      {} {}\n", text(r, "last_host"), reply);
  return out;
}

// The last one also says what its meaning means and what to do.
std::string try_lines(const json::object& a, bool last) {
  std::string out =
      fmt::format("  {}  {} {}  {}\n", text(a, "at"), text(a, "relay"), text(a, "address"), text(a, "phase"));
  if (std::string reply = text(a, "reply"); !reply.empty()) out += fmt::format("      {}\n", reply);
  if (std::string meaning = text(a, "meaning"); !meaning.empty())
    out += fmt::format("      {}: {}\n", _("meaning"), meaning);
  const provider::Facts* facts = last ? provider::facts_of_word(text(a, "meaning")) : nullptr;
  if (facts != nullptr) out += fmt::format("      {}\n", facts->explanation);
  if (std::string rule = text(a, "rule"); last && !rule.empty()) out += fmt::format("      {}: {}\n", _("write"), rule);
  if (std::string tls = text(a, "tls"); !tls.empty()) out += fmt::format("      TLS: {}\n", tls);
  if (truth(a, "uncertain")) out += fmt::format("      {}\n", _("uncertain: the final reply was lost"));
  if (std::string next = text(a, "next"); !next.empty()) out += fmt::format("      {}: {}\n", _("next try"), next);
  return out;
}

const char* action_words(admin::Verb verb, const std::string& result) {
  if (result == "not_found") return N_("is not in the queue");
  if (result == "not_held") return N_("was not held");
  if (result == "held") return N_("stays held; `sidegate queue release` lets it go");
  if (result == "under_way") return N_("is being delivered just now");
  if (result == "done_later") return N_("held as soon as the attempt under way has ended");
  if (result == "done_under_way") return N_("deleted; the attempt under way may still deliver it");
  if (result == "failed") return N_("could not be changed: the queue did not take it");
  const bool would = result == "would";
  switch (verb) {
    case admin::Verb::kRetry:
      return would ? N_("would be tried now") : N_("is tried now");
    case admin::Verb::kHold:
      return would ? N_("would be held") : N_("is held");
    case admin::Verb::kRelease:
      return would ? N_("would be released") : N_("is released");
    default:
      return would ? N_("would be deleted") : N_("is deleted");
  }
}

}  // namespace

std::string list_heading(std::size_t width) {
  const Columns c = columns(width);
  return cut(fmt::format("{}  {}  {}  {}  {}  {}", padded(_("ID"), c.id), padded(_("AGE"), c.age),
                         padded(_("SIZE"), c.size), padded(_("STATE"), c.state), padded(_("FROM"), c.from), _("TO")),
             width);
}

std::string list_text(const Terminal& t, const std::string& row, WallTime now) {
  const json::object o = object_of(row);
  const Columns c = columns(t.width);
  const std::string id = text(o, "id"), state = text(o, "state");
  const Colour colour = state == "held" || state == "waiting" ? Colour::kYellow : Colour::kNone;
  std::string out = fmt::format(
      "{}  {}  {}  {}  {}  {}\n", padded(id, c.id), padded(age_words(age(id, now)), c.age),
      padded(size_words(number(o, "size")), c.size), t.in(colour, padded(state_words(state), c.state)),
      cell(sender_words(o), c.from, t.width), t.width == 0 ? recipients_words(o) : cut(recipients_words(o), c.to));
  std::string reason = text(o, "reason"), next = text(o, "next");
  if (state == "deferred" && !next.empty())
    reason = fmt::format("{}{}{}: {}", reason, reason.empty() ? "" : "; ", _("next try"), next);
  if (!reason.empty()) out += t.in(Colour::kDim, cut("    " + reason, t.width)) + "\n";
  return out;
}

std::string relay_needed_text(std::string_view advice) {
  if (advice != admin::kRelayNeeded && advice != admin::kNoWayOut) return {};
  const bool closed = advice == admin::kRelayNeeded;
  std::string out = closed ? _("Port 25 leads nowhere from here, and no relay is set up.")
                           : _("No relay is set up, and direct delivery is switched off ([direct] enabled = false).");
  out += "\n";
  if (closed) out += std::string(_("Most home and cloud networks close port 25.")) + " ";
  out +=
      _("One relay carries mail to every address, and you need no account "
        "at the recipient's provider: the submission server of your internet or mail provider, with your account "
        "there.");
  out += "\n";
  out += _("Write into the configuration, then run `sidegate reload`:");
  // No translation: it is to be pasted.
  out +=
      "\n\n    [[relay]]\n    name = \"isp\"\n    host = \"smtp.isp.example\"\n    port = 587\n"
      "    user = \"me@isp.example\"\n    password_file = \"/etc/sidegate/isp.password\"\n\n";
  return out;
}

std::string show_text(const Terminal& t, const std::string& row) {
  const json::object o = object_of(row);
  std::string out = t.in(Colour::kBold, text(o, "id")) + "  " + state_words(text(o, "state")) + "\n";
  line(out, N_("arrived"), text(o, "arrived"));
  line(out, N_("from"), sender_words(o));
  line(out, N_("size"), size_words(number(o, "size")));
  line(out, N_("message id"), text(o, "message_id"));
  line(out, N_("client"), text(o, "client"));
  line(out, N_("user"), text(o, "user"));
  line(out, N_("listener"), text(o, "listener"));
  line(out, N_("relay"), text(o, "relay"));
  line(out, N_("relay is down"), text(o, "relay_down"));
  line(out, N_("relay is tried again"), text(o, "relay_again_at"));
  line(out, N_("the account's limit is reached"), text(o, "relay_full"));
  line(out, N_("room again"), text(o, "relay_room_at"));
  out += relay_needed_text(text(o, "advice"));
  line(out, N_("next try"), text(o, "next"));
  out += fmt::format("{}\n", _("recipients:"));
  if (const json::value* list = o.if_contains("recipients"); list != nullptr && list->is_array()) {
    for (const json::value& r : list->as_array()) out += r.is_object() ? recipient_line(r.as_object()) : "";
  }
  const json::value* tries = o.if_contains("tries");
  if (tries == nullptr || !tries->is_array() || tries->as_array().empty())
    return out + _("no attempt that counts was made yet") + "\n";
  out += fmt::format("{}\n", _("attempts:"));
  for (const json::value& a : tries->as_array())
    out += a.is_object() ? try_lines(a.as_object(), &a == &tries->as_array().back()) : "";
  return out;
}

std::string action_text(const Terminal& t, admin::Verb verb, const std::string& row) {
  const json::object o = object_of(row);
  std::string who =
      text(o, "result") == "not_found" ? "" : fmt::format("  ({} -> {})", sender_words(o), recipients_words(o));
  return cut(fmt::format("{}  {}{}", text(o, "id"), _(action_words(verb, text(o, "result"))), who), t.width) + "\n";
}

std::string summary_text(admin::Verb verb, const std::string& done) {
  const json::object o = object_of(done);
  if (verb == admin::Verb::kShow) return {};
  if (verb != admin::Verb::kList) {
    const std::uint64_t would = number(o, "would"), matched = number(o, "matched");
    return (truth(o, "dry_run") ? trn("{} message would be changed; nothing was",
                                      "{} messages would be changed; nothing was", would, would)
                                : trn("{} message chosen, {} changed", "{} messages chosen, {} changed", matched,
                                      matched, number(o, "changed"))) +
           "\n";
  }
  const std::uint64_t n = number(o, "messages");
  if (n == 0) return std::string(_("no messages")) + "\n";
  return (truth(o, "more") ? trn("{} message shown, there are more", "{} messages shown, there are more", n, n)
                           : trn("{} message", "{} messages", n, n)) +
         "\n";
}

std::string result_of(const std::string& row) {
  return text(object_of(row), "result");
}

std::vector<std::string> missing_of(const std::string& done) {
  return texts(object_of(done), "missing");
}

}  // namespace sidegate::cli
