#include "doctor/judge_network.h"

#include <algorithm>

#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::doctor {
namespace {

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < 3; ++i) out += (i > 0 ? ", " : "") + printable(names[i], 100);
  if (names.size() > 3) out += tr(" and {} more", names.size() - 3);
  return out;
}

bool any_name_found(const NetworkSeen& seen) {
  return std::ranges::any_of(seen.names, [](const NameSeen& n) { return n.found && !n.found->empty(); });
}

bool has_address(const NetworkSeen& seen, Family family) {
  return std::ranges::any_of(seen.own, [&](const Interface& i) {
    const bool six = i.address.find(':') != std::string::npos;
    const Reach r = reach(i.address);
    return six == (family == Family::kSix) && r != Reach::kLoopback && r != Reach::kLinkLocal && r != Reach::kNone;
  });
}

// --- ports

Finding base(const PortView& v) {
  Finding f{"port"};
  f.details = {{"port", std::int64_t(v.port)},
               {"family", std::string(word(v.family))},
               {"verdict", std::string(word(v.verdict))},
               {"open", v.verdict == PortVerdict::kOpen},
               {"answered", v.answered},
               {"silent", v.silent},
               {"refused", v.refused}};
  if (!v.by.empty()) f.details.emplace_back("by", v.by);
  return f;
}

Finding told_open(const PortView& v) {
  Finding f = base(v);
  std::vector<std::string> missing = v.silent;
  missing.insert(missing.end(), v.refused.begin(), v.refused.end());
  const std::size_t all = v.answered.size() + missing.size();
  f.text = tr("port {} by {}: open ({} of {} targets answer)", v.port, word(v.family), v.answered.size(), all);
  if (missing.empty()) return f;
  f.text += tr("; not {}", listed(missing));
  // A line that closes 25 towards some begins so; one dead host is no block.
  if (v.port == 25 && v.silent.size() >= 2 && v.silent.size() >= v.answered.size()) {
    f.mark = Mark::kNote;
    f.why = _("port 25 may be closed towards some destinations");
    f.next = _("mail for those goes by a relay where one is configured");
  }
  return f;
}

// Port 25 closed is the usual state of home lines: no fault while there is a relay.
Finding told_closed(const PortView& v, const WayOut& way, bool other_open) {
  Finding f = base(v);
  const char* family = word(v.family);
  const std::size_t tried = v.silent.size() + v.refused.size();
  if (v.verdict == PortVerdict::kTimeout) {
    f.text = tr("port {} by {}: closed by time-out ({} of {} targets silent)", v.port, family, v.silent.size(), tried);
    f.why = v.port == 25 ? _("this network drops what goes there (OP25B), as most home lines and clouds do")
                         : _("a firewall on the way drops it");
  } else {
    f.text = tr("port {} by {}: refused ({} of {} targets)", v.port, family, v.refused.size(), tried);
    f.why = v.only_one ? _("the target does not listen there, or a firewall refuses in its place")
                       : _("unrelated hosts all refuse: a firewall on the way answers in their place");
  }
  if (v.port == 25) {
    const bool relays_alone = way.relay_configured && !way.direct_by_route;
    f.mark = relays_alone ? Mark::kNote : Mark::kWarning;
    f.next = relays_alone ? tr("nothing to do while a relay works; {}", how_to_open(way.cloud))
                          : tr("send by a relay (see below); {}", how_to_open(way.cloud));
    return f;
  }
  f.mark = Mark::kNote;
  if (!other_open) f.next = _("ask who runs this network whether outgoing mail ports are closed");
  return f;
}

Finding told_intercepted(const PortView& v, const WayOut& way) {
  Finding f = base(v);
  f.mark = Mark::kWarning;
  f.text = tr("port {} by {}: intercepted: {} answers in the place of {}", v.port, word(v.family), printable(v.by, 200),
              listed(v.answered));
  f.why = _("somebody on the way (usually the provider) takes all mail that goes there, and can read it");
  f.next = v.port == 25 ? (way.relay_configured ? _("send by a relay with TLS, never direct")
                                                : _("send by a relay with TLS, never direct (see below)"))
                        : _("use another port of the relay, with TLS from the first octet: 465");
  return f;
}

Finding told(const PortView& v, const WayOut& way, bool other_open) {
  Finding f = base(v);
  const char* family = word(v.family);
  switch (v.verdict) {
    case PortVerdict::kOpen:
      return told_open(v);
    case PortVerdict::kTimeout:
    case PortVerdict::kRefused:
      return told_closed(v, way, other_open);
    case PortVerdict::kIntercepted:
      return told_intercepted(v, way);
    case PortVerdict::kNoRoute:
      f.mark = Mark::kNote;
      f.text = tr("port {} by {}: no route", v.port, family);
      return f;
    case PortVerdict::kDnsFault:
      f.mark = Mark::kWarning;
      f.text = tr("port {} by {}: not tried: no target's name could be looked up", v.port, family);
      f.next = _("repair DNS first (see above)");
      return f;
    case PortVerdict::kSilent:
      f.mark = Mark::kNote;
      f.text = tr("port {} by {}: nothing answers, as on every other port of {}", v.port, family, family);
      return f;
    case PortVerdict::kUnknown:
      break;
  }
  f.mark = Mark::kNote;
  const bool tried = !v.silent.empty() || !v.refused.empty();
  f.text = tried ? tr("port {} by {}: not known: {} does not answer there", v.port, family,
                      listed(v.silent.empty() ? v.refused : v.silent))
                 : tr("port {} by {}: not known: no target has that port and family", v.port, family);
  if (tried && v.only_one) f.why = _("one target is too little to say whether the network closes it");
  return f;
}

// A family that has no route needs one line, not five.
bool worth_telling(const PortView& v) {
  const bool empty = v.answered.empty() && v.silent.empty() && v.refused.empty();
  if (v.verdict == PortVerdict::kUnknown && empty) return false;
  return v.family == Family::kFour || (v.verdict != PortVerdict::kNoRoute && v.verdict != PortVerdict::kSilent &&
                                       v.verdict != PortVerdict::kDnsFault);
}

// --- the way out

std::string relay_lines(std::uint16_t port) {
  return fmt::format(
      "[[relay]]\nhost = \"smtp.example.org\"   # {}\nport = {}\nuser = \"me@example.org\"   # {}\n"
      "password_file = \"/etc/sidegate/relay.password\"   # {}\nidentity = \"account\"   # {}\n",
      _("your provider's server for outgoing mail"), port, _("your account there"), _("mode 0600"),
      _("mail leaves with the account's address"));
}

// Of the ports of a relay, the one to write down. RFC 8314 section 3.3 prefers TLS from the first octet.
std::uint16_t best_port(const std::vector<PortView>& views) {
  for (std::uint16_t port : {std::uint16_t(465), std::uint16_t(587), std::uint16_t(2525)}) {
    if (is_open(views, port)) return port;
  }
  return 0;
}

// Some mail leaves by the relay and some direct, as the routes say.
Finding told_direct_by_route(Finding f, const std::vector<PortView>& views, const WayOut& way) {
  const bool intercepted = std::ranges::any_of(
      views, [](const PortView& v) { return v.port == 25 && v.verdict == PortVerdict::kIntercepted; });
  if (!is_open(views, 25)) {
    f.mark = Mark::kWarning;
    f.text = intercepted
                 ? _("mail leaves by the relay; what a [[route]] sends direct does not: port 25 is intercepted here")
                 : _("mail leaves by the relay; what a [[route]] sends direct does not: port 25 is not open here");
    f.next = _("name a relay after \"direct\" in the ways of that [[route]]");
    return f;
  }
  if (way.reverse_names_good || !way.reverse_known) {
    f.text = _("mail leaves by the relay, and direct where a [[route]] says so: port 25 is open");
    return f;
  }
  f.mark = Mark::kWarning;
  f.text = _("port 25 is open for what a [[route]] sends direct, but this address has no reverse name of its own");
  f.why = _("many servers refuse mail from such");
  f.next = _("set the reverse name at the provider, or name a relay in the ways of that [[route]]");
  return f;
}

// Too little was seen to say: no target was tried there, or too few that were alive.
bool is_unknown(const std::vector<PortView>& views, std::uint16_t port) {
  const auto tried = [](const PortView& v) { return !v.silent.empty() || !v.refused.empty() || !v.answered.empty(); };
  const auto of_port = [&](const PortView& v) { return v.port == port; };
  const bool none_tried = std::ranges::none_of(views, [&](const PortView& v) { return of_port(v) && tried(v); });
  return none_tried || std::ranges::any_of(views, [&](const PortView& v) {
           return of_port(v) && tried(v) && v.verdict == PortVerdict::kUnknown;
         });
}

bool direct_is_closed(const std::vector<PortView>& views) {
  return !is_open(views, 25);
}

}  // namespace

Findings judge_dns(const NetworkSeen& seen) {
  Findings out;
  std::vector<std::string> failed, absent;
  for (const NameSeen& n : seen.names) {
    if (n.found && !n.found->empty()) continue;
    (n.found || n.found.error().kind == ErrorKind::kNotFound ? absent : failed).push_back(n.host);
  }
  const bool works = any_name_found(seen);
  if (!works && !seen.names.empty()) {
    Finding f{"dns", Mark::kWrong};
    const bool silent = absent.empty();
    f.text = silent ? _("DNS: no name can be looked up") : _("DNS: every name is said not to exist");
    f.why = silent ? _("the name servers do not answer")
                   : _("the name servers do not reach the world, or a portal "
                       "wants a login first");
    f.next = _("see /etc/resolv.conf, and whether the network is up: ip route");
    f.details = {{"works", false}, {"failed", silent ? failed : absent}};
    out.push_back(std::move(f));
  } else if (works) {
    Finding f{
        "dns", Mark::kGood,
        tr("DNS: works ({} of {} names found)", seen.names.size() - failed.size() - absent.size(), seen.names.size())};
    f.details = {{"works", true}, {"failed", failed}, {"absent", absent}};
    if (!failed.empty()) f.text += tr("; not {}", listed(failed));
    if (!absent.empty()) f.text += tr("; there is no {}", listed(absent));
    out.push_back(std::move(f));
  }
  for (const dns::ServerSeen& s : seen.servers) {
    Finding f{"dns_server"};
    f.details = {{"server", s.server},    {"answers", s.answers},       {"edns", s.edns},
                 {"dnssec", s.validates}, {"signatures", s.signatures}, {"tcp", s.tcp}};
    const std::string who = printable(s.server, 100);
    if (!s.answers) {
      f.mark = works ? Mark::kNote : Mark::kWarning;
      f.text = tr("name server {}: does not answer", who);
      if (works) f.why = _("others do; each look-up that begins with it takes longer");
      f.next = _("remove it from /etc/resolv.conf, or repair it");
    } else if (s.validates) {
      f.text = tr("name server {}: answers in {} ms; DNSSEC is checked there", who, s.milliseconds);
    } else if (s.edns && s.signatures) {
      f.text = tr("name server {}: answers in {} ms; passes DNSSEC on, does not check it", who, s.milliseconds);
    } else {
      f.mark = Mark::kNote;
      std::vector<std::string> lacks;
      if (!s.edns) lacks.emplace_back("EDNS");
      lacks.emplace_back("DNSSEC");
      if (!s.tcp) lacks.emplace_back("TCP");
      f.text = tr("name server {}: a simple forwarder, without {}", who, fmt::format("{}", fmt::join(lacks, ", ")));
      f.why = _("mail goes; only DANE cannot be used");
    }
    out.push_back(std::move(f));
  }
  if (seen.servers.empty() && !seen.names.empty() && !works)
    out.push_back({"dns_server", Mark::kWrong, _("no name server is configured"), {}, _("see /etc/resolv.conf")});
  return out;
}

Findings judge_families(const NetworkSeen& seen) {
  Findings out;
  for (Family family : {Family::kFour, Family::kSix}) {
    const char* name = word(family);
    const bool route = family == Family::kFour ? seen.route4 : seen.route6;
    std::size_t tried = 0, answered = 0;
    for (const Trial& t : seen.trials) {
      if (t.family != family) continue;
      ++tried;
      answered += t.open() || *t.failed == ErrorKind::kRefused;
    }
    const bool other_answers =
        std::ranges::any_of(seen.trials, [&](const Trial& t) { return t.family != family && t.open(); });
    Finding f{family == Family::kFour ? "ipv4" : "ipv6"};
    std::string state;
    if (answered > 0 || (tried > 0 && family_answers(seen, family))) {
      state = "works";
      f.text = tr("{}: works", name);
    } else if (!route) {
      state = "absent";
      f.mark = other_answers ? Mark::kNote : Mark::kWrong;
      f.text = has_address(seen, family) ? tr("{}: an address, and no route to the world", name)
                                         : tr("{}: not here (no address, no route)", name);
      if (other_answers) {
        f.why = family == Family::kSix ? _("no obstacle: mail goes by IPv4") : _("mail goes by IPv6 alone");
      } else {
        f.next = _("see whether the network is up: ip address, ip route");
      }
    } else if (tried == 0) {
      state = "unknown";
      f.mark = Mark::kNote;
      f.text = tr("{}: a route is there; nothing was tried, as no target has such an address", name);
    } else if (!family_is_dead(seen, family)) {
      state = "unknown";
      f.mark = Mark::kNote;
      f.text = tr("{}: an address and a route; port 25 alone was tried, and nothing answers there", name);
      f.why = _("that port is closed in many networks: it says nothing about the line");
      f.next = _("name a target with another port too: [doctor] targets = [\"smtp.example.org:25,465,587\"]");
    } else {
      state = "dead";
      f.mark = other_answers ? Mark::kWarning : Mark::kWrong;
      f.text = tr("{}: an address and a route, and nothing answers", name);
      f.why = other_answers ? _("each connection that tries it first takes longer") : _("the line is down");
      f.next = other_answers ? tr("ask the provider, or switch {} off on this machine until it works", name)
                             : std::string(_("see whether the router and the line are up"));
    }
    f.details = {{"state", state}, {"route", route}, {"address", has_address(seen, family)}};
    out.push_back(std::move(f));
  }
  return out;
}

Findings judge_ports(const NetworkSeen& seen, const WayOut& way) {
  Findings out;
  const std::vector<PortView> views = view_ports(seen);
  const bool submission = best_port(views) != 0;
  for (const PortView& v : views) {
    if (worth_telling(v)) out.push_back(told(v, way, submission));
  }
  return out;
}

Finding judge_way_out(const NetworkSeen& seen, const WayOut& way) {
  const std::vector<PortView> views = view_ports(seen);
  const std::uint16_t port = best_port(views);
  const bool closed = direct_is_closed(views);
  const bool intercepted = std::ranges::any_of(
      views, [](const PortView& v) { return v.port == 25 && v.verdict == PortVerdict::kIntercepted; });
  std::vector<std::string> open;
  for (std::uint16_t p : kMailPorts) {
    if (p != 443 && is_open(views, p)) open.push_back(std::to_string(p));
  }
  const bool others_tried =
      std::ranges::any_of(seen.trials, [](const Trial& t) { return t.port == 465 || t.port == 587 || t.port == 2525; });
  const bool known_closed = std::ranges::any_of(views, [](const PortView& v) {
    return v.port == 25 && (v.verdict == PortVerdict::kTimeout || v.verdict == PortVerdict::kRefused);
  });
  const bool dead = std::ranges::all_of(views, [](const PortView& v) {
    return v.verdict == PortVerdict::kSilent || (v.answered.empty() && v.silent.empty() && v.refused.empty());
  });
  Finding f{"way_out"};
  f.details = {{"direct", !closed && !intercepted},
               {"relay", way.relay_configured},
               {"open_ports", open},
               {"cloud", std::string(word(way.cloud))}};
  if (way.cloud != Cloud::kNone) f.details.emplace_back("how_to_open", std::string(how_to_open(way.cloud)));
  if (way.relay_configured && way.direct_by_route) return told_direct_by_route(std::move(f), views, way);
  if (way.relay_configured) {
    f.text = closed ? _("mail leaves by the relay; port 25 is not needed for that")
                    : _("mail leaves by the relay; direct delivery would be possible too");
    return f;
  }
  if (way.direct_by_proxy) {
    f.text = _("mail leaves by the proxy of [direct]; port 25 is not needed here");
    return f;
  }
  if (!way.direct_enabled) {
    f.mark = Mark::kWrong;
    f.text = _("mail has no way out: no relay is set up, and direct delivery is switched off");
    f.why = _("one relay carries mail to every address, and you need no account at the recipient's provider");
    f.next = tr("write into {}, then: sidegate relay test", way.config_file);
    f.paste = relay_lines(port == 0 ? 465 : port);
    return f;
  }
  if (!closed && !intercepted) {
    if (way.reverse_names_good) {
      f.text = _("port 25 is open and this address has a name of its own: direct delivery is possible");
      return f;
    }
    if (!way.reverse_known) {
      f.mark = Mark::kNote;
      f.text = _("port 25 is open: direct delivery is possible, if this line's public address has a name of its own");
      f.next =
          _("look from outside what it is called; without such a name many servers refuse mail, and a relay helps");
      return f;
    }
    f.mark = Mark::kWarning;
    f.text = _("port 25 is open, but this address has no reverse name of its own: many servers refuse mail from it");
    f.next = tr("set the reverse name at the provider, or send by a relay; write into {}:", way.config_file);
    f.paste = relay_lines(port == 0 ? 465 : port);
    return f;
  }
  f.mark = Mark::kWrong;
  const bool anything = std::ranges::any_of(views, [](const PortView& v) { return v.verdict == PortVerdict::kOpen; });
  if (is_unknown(views, 25) && !known_closed && !intercepted && !dead) {
    f.mark = Mark::kWarning;
    f.text = _("no relay is set up, and whether port 25 is open here is not known");
    f.next = _("name more targets, of unrelated providers, in [doctor] targets; or remove it for the built-in ones");
    return f;
  }
  if (port != 0 || (!others_tried && (known_closed || intercepted))) {
    f.text = tr("mail has no way out: port 25 is {} here and no relay is set up",
                intercepted ? _("intercepted") : _("closed"));
    f.why = _("one relay carries mail to every address, and you need no account at the recipient's provider");
    f.next = tr("write into {}, then: sidegate relay test", way.config_file);
    f.paste = relay_lines(port == 0 ? 465 : port);
  } else if (anything) {
    f.text = _("mail has no way out: no mail port (25, 465, 587, 2525) is open here and no relay is set up");
    f.next = tr("ask who runs this network; {}", how_to_open(way.cloud));
    f.paste = relay_lines(465);
  } else {
    f.text = _("mail has no way out: nothing answers, and no relay is set up");
    f.next = _("repair the network first (see above)");
  }
  return f;
}

}  // namespace sidegate::doctor
