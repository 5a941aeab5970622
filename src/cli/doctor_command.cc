// `sidegate doctor`: all checks side by side, told in the order in which one would mend things.
#include <sys/stat.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <optional>

#include "admin/control_client.h"
#include "admin/offline.h"
#include "base/i18n.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/finding_text.h"
#include "cli/machine_findings.h"
#include "cli/own_places.h"
#include "cli/relay_verdict.h"
#include "cli/senders.h"
#include "config/option_checks.h"
#include "deliver/probe.h"
#include "doctor/gather.h"
#include "doctor/interfaces.h"
#include "doctor/judge_network.h"
#include "doctor/judge_port.h"
#include "doctor/look_machine.h"
#include "doctor/look_network.h"
#include "net/socket.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;
using doctor::Finding;
using doctor::Findings;
using doctor::Mark;

constexpr std::size_t kMostPlaces = 24;
constexpr const char* kSections[] = {"network", "machine", "listeners", "relays", "domains"};
constexpr std::string_view kOnline[] = {"network", "relays", "domains"};  // of them, those that --offline leaves out

// --- what is said: one line a check

class Report {
 public:
  explicit Report(const Context& context) : context_(context) {}

  void add(const Findings& findings) {
    for (const Finding& f : findings) add(f);
  }
  void add(const Finding& f) {
    worst_ = std::max(worst_, f.mark);
    warnings_ += f.mark == Mark::kWarning;
    wrong_ += f.mark == Mark::kWrong;
    print(f);
  }
  int conclude() {
    Finding result{"result", worst_, {}, {}, {}, {{"warnings", warnings_}, {"wrong", wrong_}}};
    const int code = wrong_ > 0 ? 2 : warnings_ > 0 ? 1 : 0;
    result.mark = wrong_ > 0 ? Mark::kWrong : warnings_ > 0 ? Mark::kWarning : Mark::kGood;
    result.details.emplace_back("exit", std::int64_t(code));
    result.text = code == 0   ? std::string(_("all is well"))
                  : code == 1 ? tr("warnings: {}", warnings_)
                              : tr("broken: {}; warnings: {}", wrong_, warnings_);
    if (!context_.common.json) context_.terminal.out << "\n";
    print(result);
    return code;
  }

 private:
  void print(const Finding& f) const {
    const Terminal& t = context_.terminal;
    t.end_progress();
    if (context_.common.json) {
      t.out << doctor::finding_json(f) << std::endl;
      return;
    }
    t.out << finding_text(t, f);
    t.out << std::flush;
  }

  const Context& context_;
  Mark worst_ = Mark::kGood;
  std::int64_t warnings_ = 0, wrong_ = 0;
};

// --- the run

struct Run {  // what the coroutines need while they run
  const Context& context;
  const DoctorCommand& command;
  net::Loop& loop;
  net::WorkerPool& pool;
  dns::Resolver& resolver;  // with /etc/hosts, as mail goes
  dns::Resolver& outside;   // without: what the world is told
  const config::Loaded& loaded;
  const config::Settings& settings;  // its
  bool settings_read = true;  // else they are the defaults, of which nothing is told as if somebody had chosen them
  bool secrets_read = true;
  std::string config_path;
  std::vector<doctor::Interface> own;
  doctor::NetworkSeen network{};
  std::optional<bool> server_runs{};  // absent: it cannot be asked
  doctor::QueueSeen queue{};
  Findings listeners{};
  doctor::NamesSeen names_seen{};
  std::vector<Findings> relays{}, domains{};
  bool relay_answers4 = false, relay_answers6 = false;
  doctor::OtherMta other{};

  bool wants(std::string_view section) const {
    return command.only.empty() || std::ranges::find(command.only, section) != command.only.end();
  }
  Duration patience() const { return settings.doctor.patience; }
};

std::string listed(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

// --- network

std::vector<doctor::Target> targets_of(const config::Settings& settings) {
  std::vector<doctor::Target> out;
  const auto& given = settings.doctor.targets;
  for (const std::string& text : given.empty() ? doctor::default_targets() : given) {
    if (auto target = doctor::parse_target(text)) out.push_back(std::move(*target));
  }
  return out;
}

net::Awaitable<void> look_at_network(Run& run) {
  doctor::NetworkLook look;
  if (run.settings_read) look.targets = targets_of(run.settings);  // whom else to connect to, the operator says
  look.hostname = run.settings.hostname;
  look.dns = run.settings.dns;
  look.patience = run.patience();
  look.own = run.own;
  run.network = co_await doctor::look_at_network(run.loop, run.outside, run.pool, std::move(look));
  if (!run.settings_read) co_return;
  std::vector<std::string> addresses = doctor::public_addresses(run.network);
  std::string hostname = run.settings.hostname;
  run.names_seen =
      co_await doctor::look_at_names(run.loop, run.outside, std::move(hostname), std::move(addresses), run.patience());
}

void tell_network(const Run& run, Report& report) {
  report.add(doctor::judge_dns(run.network));
  if (!run.settings_read) return;
  doctor::WayOut way;
  way.relay_configured = !run.settings.deliver.relays.empty();
  way.direct_enabled = run.settings.deliver.direct.enabled;
  way.direct_by_route = way.relay_configured && goes_direct_from_here(run.settings);
  way.direct_by_proxy = goes_direct(run.settings) && !goes_direct_from_here(run.settings);
  way.cloud = doctor::cloud_of(doctor::read_firmware());
  way.reverse_known = !run.names_seen.reverse.empty();
  way.reverse_names_good = doctor::reverse_names_good(run.names_seen);
  way.config_file = run.config_path.empty() ? config::kDefaultPath : run.config_path;
  report.add(doctor::judge_families(run.network));
  report.add(doctor::judge_ports(run.network, way));
  report.add(doctor::judge_way_out(run.network, way));
  const bool direct = goes_direct_from_here(run.settings) && doctor::is_open(doctor::view_ports(run.network), 25);
  report.add(doctor::judge_names(run.names_seen, direct));
}

// --- the server and its queue

// The number that stands under `key` of the object under `outer`, or at the top.
std::uint64_t number_in(const std::string& text, const char* outer, const char* key) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error || !value.is_object()) return 0;
  const json::value* at = &value;
  if (*outer != '\0') at = value.as_object().if_contains(outer);
  if (at == nullptr || !at->is_object()) return 0;
  const json::value* n = at->as_object().if_contains(key);
  return n == nullptr ? 0 : n->to_number<std::uint64_t>(error);
}

// Blocks, a few seconds at the most: on a worker.
void ask_the_server(Run& run) {
  doctor::QueueSeen& seen = run.queue;
  const WallTime now = run.context.clock().wall();
  seen.lifetime_seconds = std::chrono::duration_cast<std::chrono::seconds>(run.settings.schedule.lifetime).count();
  auto on_row = [&](std::string row) {
    take_oldest(seen, row, now);
    return true;
  };
  const std::string socket =
      run.context.common.socket.empty() ? run.settings.control_socket : run.context.common.socket;
  auto client = admin::ControlClient::connect(socket);
  if (client) {
    auto status = client->ask({.verb = admin::Verb::kStatus, .selection = {}}, on_row, Duration(3'000));
    run.server_runs = true;
    seen.running = true;
    if (!status) {
      seen.why = status.error().text;
      return;
    }
    seen.known = true;
    seen.messages = number_in(*status, "queue", "messages");
    if (seen.messages > 0) (void)client->ask(oldest_message(), on_row, Duration(3'000));
    return;
  }
  if (client.error().kind != ErrorKind::kRefused) run.server_runs = false;
  seen.why = client.error().text;
  struct stat there{};
  if (run.server_runs != false || !run.context.hooks.open_queue) return;
  if (stat(run.settings.store.path.c_str(), &there) != 0) {
    seen.known = errno == ENOENT;  // never started
    return;
  }
  auto store = run.context.hooks.open_queue(run.settings.store.path);
  if (!store) {
    seen.why = store.error().text;
    return;
  }
  auto done = admin::read_offline(**store, oldest_message(), now, on_row);
  seen.known = done.has_value();
  if (done) seen.messages = (*store)->find({}, QueueId{}, 1000).value_or(std::vector<queue::ListRow>{}).size();
}

net::Awaitable<void> look_at_server(Run& run) {
  auto work = [&run] { ask_the_server(run); };
  auto done = co_await net::on_worker(run.pool, std::move(work));
  (void)done;
}

void tell_server(const Run& run, Report& report) {
  if (!run.server_runs) {
    report.add(Finding{"server",
                       Mark::kNote,
                       _("server: it cannot be asked from here"),
                       printable(run.queue.why, 300),
                       _("use sudo, or become a member of the group that the control socket belongs to"),
                       {{"running", std::string("unknown")}}});
  } else if (!*run.server_runs) {
    report.add(Finding{"server",
                       Mark::kWarning,
                       _("server: not running"),
                       {},
                       _("systemctl start sidegate, or: sidegate run"),
                       {{"running", false}}});
  } else {
    report.add(Finding{"server", Mark::kGood, _("server: running"), {}, {}, {{"running", true}}});
  }
}

// --- the machine

void tell_machine(Run& run, Report& report) {
  const WallTime now = run.context.clock().wall();
  tell_server(run, report);
  if (run.settings_read) {
    report.add(doctor::judge_queue(run.queue));
    report.add(machine_findings(run.settings, now));
  } else {
    report.add(doctor::judge_clock(doctor::look_at_clock(now)));
  }
  report.add(doctor::judge_other_mta(run.other));
}

// --- listeners

net::Awaitable<void> look_at_place(Run& run, doctor::Place place, Findings* out) {
  doctor::LookOptions options;
  options.hostname.clear();
  options.our_domain = own_domain(run.settings);
  choose_strangers(own_domains(run.settings), options);
  options.patience = run.patience();
  options.brief = true;
  const std::string text = place.text();
  doctor::PortSeen seen = co_await doctor::look(run.loop, std::move(place), std::move(options));
  Findings wrong;
  for (Finding& f : doctor::judge(seen)) {
    if (f.mark == Mark::kWrong) wrong.push_back(std::move(f));
  }
  if (wrong.empty())
    wrong.push_back({"listener", Mark::kGood, tr("answers: {}", seen.greeting.line), {}, {}, {}, text});
  *out = std::move(wrong);
}

net::Awaitable<void> is_held(Run& run, const doctor::Place& place) {
  net::Endpoint to{place.address, place.port};
  auto stream = co_await net::connect(run.loop, to, Duration(2'000));
  if (!stream) co_return;
  (*stream)->close();
  run.other.held.push_back({to.text(), doctor::program_on_port(place.port)});
}

net::Awaitable<void> look_at_listeners(Run& run) {
  run.other = doctor::look_at_sendmail();
  if (!run.settings_read) co_return;
  std::vector<doctor::Place> places = own_places(run.settings, run.own);
  std::erase_if(places, [](const doctor::Place& p) { return p.only_relaying; });
  if (places.size() > kMostPlaces) places.resize(kMostPlaces);
  if (run.server_runs == false) {
    for (const doctor::Place& place : places) co_await is_held(run, place);
    co_return;
  }
  std::vector<Findings> found(places.size());
  doctor::Gather all(run.loop);
  for (std::size_t i = 0; i < places.size(); ++i)
    all.spawn("doctor", look_at_place(run, std::move(places[i]), &found[i]));
  co_await all.wait();
  for (Findings& one : found) run.listeners.insert(run.listeners.end(), one.begin(), one.end());
}

// --- relays: what `relay test` would say, in one line

// A relay that answers shows that the line works. One on this machine, or behind a proxy, shows nothing.
void note_answers(Run& run, const deliver::RelaySettings& relay, const std::vector<deliver::ProbeStep>& steps) {
  for (const deliver::ProbeStep& step : steps) {
    if (step.name != "connect" || step.mark != deliver::ProbeMark::kGood || !relay.proxy.host.empty()) continue;
    for (const auto& [key, value] : step.details) {
      const auto* address = std::get_if<std::string>(&value);
      if (key != "address" || address == nullptr || doctor::reach(*address) == doctor::Reach::kLoopback) continue;
      (address->find(':') == std::string::npos ? run.relay_answers4 : run.relay_answers6) = true;
    }
  }
}

net::Awaitable<void> look_at_relay(Run& run, std::size_t index) {
  deliver::RelaySettings relay = run.settings.deliver.relays[index];
  std::vector<deliver::ProbeStep> steps;
  auto sink = [&steps](const deliver::ProbeStep& step) { steps.push_back(step); };
  deliver::ProbeOptions options;
  options.hostname = run.settings.hostname;
  options.patience = run.patience();
  for (const Sender& sender : senders_by(run.loaded, relay))
    options.senders.push_back({sender.address, sender.guessed});
  const bool no_password = !run.secrets_read && relay.has_credentials() && relay.password.empty();
  if (no_password) relay.user.clear();
  deliver::RelaySettings copy = relay;
  const bool good = co_await deliver::probe(run.loop, run.resolver, std::move(copy), std::move(options), sink);
  note_answers(run, relay, steps);
  Finding f = judge_relay(relay, steps, good);
  if (no_password && good) {
    f.mark = Mark::kNote;
    f.why = _("the login was not tried: its password cannot be read by this user");
    f.next = _("look as root");
  }
  run.relays[index] = {std::move(f)};
}

// --- sender domains

net::Awaitable<void> look_at_domain(Run& run, doctor::DomainLook look, Findings* out) {
  doctor::DomainSeen seen = co_await doctor::look_at_domain(run.loop, run.outside, std::move(look));
  *out = doctor::judge_domain(seen);
}

net::Awaitable<void> look_at_domains(Run& run) {
  std::vector<doctor::DomainLook> looks = domains_in_use(run.loaded, doctor::public_addresses(run.network));
  run.domains.resize(looks.size());
  doctor::Gather all(run.loop);
  for (std::size_t i = 0; i < looks.size(); ++i)
    all.spawn("doctor", look_at_domain(run, std::move(looks[i]), &run.domains[i]));
  co_await all.wait();
}

// --- all of it

net::Awaitable<void> look(Run& run) {
  doctor::Gather all(run.loop);
  const bool online = !run.command.offline;
  const bool direct = goes_direct_from_here(run.settings);
  const bool settings = run.settings_read;
  const bool network = run.wants("network") || (settings && direct && run.wants("domains"));
  if (online && network) all.spawn("doctor", look_at_network(run));
  if (online && settings && run.wants("domains") && !direct) all.spawn("doctor", look_at_domains(run));
  if (online && settings && run.wants("relays")) {
    run.relays.resize(run.settings.deliver.relays.size());
    for (std::size_t i = 0; i < run.relays.size(); ++i) all.spawn("doctor", look_at_relay(run, i));
  }
  if (run.wants("machine") || run.wants("listeners")) {
    co_await look_at_server(run);
    co_await look_at_listeners(run);
  }
  co_await all.wait();
  run.network.others_answer4 = run.relay_answers4;
  run.network.others_answer6 = run.relay_answers6;
  // Which address mail leaves from without a relay is known only now.
  if (online && settings && run.wants("domains") && direct) co_await look_at_domains(run);
  run.loop.stop();
}

// What was asked for and cannot be looked at.
void tell_left_out(const Run& run, Report& report) {
  std::vector<std::string> sections;
  for (const std::string_view section : kOnline) {
    if (run.command.offline && run.wants(section)) sections.emplace_back(section);
  }
  if (!sections.empty()) {
    Finding f{"left_out", Mark::kGood, tr("not looked at, as --offline is given: {}", listed(sections))};
    f.details = {{"sections", sections}};
    report.add(f);
  }
  if (run.settings_read) return;
  report.add(Finding{"left_out", Mark::kNote,
                     _("not looked at: ports, the way out, names, aliases, queue, disk, listeners, relays and domains"),
                     _("what they should be stands in the configuration, which cannot be read"),
                     _("repair it first (see above), and look again")});
}

void tell(Run& run, Report& report) {
  const bool online = !run.command.offline;
  tell_left_out(run, report);
  if (online && run.wants("network")) tell_network(run, report);
  if (run.wants("machine")) tell_machine(run, report);
  if (run.wants("listeners")) {
    if (!run.wants("machine") && run.server_runs == false) tell_server(run, report);
    report.add(run.listeners);
  }
  for (const Findings& relay : run.relays) report.add(relay);
  for (const Findings& domain : run.domains) report.add(domain);
}

// The configuration with its passwords, else without them; nothing where it cannot be read. What is wrong is told.
std::optional<config::Loaded> settings_of(const Context& context, Report& report, bool* secrets_read,
                                          std::string* path) {
  config::LoadRequest request = context.request();
  *path = request.path;
  auto loaded = config::load(request);
  const config::Problems problems = loaded ? loaded->warnings : loaded.error();
  if (!loaded) {
    *secrets_read = false;
    request = context.request();
    request.open_files = false;
    loaded = config::load(request);
  }
  const Mark mark = *secrets_read ? Mark::kNote : loaded ? Mark::kWarning : Mark::kWrong;
  for (const config::Problem& problem : problems) {
    report.add(Finding{"configuration", mark, problem.text(), {}, _("sidegate config check")});
  }
  if (!loaded) return std::nullopt;
  if (!loaded->path.empty()) *path = loaded->path;
  return std::move(*loaded);
}

}  // namespace

int doctor_command(const Context& context, const DoctorCommand& command) {
  for (const std::string& word : command.only) {
    if (std::ranges::find(kSections, word) != std::end(kSections)) continue;
    context.terminal.error(tr("there is nothing called {} to look at", printable(word, 60)),
                           tr("--only {}", fmt::format("{}", fmt::join(kSections, " | "))));
    return EX_USAGE;
  }
  const auto online = [](const std::string& word) { return std::ranges::find(kOnline, word) != std::end(kOnline); };
  if (command.offline && !command.only.empty() && std::ranges::all_of(command.only, online)) {
    context.terminal.error(tr("--offline leaves nothing to look at: {} needs the network", listed(command.only)),
                           _("leave one of the two away"));
    return EX_USAGE;
  }
  Report report(context);
  bool secrets_read = true;
  std::string path;
  std::optional<config::Loaded> read = settings_of(context, report, &secrets_read, &path);
  const bool settings_read = read.has_value();
  config::Loaded loaded = settings_read ? std::move(*read) : config::Loaded{};
  config::Settings& settings = loaded.settings;
  if (settings.hostname.empty()) settings.hostname = "localhost.localdomain";
  dns::ResolverSettings dns = settings.dns;
  dns.timeout = std::min(dns.timeout, settings.doctor.patience);
  dns::ResolverSettings outside_dns = dns;
  outside_dns.hosts = "/dev/null";
  net::Loop loop(0, context.clock(), null_log());
  dns::Resolver resolver(dns, context.clock()), outside(outside_dns, context.clock());
  net::WorkerPool pool(4);
  Run run{context, command,  loop,          pool,         resolver, outside,
          loaded,  settings, settings_read, secrets_read, path,     doctor::own_interfaces()};
  context.terminal.progress(_("looking"));
  loop.spawn("doctor", look(run));
  loop.run();
  tell(run, report);
  return report.conclude();
}

}  // namespace sidegate::cli
