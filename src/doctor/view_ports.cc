// From connections to one verdict for each port and family.
#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "doctor/judge_network.h"

namespace sidegate::doctor {
namespace {

// All trials of one target at one port, by one family.
struct Group {
  std::string target, owner;
  bool open = false, timeout = false, refused = false, no_route = false, silent = false, chosen = false;
  const Trial* best = nullptr;
};

bool is_refusal(ErrorKind kind) {
  return kind == ErrorKind::kRefused || kind == ErrorKind::kClosed;
}

std::vector<Group> groups_of(const NetworkSeen& seen, std::uint16_t port, Family family) {
  std::vector<Group> groups;
  for (const Trial& t : seen.trials) {
    if (t.port != port || t.family != family) continue;
    auto at = std::ranges::find(groups, t.target, &Group::target);
    if (at == groups.end()) at = groups.insert(groups.end(), Group{t.target, t.owner});
    at->chosen |= t.chosen;
    if (t.open()) {
      at->open = true;
      if (at->best == nullptr || !at->best->open() || (at->best->name.empty() && !t.name.empty())) at->best = &t;
      continue;
    }
    at->timeout |= *t.failed == ErrorKind::kTimeout;
    at->refused |= is_refusal(*t.failed);
    at->no_route |= *t.failed == ErrorKind::kUnreachable;
    at->silent = at->timeout || at->no_route;
    if (at->best == nullptr) at->best = &t;
  }
  return groups;
}

bool answers_elsewhere(const NetworkSeen& seen, const std::string& target, std::uint16_t port) {
  return std::ranges::any_of(seen.trials, [&](const Trial& t) {
    return t.target == target && t.port != port && (t.open() || is_refusal(*t.failed));
  });
}

bool belongs(const std::string& name, const Group& group) {
  return !name.empty() && owner_of(name) == group.owner;
}

// "220 ****************": a firewall that hides what it does not understand.
bool is_masked(const std::string& greeting) {
  return greeting.find("*****") != std::string::npos &&
         greeting.find_first_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos;
}

// The same stranger's name at targets of different owners; empty: nobody.
std::string interceptor(const std::vector<Group>& groups) {
  std::map<std::string, std::set<std::string>> owners_by_name;
  std::size_t masked = 0, spoken = 0;
  for (const Group& g : groups) {
    if (!g.open || g.best == nullptr) continue;
    const Trial& t = *g.best;
    if (!t.tls && !t.greeting.empty()) {
      ++spoken;
      masked += is_masked(t.greeting);
    }
    if (t.tls && !t.verified && !t.fingerprint.empty())
      owners_by_name[t.certificate.empty() ? t.fingerprint : t.certificate].insert(g.owner);
    if (belongs(t.name, g) || belongs(t.ehlo_name, g)) continue;
    for (const std::string* name : {&t.name, &t.ehlo_name}) {
      if (!name->empty()) owners_by_name[lower(*name)].insert(g.owner);
    }
  }
  for (const auto& [name, owners] : owners_by_name) {
    if (owners.size() >= 2) return name;
  }
  return masked >= 2 && masked == spoken ? "***" : std::string();
}

std::size_t owners_where(const std::vector<Group>& groups, bool Group::* what) {
  std::set<std::string> owners;
  for (const Group& g : groups) {
    if (g.*what && !g.open) owners.insert(g.owner);
  }
  return owners.size();
}

PortVerdict closed_how(const NetworkSeen& seen, const std::vector<Group>& groups, PortView& view) {
  std::set<std::string> owners;
  bool all_unrouted = true;
  for (const Group& g : groups) {
    owners.insert(g.owner);
    all_unrouted &= g.no_route && !g.timeout && !g.refused;
  }
  // A host that is off is "unreachable" too: what its last router says of it is no more than its silence.
  const bool route = view.family == Family::kSix ? seen.route6 : seen.route4;
  if (all_unrouted && (!route || owners.size() >= 2)) return PortVerdict::kNoRoute;
  const std::size_t timeouts = owners_where(groups, &Group::silent), refusals = owners_where(groups, &Group::refused);
  if (family_is_dead(seen, view.family)) return PortVerdict::kSilent;
  view.only_one = owners.size() < 2;
  // One target says something only where it is known to be alive.
  if (view.only_one && !answers_elsewhere(seen, groups.front().target, view.port)) return PortVerdict::kUnknown;
  if (timeouts == 0 && refusals == 0) return PortVerdict::kUnknown;
  if (timeouts >= refusals) return PortVerdict::kTimeout;
  // A host that was not chosen for this port need not listen there.
  const bool chosen = std::ranges::any_of(groups, [](const Group& g) { return g.chosen && g.refused; });
  return chosen || view.port == 25 ? PortVerdict::kRefused : PortVerdict::kUnknown;
}

PortView view_port(const NetworkSeen& seen, std::uint16_t port, Family family) {
  PortView view{port, family, PortVerdict::kUnknown, {}, {}, {}, {}, {}};
  const std::vector<Group> groups = groups_of(seen, port, family);
  bool any_open = false;
  for (const Group& g : groups) {
    any_open |= g.open;
    (g.open ? view.answered : g.refused && !g.timeout ? view.refused : view.silent).push_back(g.target);
    if (g.best != nullptr && (view.example.empty() || (g.open && view.answered.size() == 1)))
      view.example = g.open ? g.best->greeting : g.best->why;
    view.starttls |= g.best != nullptr && g.best->starttls;
  }
  if (groups.empty()) {
    const bool none_found = !seen.names.empty() && std::ranges::none_of(seen.names, [](const NameSeen& n) {
      return n.found.has_value() && !n.found->empty();
    });
    const bool numeric = !seen.trials.empty();
    if (none_found && !numeric) view.verdict = PortVerdict::kDnsFault;
    return view;
  }
  if (view.by = interceptor(groups); !view.by.empty()) {
    view.verdict = PortVerdict::kIntercepted;
  } else {
    view.verdict = any_open ? PortVerdict::kOpen : closed_how(seen, groups, view);
  }
  return view;
}

}  // namespace

const char* word(PortVerdict verdict) {
  switch (verdict) {
    case PortVerdict::kOpen:
      return "open";
    case PortVerdict::kTimeout:
      return "timeout";
    case PortVerdict::kRefused:
      return "refused";
    case PortVerdict::kIntercepted:
      return "intercepted";
    case PortVerdict::kNoRoute:
      return "no_route";
    case PortVerdict::kDnsFault:
      return "dns_fault";
    case PortVerdict::kSilent:
      return "silent";
    case PortVerdict::kUnknown:
      break;
  }
  return "unknown";
}

bool family_answers(const NetworkSeen& seen, Family family) {
  const bool six = family == Family::kSix;
  if (six ? seen.others_answer6 : seen.others_answer4) return true;
  return std::ranges::any_of(seen.trials,
                             [&](const Trial& t) { return t.family == family && (t.open() || is_refusal(*t.failed)); });
}

bool family_is_dead(const NetworkSeen& seen, Family family) {
  if (family_answers(seen, family)) return false;
  const auto of_family = [&](const Trial& t) { return t.family == family; };
  if (std::ranges::none_of(seen.trials, of_family)) return false;
  if (std::ranges::any_of(seen.trials, [&](const Trial& t) { return of_family(t) && t.port != 25; })) return true;
  // Port 25 alone was tried, which many networks close: whether the line is up shows elsewhere, and a name server that
  // answers speaks against its being down. (Against other silent ports it does not: it may stand in this house.)
  const bool other_family = family_answers(seen, family == Family::kFour ? Family::kSix : Family::kFour);
  const bool dns_works =
      std::ranges::any_of(seen.servers, &dns::ServerSeen::answers) ||
      std::ranges::any_of(seen.names, [](const NameSeen& n) { return n.found && !n.found->empty(); });
  return !other_family && !dns_works;
}

std::vector<PortView> view_ports(const NetworkSeen& seen) {
  std::vector<std::uint16_t> ports(std::begin(kMailPorts), std::end(kMailPorts));
  for (const Trial& t : seen.trials) {
    if (std::ranges::find(ports, t.port) == ports.end()) ports.push_back(t.port);
  }
  std::vector<PortView> views;
  for (std::uint16_t port : ports) {
    for (Family family : {Family::kFour, Family::kSix}) views.push_back(view_port(seen, port, family));
  }
  return views;
}

const PortView* find(const std::vector<PortView>& views, std::uint16_t port, Family family) {
  for (const PortView& view : views) {
    if (view.port == port && view.family == family) return &view;
  }
  return nullptr;
}

bool is_open(const std::vector<PortView>& views, std::uint16_t port) {
  return std::ranges::any_of(views,
                             [&](const PortView& v) { return v.port == port && v.verdict == PortVerdict::kOpen; });
}

}  // namespace sidegate::doctor
