// `sidegate explain route`: the table that the server routes with, asked rule by rule. Works while the server is down;
// what is known of the ways' health comes from the server, if it answers.
#include <algorithm>
#include <boost/json.hpp>

#include "base/i18n.h"
#include "base/text.h"
#include "cli/alias_reading.h"
#include "cli/commands.h"
#include "cli/rewrite_words.h"
#include "cli/server.h"
#include "deliver/way.h"
#include "mail/idna.h"
#include "mail/mailbox.h"
#include "route/refusal.h"
#include "route/ways.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;
using route::Misfit;
using route::Rule;

struct Step {
  std::string rule;  // "route 2"
  bool fits = false, decides = false;
  Misfit misfit = Misfit::kNone;
  std::string why;
};

// What happens before routing: to all of the mail, and to the recipient.
struct Arrival {
  std::string from, to;  // as canonical maps have them
  rewrite::Steps of_from, of_to;
  Resolution found;
};

struct Explained {
  mail::Recipient recipient;
  queue::ClassKey key;
  std::vector<Step> steps;
  const Rule* decided = nullptr;
  std::vector<std::string> ways;
  json::object health;  // way -> its row of the server's status
  bool server = false;
};

std::string rule_name(const Rule& rule) {
  switch (rule.whom) {
    case Rule::For::kRoute:
      return fmt::format("route {}", rule.block);
    case Rule::For::kDomain:
      return fmt::format("relay_domain {}", rule.domain);
    case Rule::For::kLeaves:
    case Rule::For::kAll:
      return "default";
    case Rule::For::kStays:
    case Rule::For::kMailboxes:
      return "local";
  }
  return "default";
}

std::string list_words(const std::vector<std::string>& list) {
  return printable(fmt::format("{}", fmt::join(list, ", ")), 300);
}

// Why a rule does not fit: what it asks for, and what this message has.
std::string misfit_words(const Rule& rule, Misfit misfit, const queue::ClassKey& key) {
  const route::RouteConditions& wanted = rule.conditions.written();
  auto shown = [](const std::string& text) { return text.empty() ? std::string("\"\"") : printable(text, 300); };
  switch (misfit) {
    case Misfit::kNone:
      return _("everything fits");
    case Misfit::kSender:
      return tr("the sender {} is none of: {}", key.sender.empty() ? "<>" : printable(key.sender, 300),
                list_words(wanted.senders));
    case Misfit::kRecipient:
      return tr("the recipient's domain {} is none of: {}", shown(key.recipient_domain), list_words(wanted.recipients));
    case Misfit::kUser:
      return tr("the user {} is none of: {}", shown(key.user), list_words(wanted.users));
    case Misfit::kListener:
      return tr("the listener {} is none of: {}", shown(key.listener), list_words(wanted.listeners));
  }
  return {};
}

Step step_of(const Rule& rule, const queue::ClassKey& key) {
  Step step;
  step.rule = rule_name(rule);
  step.fits = rule.fits(key);
  if (rule.whom == Rule::For::kRoute) {
    step.misfit = rule.conditions.misfit(key);
    step.why = route::is_local(key) ? _("the mail stays on this machine") : misfit_words(rule, step.misfit, key);
  } else if (rule.whom == Rule::For::kDomain) {
    step.why = step.fits ? tr("{} goes on to its own next hop", rule.domain) : tr("is for {}", rule.domain);
  } else {
    step.why = step.fits ? _("no other rule is for it") : _("is for other mail");
  }
  return step;
}

Explained explain(const deliver::Ways& ways, const mail::Envelope& envelope, const mail::Origin& origin,
                  mail::Recipient recipient) {
  Explained e;
  e.key = route::class_key(envelope, origin, recipient);
  e.recipient = std::move(recipient);
  e.decided = ways.table.rule_at_entry(e.key);
  const Rule* leads = ways.table.rule(e.key);  // the same, but where that one holds
  for (const Rule& rule : ways.table.rules()) {
    const bool of_local = rule.whom == Rule::For::kStays || rule.whom == Rule::For::kMailboxes;
    if (of_local && !rule.fits(e.key)) continue;
    e.steps.push_back(step_of(rule, e.key));
    e.steps.back().decides = &rule == e.decided;
    if (e.steps.back().fits && rule.leads_out && leads && leads->whom == Rule::For::kDomain)
      e.steps.back().why = _("everything fits, but mail for a relay domain goes to its own next hop");
    if (&rule == leads) break;
  }
  if (leads) {
    for (queue::WayId id : leads->ways) e.ways.push_back(ways.list.at(id)->settings.name);
  }
  return e;
}

void ask_health(const Context& context, Explained& e) {
  auto answer = ask_server(context, {.verb = admin::Verb::kStatus, .selection = {}}, [](std::string) { return true; });
  if (!answer) return;
  boost::system::error_code error;
  json::value value = json::parse(*answer, error);
  if (error || !value.is_object()) return;
  e.server = true;
  for (const char* list : {"relays", "here"}) {
    const json::value* rows = value.as_object().if_contains(list);
    if (rows == nullptr || !rows->is_array()) continue;
    for (const json::value& row : rows->as_array()) {
      const json::value* name = row.is_object() ? row.as_object().if_contains("name") : nullptr;
      // A row for one destination of a family is another destination's business.
      const json::value* to = row.is_object() ? row.as_object().if_contains("destination") : nullptr;
      if (to != nullptr && (!to->is_string() || to->as_string() != e.key.recipient_domain)) continue;
      if (name != nullptr && name->is_string()) e.health[name->as_string()] = row;
    }
  }
}

const char* action_name(const Explained& e, const deliver::DeliverSettings& settings) {
  if (e.decided == nullptr) return "wait";
  if (e.decided->whom != Rule::For::kRoute) return "ways";
  switch (settings.routes.at(e.decided->block - 1).action) {
    case deliver::RouteAction::kWays:
      return "ways";
    case deliver::RouteAction::kDiscard:
      return "discard";
    case deliver::RouteAction::kHold:
      return "hold";
    case deliver::RouteAction::kFail:
      return "fail";
    case deliver::RouteAction::kLocal:
      return "local";
    case deliver::RouteAction::kLmtp:
      return "lmtp";
  }
  return "ways";
}

std::string text_of(const Explained& e, const deliver::DeliverSettings& settings) {
  if (e.decided == nullptr || e.decided->whom != Rule::For::kRoute) return {};
  const deliver::RouteSettings& route = settings.routes.at(e.decided->block - 1);
  if (route.action != deliver::RouteAction::kFail) return {};
  auto refusal = route::read_refusal(route.text);
  return refusal ? refusal->text() : std::string();
}

bool is_up(const json::object& row) {
  const json::value* up = row.if_contains("up");
  return up == nullptr || !up->is_bool() || up->as_bool();
}

std::string member(const json::object& row, const char* key) {
  const json::value* value = row.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string().c_str()) : std::string();
}

deliver::TlsPolicy tls_of(const Explained& e, const deliver::DeliverSettings& settings) {
  return deliver::configured_policy(settings.direct.tls, settings.direct.tls_rules,
                                    mail::dns_form(e.key.recipient_domain));
}

// What the certificate must be for; of the other levels nothing.
std::vector<std::string> names_of(const deliver::TlsPolicy& policy, const std::string& domain) {
  using enum deliver::TlsLevel;
  if (policy.level != kVerify && policy.level != kSecure) return {};
  std::vector<std::string> names = deliver::names_to_match(policy, domain, "(MX)");
  for (std::string& name : names) {
    if (name == "(mx)") name = _("the name in the MX record");
  }
  return names;
}

void print_tls(const Terminal& t, const deliver::TlsPolicy& policy, const std::string& domain, bool published) {
  t.out << tr("TLS with the mail servers of {}: {} ({})", domain, deliver::name(policy.level), policy.where) << "\n";
  if (const auto names = names_of(policy, domain); !names.empty())
    t.out << "   " << tr("with a certificate for: {}", list_words(names)) << "\n";
  if (published)
    t.out << "   " << tr("what it publishes by MTA-STS goes before that: sidegate explain sts {}", domain) << "\n";
}

void print(const Terminal& t, const Explained& e, const deliver::DeliverSettings& settings) {
  for (const Step& step : e.steps) {
    std::string mark = step.fits ? t.in(Colour::kGreen, _("fits")) : std::string(_("no"));
    t.out << step.rule << ": " << mark << ": " << step.why << "\n";
  }
  const std::string action = action_name(e, settings);
  if (action == "discard") t.out << "-> " << _("it is taken and thrown away") << "\n";
  if (action == "hold") t.out << "-> " << _("it is held until `sidegate queue release`, and goes then:") << "\n";
  if (action == "fail") t.out << "-> " << tr("it is refused: {}", text_of(e, settings)) << "\n";
  if (action == "discard" || action == "fail") return;
  if (e.ways.empty()) {
    t.out << "-> " << _("no way out: it waits until there is a [[relay]]") << "\n";
    return;
  }
  for (std::size_t i = 0; i < e.ways.size(); ++i) {
    std::string line = fmt::format("{}. {}", i + 1, e.ways[i]);
    const json::value* row = e.health.if_contains(e.ways[i]);
    if (row != nullptr) {
      const json::object& r = row->as_object();
      line += is_up(r) ? std::string(_(": up")) : tr(": down: {}", printable(member(r, "reason"), 300));
      if (const std::string again = member(r, "again_at"); !is_up(r) && !again.empty())
        line += " " + tr("(next try {})", again);
      if (const std::string room = member(r, "room_at"); !room.empty())
        line += ", " + tr("its limits are used up until {}", room);
    }
    t.out << "-> " << line << "\n";
  }
  if (const auto policy = tls_of(e, settings); std::ranges::find(e.ways, deliver::kDirectWay) != e.ways.end())
    print_tls(t, policy, e.key.recipient_domain, settings.direct.mta_sts && policy.gives_way());
  if (!e.server) t.out << _("the server does not answer: how the ways are is not known") << "\n";
}

void print_json(const Terminal& t, const Arrival& arrival, const Explained& e,
                const deliver::DeliverSettings& settings) {
  json::array rules, ways;
  for (const Step& step : e.steps) {
    json::object one{{"rule", step.rule}, {"fits", step.fits}, {"decides", step.decides}, {"why", step.why}};
    if (step.misfit != Misfit::kNone) one["condition"] = route::name(step.misfit);
    rules.push_back(std::move(one));
  }
  for (const std::string& name : e.ways) {
    json::object one{{"name", name}};
    if (const json::value* row = e.health.if_contains(name)) {
      one["up"] = is_up(row->as_object());
      for (const char* key : {"reason", "again_at", "room_at"}) {
        if (const std::string text = member(row->as_object(), key); !text.empty()) one[key] = text;
      }
    }
    ways.push_back(std::move(one));
  }
  json::object out{{"from", e.key.sender},
                   {"to", e.recipient.address},
                   {"destination", destination_name(e.recipient.destination)},
                   {"target", e.recipient.target},
                   {"coming_in", json::object{{"from", as_json(arrival.of_from)}, {"to", as_json(arrival.of_to)}}},
                   {"domain", e.key.recipient_domain},
                   {"user", e.key.user},
                   {"listener", e.key.listener},
                   {"rules", std::move(rules)},
                   {"rule", e.decided ? rule_name(*e.decided) : std::string()},
                   {"action", action_name(e, settings)},
                   {"ways", std::move(ways)},
                   {"server", e.server ? "up" : "down"}};
  if (const std::string text = text_of(e, settings); !text.empty()) out["text"] = text;
  if (std::ranges::find(e.ways, deliver::kDirectWay) != e.ways.end()) {
    const deliver::TlsPolicy policy = tls_of(e, settings);
    json::object tls{{"level", deliver::name(policy.level)}, {"why", policy.why}, {"where", policy.where}};
    if (auto names = names_of(policy, e.key.recipient_domain); !names.empty()) tls["match"] = json::value_from(names);
    tls["mta_sts"] = settings.direct.mta_sts && policy.gives_way();
    out["tls"] = std::move(tls);
  }
  t.out << json::serialize(out) << "\n";
}

// The end of an address, where that is another one than it was.
std::string end_words(const mail::Recipient& end) {
  if (end.destination == mail::Destination::kRoute) return printable(end.address, 300);
  return end.target.empty() ? destination_name(end.destination)
                            : fmt::format("{} {}", destination_name(end.destination), printable(end.target, 300));
}

void print_arrival(const Terminal& t, const Arrival& arrival) {
  if (arrival.of_from.empty() && arrival.of_to.empty()) return;
  t.out << t.in(Colour::kBold, _("as it comes in")) << "\n";
  print_steps(t, "MAIL FROM", arrival.of_from);
  print_steps(t, "RCPT TO", arrival.of_to);
}

// Nothing goes anywhere: RCPT has said no.
int say_refused(const Context& context, const Arrival& arrival) {
  const bool unknown = arrival.found.expansion.fate == alias::Fate::kUnknown;
  const std::string reply = unknown ? "550 5.1.1" : "451 4.3.0";
  if (context.common.json) {
    json::object out{{"from", arrival.from}, {"to", arrival.to}, {"rules", json::array()}, {"rule", ""},
                     {"action", "refuse"},   {"reply", reply},   {"ways", json::array()}};
    context.terminal.out << json::serialize(out) << "\n";
  } else {
    context.terminal.out << (unknown ? tr("refused at RCPT: {}", reply) : tr("asked to try again at RCPT: {}", reply))
                         << "\n";
  }
  return unknown ? EX_NOUSER : EX_TEMPFAIL;
}

}  // namespace

int explain_route_command(const Context& context, const ExplainRoute& what) {
  config::LoadRequest request = context.request();
  request.open_files = false;
  request.open_maps = true;
  auto loaded = config::load(request);
  if (!loaded) {
    for (const config::Problem& problem : loaded.error()) context.terminal.error(problem.text());
    return EX_CONFIG;
  }
  const config::Settings& settings = loaded->settings;
  Arrival arrival;
  arrival.from = what.from == "<>" ? std::string() : what.from;
  arrival.to = what.to;
  if (arrival.to.find('@') == std::string::npos) arrival.to += "@" + settings.hostname;
  if (!arrival.from.empty() && arrival.from.find('@') == std::string::npos) arrival.from += "@" + settings.hostname;
  for (const std::string& address : {arrival.from, arrival.to}) {
    if (address.empty() || mail::is_mailbox(address, true)) continue;
    context.terminal.error(tr("{} is no mail address", printable(address, 300)));
    return EX_DATAERR;
  }
  if (!what.listener.empty()) {
    std::vector<std::string> names;
    for (const auto& listener : settings.all_listeners()) names.push_back(listener.name);
    if (std::ranges::find(names, "submit") == names.end()) names.emplace_back("submit");
    if (std::ranges::find(names, what.listener) == names.end()) {
      context.terminal.error(tr("there is no listener {}", printable(what.listener, 100)),
                             tr("the listeners are: {}", fmt::format("{}", fmt::join(names, ", "))));
      return EX_DATAERR;
    }
  }
  if (settings.incoming) {
    arrival.from = settings.incoming->apply(arrival.from, rewrite::kEnvelopeSender, &arrival.of_from);
    arrival.to = settings.incoming->apply(arrival.to, rewrite::kEnvelopeRecipient, &arrival.of_to);
  }
  AliasReading reading(settings);
  arrival.found = resolve_address(settings, reading, arrival.to);
  if (!context.common.json) print_arrival(context.terminal, arrival);
  if (arrival.found.ends.empty() && arrival.found.expansion.fate != alias::Fate::kResolved)
    return say_refused(context, arrival);
  auto ways = deliver::Ways::make(settings.deliver);
  mail::Envelope envelope;
  envelope.reverse_path = arrival.from;
  mail::Origin origin;
  origin.user = what.user;
  origin.listener = what.listener;
  for (const mail::Recipient& end : arrival.found.ends) {
    Explained e = explain(*ways, envelope, origin, end);
    ask_health(context, e);
    if (context.common.json) {
      print_json(context.terminal, arrival, e, settings.deliver);
      continue;
    }
    if (arrival.found.ends.size() > 1 || end_words(end) != arrival.to)
      context.terminal.out << context.terminal.in(Colour::kBold,
                                                  tr("{} leads to {}", printable(arrival.to, 300), end_words(end)))
                           << "\n";
    print(context.terminal, e, settings.deliver);
  }
  return EX_OK;
}

}  // namespace sidegate::cli
