// `sidegate check listeners`: which ports are looked at and from which of our addresses, and the findings as they come.
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/i18n.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/own_places.h"
#include "config/gateways.h"
#include "config/option_checks.h"
#include "dns/resolver.h"
#include "doctor/interfaces.h"
#include "doctor/judge_port.h"
#include "doctor/look.h"
#include "intake/policy.h"
#include "mail/mailbox.h"

namespace sidegate::cli {
namespace {

using doctor::Finding;
using doctor::Findings;
using doctor::Interface;
using doctor::Mark;
using doctor::Place;
using doctor::Role;

constexpr std::size_t kMostAddresses = 16;  // of one host

// --- what is said

void print(const Context& context, const Finding& finding) {
  const Terminal& t = context.terminal;
  t.end_progress();
  if (context.common.json) {
    t.out << doctor::finding_json(finding) << std::endl;
    return;
  }
  const char* sign = finding.mark == Mark::kGood      ? _("ok")
                     : finding.mark == Mark::kNote    ? _("note")
                     : finding.mark == Mark::kWarning ? _("WARN")
                                                      : _("WRONG");
  const Colour colour = finding.mark == Mark::kGood    ? Colour::kGreen
                        : finding.mark == Mark::kWrong ? Colour::kRed
                                                       : Colour::kYellow;
  const std::string marked = t.in(colour, sign) + std::string(6 - std::min<std::size_t>(6, display_width(sign)), ' ');
  t.out << marked << " " << finding.text << "\n";
  if (!finding.why.empty()) t.out << "       " << finding.why << "\n";
  if (!finding.next.empty()) t.out << "       -> " << finding.next << "\n";
  t.out << std::flush;
}

// All that is found; says each place once, before its findings.
class Report {
 public:
  explicit Report(const Context& context) : context_(context) {}
  void add(const Findings& findings) {
    for (const Finding& f : findings) add(f);
  }
  void add(const Finding& finding) {
    if (!context_.common.json && finding.place != place_) {
      context_.terminal.end_progress();
      if (!finding.place.empty())
        context_.terminal.out << "\n" << context_.terminal.in(Colour::kBold, finding.place) << "\n";
    }
    place_ = finding.place;
    if (finding.mark == Mark::kWrong) ++wrong_;
    if (finding.mark != Mark::kWrong || finding.check != "connect")
      only_unreached_ = only_unreached_ && finding.mark != Mark::kWrong;
    if (finding.check == "greeting") reached_ = true;
    print(context_, finding);
  }
  std::size_t wrong() const { return wrong_; }
  bool reached() const { return reached_; }
  bool only_unreached() const { return wrong_ > 0 && only_unreached_; }

 private:
  const Context& context_;
  std::string place_;
  std::size_t wrong_ = 0;
  bool reached_ = false;
  bool only_unreached_ = true;
};

// --- our own listeners

bool for_the_world(const intake::ListenerSettings& l) {
  return !l.address.starts_with('/') && !config::is_loopback_address(l.address);
}

// More than a handful of machines.
bool is_wide(const std::string& network) {
  const std::size_t slash = network.find('/');
  if (slash == std::string::npos) return false;
  const unsigned prefix = static_cast<unsigned>(parse_number(std::string_view(network).substr(slash + 1)).value_or(0));
  return network.find(':') != std::string::npos ? prefix < 48 : prefix < 24;
}

// Who may relay without logging in, and who of them may be the world in disguise.
void judge_networks(const config::Settings& settings, Report& report) {
  Findings found;
  for (const config::Problem& problem : config::warn_about_gateways(settings, config::look_around()))
    found.push_back({"networks", Mark::kWrong, problem.what, {}, problem.next});
  for (const intake::ListenerSettings& l : settings.listeners) {
    if (intake::is_submission(l.profile)) continue;
    for (const std::string& network : l.networks) {
      if (!config::is_private_network(network)) {
        found.push_back(
            {"networks",
             is_wide(network) ? Mark::kWrong : Mark::kNote,
             tr("listener {}: {} is a public network: everyone there may send mail through you", l.name, network),
             {},
             _("list single addresses that are yours")});
      } else if (config::is_loopback_address(network.substr(0, network.find('/'))) && for_the_world(l)) {
        found.push_back(
            {"networks",
             Mark::kWrong,
             tr("listener {}: {} is listed on an address that is reachable from outside: behind a port forward or a "
                "container's proxy the whole world has it",
                l.name, network),
             {},
             _("remove it, and add a second [[listener]] on 127.0.0.1 for this machine's programs")});
      }
    }
  }
  for (const std::string& sentence : config::who_may_relay(settings))
    found.push_back({"networks", Mark::kNote, sentence});
  if (found.empty())
    found.push_back({"networks", Mark::kGood, _("no network is listed: who is not of this machine logs in to relay")});
  report.add(found);
}

// --- another host

struct PortAsked {
  std::uint16_t port = 25;
  Role role = Role::kServers;
};

// "587", "10025/smtp".
std::optional<PortAsked> parse_port(const std::string& text) {
  const std::size_t slash = text.find('/');
  auto number = parse_number(std::string_view(text).substr(0, slash));
  if (!number || *number == 0 || *number > 65535) return std::nullopt;
  PortAsked asked{static_cast<std::uint16_t>(*number), Role::kServers};
  if (asked.port == 587 || asked.port == 2525) asked.role = Role::kSubmission;
  if (asked.port == 465) asked.role = Role::kSubmissions;
  if (slash == std::string::npos) return asked;
  const std::string role = lower(text.substr(slash + 1));
  if (role == "smtp")
    asked.role = Role::kServers;
  else if (role == "submission")
    asked.role = Role::kSubmission;
  else if (role == "submissions")
    asked.role = Role::kSubmissions;
  else
    return std::nullopt;
  return asked;
}

std::string own_name(const Context& context) {
  config::LoadRequest request = context.request();
  request.open_files = false;
  if (auto loaded = config::load(request)) return loaded->settings.hostname;
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return std::string(name).find('.') != std::string::npos ? std::string(name) : "localhost.localdomain";
}

bool ends_in_domain(const std::string& address) {
  auto parsed = mail::Mailbox::parse(address, false);
  return parsed && !parsed->domain().empty();
}

// --- the run

struct Run {  // what the coroutine needs while it runs
  const Context& context;
  const ListenerCheck& check;
  net::Loop& loop;
  Report& report;
  std::vector<Interface> own;
  doctor::LookOptions options;
  std::optional<config::Settings> settings;  // our own; empty: another host is looked at
  std::string host = {};
  std::vector<PortAsked> ports = {};
  dns::ResolverSettings dns = {};
};

net::Awaitable<void> look_at(Run& run, Place place) {
  run.context.terminal.progress(tr("looking at {}", place.text()));
  doctor::LookOptions options = run.options;
  doctor::PortSeen seen = co_await doctor::look(run.loop, std::move(place), std::move(options));
  // An address that cannot be used as a source says nothing of the listener.
  if (seen.place.only_relaying && seen.unreachable) co_return;
  run.report.add(doctor::judge(seen));
}

net::Awaitable<Result<std::vector<std::string>>> look_up(Run& run, std::string name, bool hosts_too) {
  dns::ResolverSettings settings = run.dns;
  if (!hosts_too) settings.hosts = "/dev/null";
  dns::Resolver resolver(std::move(settings), run.context.clock());
  auto found = co_await resolver.addresses(run.loop, std::move(name));
  if (!found) co_return std::unexpected(found.error());
  co_return found->list;
}

net::Awaitable<void> look_at_ourselves(Run& run) {
  const config::Settings& settings = *run.settings;
  std::vector<Place> places = own_places(settings, run.own);
  if (places.empty()) {
    run.report.add(Finding{"vantage", Mark::kNote, _("the configuration has no listener with a port")});
    co_return;
  }
  run.report.add(doctor::tell_vantage(doctor::Vantage::kSameHost, run.own, {}));
  judge_networks(settings, run.report);
  if (std::ranges::any_of(settings.listeners, for_the_world)) {
    std::string name = settings.hostname;
    // What the world is told: /etc/hosts is ours alone.
    doctor::AddressFacts facts{settings.hostname, run.own, {}, true};
    facts.found = co_await look_up(run, std::move(name), false);
    run.report.add(doctor::judge_addresses(facts));
  }
  for (Place& place : places) co_await look_at(run, std::move(place));
}

net::Awaitable<void> look_at_host(Run& run) {
  std::string name = run.host;
  auto found = co_await look_up(run, std::move(name), true);
  doctor::AddressFacts facts{run.host, run.own, found, false};
  if (!config::is_numeric_address(run.host) || !found) run.report.add(doctor::judge_addresses(facts));
  if (!found) co_return;
  std::size_t count = 0;
  for (const std::string& address : *found) {
    if (++count > kMostAddresses) break;
    run.report.add(doctor::tell_vantage(doctor::vantage(run.own, address), run.own, address));
    for (const PortAsked& asked : run.ports) {
      Place place{{}, config::is_numeric_address(run.host) ? std::string() : run.host, address, asked.port};
      place.role = asked.role;
      place.implicit_tls = asked.role == Role::kSubmissions;
      place.local_recipient = run.check.recipient;
      co_await look_at(run, std::move(place));
    }
  }
}

net::Awaitable<void> run_and_stop(Run& run) {
  if (run.settings) {
    co_await look_at_ourselves(run);
  } else {
    co_await look_at_host(run);
  }
  run.loop.stop();
}

bool prepare(const Context& context, Run& run) {
  const ListenerCheck& check = run.check;
  for (const std::string* address : {&check.recipient, &check.away}) {
    if (address->empty() || ends_in_domain(*address)) continue;
    context.terminal.error(tr("{} is no mail address", printable(*address, 200)), _("write it as user@example.org"));
    return false;
  }
  run.options.ca_file = check.ca_file;
  if (check.transcript) {
    const Terminal& t = context.terminal;
    run.options.transcript = [&t](char direction, std::string_view line) {
      t.end_progress();
      t.err << "  " << direction << " " << printable(line, 2000) << std::endl;
    };
  }
  if (check.host.empty()) {
    if (!check.ports.empty()) {
      context.terminal.error(_("--port is for another HOST"),
                             _("without HOST the listeners of the configuration are looked at"));
      return false;
    }
    return true;
  }
  std::vector<std::string> ports = check.ports;
  auto parts = config::parse_host_port(check.host);
  if (!parts) {
    context.terminal.error(tr("{} is no host name", printable(check.host, 200)),
                           _("write sidegate check listeners mail.example.org"));
    return false;
  }
  run.host = parts->host;
  if (run.host.starts_with('[')) run.host = run.host.substr(1, run.host.size() - 2);
  if (!parts->port.empty()) ports.push_back(parts->port);
  if (ports.empty()) ports = {"25", "465", "587"};
  for (const std::string& text : ports) {
    auto asked = parse_port(text);
    if (!asked) {
      context.terminal.error(tr("{} is no port", printable(text, 60)),
                             _("write --port 587, or --port 10025/smtp (smtp, submission, submissions)"));
      return false;
    }
    run.ports.push_back(*asked);
  }
  const std::size_t at = check.recipient.rfind('@');
  run.options.our_domain = at != std::string::npos ? check.recipient.substr(at + 1) : run.host;
  if (config::is_numeric_address(run.options.our_domain)) run.options.our_domain.clear();
  choose_strangers({run.options.our_domain}, run.options);
  return true;
}

int conclude(const Context& context, const Report& report, bool anything_asked) {
  Finding result{"result", Mark::kGood, _("nothing wrong was found")};
  if (report.wrong() > 0) {
    result.mark = Mark::kWrong;
    result.text = tr("wrong: {}", report.wrong());
  }
  result.details = {{"wrong", static_cast<std::int64_t>(report.wrong())}};
  if (!context.common.json) context.terminal.out << "\n";
  print(context, result);
  if (report.wrong() == 0) return anything_asked ? EX_OK : EX_NOHOST;
  return report.only_unreached() && !report.reached() ? EX_UNAVAILABLE : EX_CONFIG;
}

}  // namespace

int check_listeners_command(const Context& context, const ListenerCheck& check) {
  net::Loop loop(0, context.clock(), null_log());
  Report report(context);
  Run run{context, check, loop, report, doctor::own_interfaces(), {}, {}};
  if (!prepare(context, run)) return EX_USAGE;
  if (check.host.empty()) {
    auto loaded = context.load(false, false);
    if (!loaded) return EX_CONFIG;
    run.dns = loaded->settings.dns;
    run.options.hostname.clear();
    run.options.our_domain = own_domain(loaded->settings);
    choose_strangers(own_domains(loaded->settings), run.options);
    run.settings = std::move(loaded->settings);
  } else {
    run.options.hostname = own_name(context);
  }
  if (!check.away.empty()) run.options.away = check.away;
  loop.spawn("check listeners", run_and_stop(run));
  loop.run();
  return conclude(context, report, run.settings || report.reached());
}

}  // namespace sidegate::cli
