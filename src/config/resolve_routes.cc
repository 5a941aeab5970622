// [[route]] blocks: do their patterns read, and are there such ways?
#include "base/i18n.h"
#include "base/text.h"
#include "config/option_checks.h"
#include "config/resolve.h"
#include "route/refusal.h"

namespace sidegate::config {
namespace {

using deliver::RouteAction;
using deliver::RouteSettings;
using route::RouteConditions;

void check_patterns(Draft& draft, std::size_t i, const RouteSettings& block) {
  struct List {
    const char* key;
    RouteConditions one;
  } lists[] = {{"sender", {block.conditions.senders, {}, {}, {}}},
               {"recipient", {{}, block.conditions.recipients, {}, {}}},
               {"user", {{}, {}, block.conditions.users, {}}},
               {"listener", {{}, {}, {}, block.conditions.listeners}}};
  for (const List& list : lists) {
    auto made = route::Conditions::make(list.one);
    if (!made) draft.error(draft.where("route", i, list.key), fmt::format("{}: {}", list.key, made.error().text));
  }
}

void check_listeners(Draft& draft, std::size_t i, const RouteSettings& block) {
  std::vector<std::string> names;
  for (const auto& listener : draft.loaded.settings.all_listeners()) names.push_back(listener.name);
  if (std::ranges::find(names, "submit") == names.end()) names.emplace_back("submit");
  std::vector<std::string_view> known(names.begin(), names.end());
  for (const std::string& name : block.conditions.listeners) {
    if (std::ranges::find(known, name) != known.end()) continue;
    std::string_view near = suggest(name, known);
    draft.error(draft.where("route", i, "listener"), tr("there is no listener {}", quoted(printable(name, 100))),
                near.empty() ? tr("the listeners are: {}", fmt::format("{}", fmt::join(known, ", ")))
                             : tr("did you mean {}?", quoted(near)));
  }
}

void check_ways(Draft& draft, std::size_t i, const RouteSettings& block) {
  const Where where = draft.where("route", i, "ways");
  if (block.action != RouteAction::kWays) {
    if (!block.ways.empty()) draft.error(where, _("ways and action are both given"), _("keep one of them"));
    return;
  }
  // What was meant for one of them has been told of.
  if (block.ways.empty() && (draft.is_unread("route", i, "action") || draft.is_unread("route", i, "ways"))) return;
  if (block.ways.empty())
    return draft.error(draft.where("route", i, ""), _("[[route]] has neither ways nor action"),
                       _("add ways = [\"...\"], or action = \"discard\", \"hold\", \"fail\", \"local\" or \"lmtp\""));
  std::vector<std::string_view> known{deliver::kDirectWay};
  for (const auto& relay : draft.loaded.settings.deliver.relays) known.push_back(relay.name);
  for (const std::string& name : block.ways) {
    if (std::ranges::any_of(known, [&](std::string_view one) { return iequals(one, name); })) continue;
    std::string_view near = suggest(name, known);
    draft.error(where, tr("there is no way {}", quoted(printable(name, 100))),
                near.empty() ? tr("the ways are: {}", fmt::format("{}", fmt::join(known, ", ")))
                             : tr("did you mean {}?", quoted(near)));
  }
}

void check_action(Draft& draft, std::size_t i, RouteSettings& block) {
  const auto& local = draft.loaded.settings.deliver.local;
  if (block.action == RouteAction::kLmtp && local.lmtp.empty())
    draft.error(draft.where("route", i, "action"), _("action = \"lmtp\" needs the server it goes to"),
                _("add lmtp = \"/run/dovecot/lmtp\" to [local]"));
  if (block.action != RouteAction::kFail && !block.text.empty())
    draft.warn(draft.where("route", i, "text"), _("text is for action = \"fail\" alone"));
  if (block.action != RouteAction::kFail) return;
  if (auto refusal = route::read_refusal(block.text); !refusal)
    draft.error(draft.where("route", i, "text"), refusal.error().text, _("write \"5.7.1 we do not send there\""));
}

// Mail for a domain that ends here, or goes on to a server behind, is led out by no route.
void check_recipients(Draft& draft, std::size_t i, const RouteSettings& block) {
  const Settings& s = draft.loaded.settings;
  const auto fits = [&](const std::string& domain) {
    auto made = route::Conditions::make({{}, block.conditions.recipients, {}, {}});
    return made && made->misfit({.recipient_domain = lower(domain), .sender_key = {}, .user = {}, .listener = {}}) ==
                       route::Misfit::kNone;
  };
  const auto any = [](const std::string& text) {
    return text == "*" || text.starts_with('/') || text.starts_with('.');
  };
  // Patterns for many domains mean those that leave.
  if (block.conditions.recipients.empty() || std::ranges::all_of(block.conditions.recipients, any)) return;
  const Where where = draft.where("route", i, "recipient");
  for (const std::string& domain : s.alias.local_domains) {
    if (fits(domain))
      draft.warn(where, tr("mail for {} ends on this machine (local_domains): no [[route]] is asked about it",
                           quoted(domain)));
  }
  for (const auto& domain : s.relay_domains) {
    if (block.action == RouteAction::kWays && fits(domain.domain))
      draft.warn(where, tr("mail for {} goes to the next_hop of its [[relay_domain]], whatever ways a [[route]] names",
                           quoted(domain.domain)));
  }
}

}  // namespace

void resolve_routes(Draft& draft) {
  auto& routes = draft.loaded.settings.deliver.routes;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    check_patterns(draft, i, routes[i]);
    check_listeners(draft, i, routes[i]);
    check_recipients(draft, i, routes[i]);
    check_ways(draft, i, routes[i]);
    check_action(draft, i, routes[i]);
  }
}

}  // namespace sidegate::config
