// `sidegate relay test`: which relay is meant, its password, and the probe's steps as they end.
#include <expected>

#include "base/i18n.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/password_prompt.h"
#include "cli/senders.h"
#include "config/secret_file.h"
#include "deliver/probe.h"
#include "doctor/look_domain.h"
#include "mail/mailbox.h"
#include "net/networks.h"

namespace sidegate::cli {
namespace {

using deliver::RelaySettings;

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// What the command line says of a relay, by the block's own keys.
std::vector<std::pair<std::string, std::string>> said_of_relay(const RelayTest& test) {
  std::vector<std::pair<std::string, std::string>> out;
  if (!test.tls.empty()) out.emplace_back("tls", test.tls);
  if (!test.ca_file.empty()) out.emplace_back("tls_ca_file", test.ca_file);
  return out;
}

std::optional<config::Loaded> load_or_say(const Context& context, const config::LoadRequest& request) {
  auto loaded = config::load(request);
  if (loaded) return std::move(*loaded);
  for (const config::Problem& problem : loaded.error()) context.terminal.error(problem.what, problem.next);
  return std::nullopt;
}

// A relay that only the command line knows, read by the rules of a configuration.
std::optional<config::Loaded> from_arguments(const Context& context, const RelayTest& test) {
  config::LoadRequest request;
  request.path = _("command line");
  request.system_name = "localhost.localdomain";
  std::string text = "[[relay]]\nhost = " + toml_string(test.target) + "\n";
  for (const auto& [key, value] : said_of_relay(test)) text += key + " = " + toml_string(value) + "\n";
  request.text = std::move(text);
  return load_or_say(context, request);
}

// A block of the configuration with what the command line says over it: as the environment would, and so by the same
// rules (a word that is none, a file that cannot be read, the port that goes with the kind of TLS).
std::optional<config::Loaded> overridden(const Context& context, const RelayTest& test, std::size_t index) {
  config::LoadRequest request = context.request();
  for (const auto& [key, value] : said_of_relay(test)) {
    const std::string name = fmt::format("SIDEGATE_RELAY_{}_{}", index, upper(key));
    std::erase_if(request.environment, [&](const auto& v) { return v.first == name || v.first == name + "_FILE"; });
    request.environment.emplace_back(name, value);
  }
  return load_or_say(context, request);
}

// Password and mechanisms from the command line over what is there; false: said why not.
bool add_login(const Context& context, const RelayTest& test, RelaySettings& relay) {
  if (!test.mechanisms.empty()) {
    relay.mechanisms.clear();
    for (const std::string& mechanism : test.mechanisms) relay.mechanisms.push_back(upper(mechanism));
  }
  if (!test.password_file.empty()) {
    auto secret = config::read_secret_file(test.password_file, 0);
    if (!secret) {
      context.terminal.error(secret.error().what, secret.error().next);
      return false;
    }
    relay.password = std::move(*secret);
  }
  if (test.user.empty()) return true;
  const bool other_user = relay.user != test.user;
  // Another account sends as another address: its own, where it has one.
  if (other_user)
    relay.address = mail::is_mailbox(test.user, true) && test.user.contains('@') ? test.user : std::string();
  relay.user = test.user;
  if (test.password_file.empty() && other_user)
    relay.password = ask_password(context.terminal, tr("password of {} (not shown): ", test.user));
  if (!relay.password.empty()) return true;
  context.terminal.error(_("--user is given and no password"),
                         _("add --password-file FILE, or start this at a terminal: it asks"));
  return false;
}

struct Chosen {
  config::Loaded loaded;
  RelaySettings relay;
  bool configured = true;  // it is one of the configuration's
};

std::string names_of(const config::Loaded& loaded) {
  std::string out;
  for (const RelaySettings& relay : loaded.settings.deliver.relays) out += (out.empty() ? "" : ", ") + relay.name;
  return out;
}

// A name of the configuration, its only relay, or host:port; else said why not, and the exit code.
std::expected<Chosen, int> choose(const Context& context, const RelayTest& test) {
  config::LoadRequest request = context.request();
  auto configured = config::load(request);
  if (configured) {
    auto& relays = configured->settings.deliver.relays;
    for (std::size_t i = 0; i < relays.size(); ++i) {
      const bool meant = test.target.empty() ? relays.size() == 1 : iequals(relays[i].name, test.target);
      if (!meant) continue;
      auto made = overridden(context, test, i);
      if (!made) return std::unexpected(EX_USAGE);
      RelaySettings relay = made->settings.deliver.relays.at(i);
      if (!test.ca_file.empty()) relay.tls_fingerprints.clear();  // a pin would decide in the CAs' place
      return Chosen{std::move(*made), std::move(relay)};
    }
    if (test.target.empty()) {
      context.terminal.error(
          relays.empty() ? _("the configuration has no [[relay]]") : _("the configuration has several relays"),
          relays.empty() ? std::string(_("name one: sidegate relay test smtp.example.org:587 --user NAME"))
                         : tr("name one of them: {}", names_of(*configured)));
      return std::unexpected(EX_CONFIG);
    }
  } else if (test.target.empty()) {
    for (const config::Problem& problem : configured.error()) context.terminal.error(problem.text());
    return std::unexpected(EX_CONFIG);
  }
  if (test.target.find_first_of(".:[") == std::string::npos && test.target != "localhost") {
    context.terminal.error(tr("there is no relay {}", printable(test.target, 100)),
                           configured ? tr("there are: {}", names_of(*configured)) : std::string());
    return std::unexpected(EX_CONFIG);
  }
  auto made = from_arguments(context, test);
  if (!made) return std::unexpected(EX_USAGE);
  RelaySettings relay = made->settings.deliver.relays.at(0);
  if (configured) made->settings.dns = configured->settings.dns;
  if (configured) made->settings.hostname = configured->settings.hostname;
  return Chosen{std::move(*made), std::move(relay), false};
}

struct Run {  // what the coroutine needs while it runs
  net::Loop& loop;
  dns::Resolver& resolver;
  dns::Resolver& outside;  // without /etc/hosts: what the world is told
  RelaySettings relay;
  deliver::ProbeOptions options;
  std::function<void(const deliver::ProbeStep&)> sink;
  std::vector<doctor::DomainLook> domains{};
  std::optional<deliver::ProbeStep> result{};  // kept until the domains are told
  bool good = false;
};

deliver::ProbeStep step_of(const doctor::Finding& f) {
  deliver::ProbeStep step;
  step.name = f.check;
  // The relay takes mail all the same.
  step.mark = f.mark == doctor::Mark::kGood ? deliver::ProbeMark::kGood : deliver::ProbeMark::kNote;
  step.text = f.text;
  step.cause = f.why;
  step.cure = f.next;
  if (!f.paste.empty()) {
    step.cure += (step.cure.empty() ? "" : " ") + f.paste;
    step.details.emplace_back("paste", f.paste);
  }
  for (const auto& detail : f.details) step.details.push_back(detail);
  return step;
}

// The senders' domains, as far as this relay is concerned.
net::Awaitable<void> look_at_domains(Run& run) {
  std::vector<doctor::Findings> found(run.domains.size());
  for (std::size_t i = 0; i < run.domains.size(); ++i) {
    doctor::DomainLook look = run.domains[i];
    std::erase_if(look.ways, [&](const doctor::DomainWay& way) { return way.name != run.relay.name; });
    if (look.ways.empty()) continue;
    doctor::DomainSeen seen = co_await doctor::look_at_domain(run.loop, run.outside, std::move(look));
    for (const doctor::Finding& f : doctor::judge_domain(seen)) run.sink(step_of(f));
  }
}

net::Awaitable<void> probe_and_stop(Run& run) {
  auto sink = [&run](const deliver::ProbeStep& step) {
    if (step.name == "result") {
      run.result = step;
    } else {
      run.sink(step);
    }
  };
  run.good = co_await deliver::probe(run.loop, run.resolver, run.relay, run.options, sink);
  if (run.good) co_await look_at_domains(run);
  if (run.result) run.sink(*run.result);
  run.loop.stop();
}

// What our own listeners take at the most.
std::uint64_t largest_taken(const config::Settings& settings) {
  std::uint64_t most = 0;
  for (const intake::ListenerSettings& l : settings.listeners)
    most = std::max(most, l.smtp.max_message_size == 0 ? ~std::uint64_t{0} : l.smtp.max_message_size);
  return most;
}

// Of a server here that passes mail on nobody knows by which address it leaves.
bool is_this_machine(const std::string& host) {
  const auto address = net::parse_address(host);
  return address ? net::is_loopback(*address) : iequals(host, "localhost");
}

// "<a@b>" and "a@b" are one address; "<>" and nothing are the null sender (RFC 5321 section 4.5.5).
std::optional<std::string> sender_of(std::string_view typed) {
  std::string_view text = trim(typed);
  if (text.starts_with('<') && text.ends_with('>')) text = text.substr(1, text.size() - 2);
  if (!text.empty() && !mail::is_mailbox(text, true)) return std::nullopt;
  return std::string(text);
}

// False: said what is no address.
bool are_addresses(const Context& context, const RelayTest& test) {
  for (const auto& [text, good] :
       {std::pair(test.send_to, test.send_to.empty() || mail::is_mailbox(test.send_to, false)),
        std::pair(test.from.value_or(""), sender_of(test.from.value_or("")).has_value())}) {
    if (good) continue;
    context.terminal.error(tr("{} is no mail address", printable(text, 200)), _("write it as user@example.org"));
    return false;
  }
  return true;
}

}  // namespace

int relay_test_command(const Context& context, const RelayTest& test) {
  if (!are_addresses(context, test)) return EX_USAGE;
  auto chosen = choose(context, test);
  if (!chosen) return chosen.error();
  if (!add_login(context, test, chosen->relay)) return EX_USAGE;
  const Terminal& t = context.terminal;
  net::Loop loop(0, context.clock(), null_log());
  dns::Resolver resolver(chosen->loaded.settings.dns, context.clock());
  dns::ResolverSettings outside_dns = chosen->loaded.settings.dns;
  outside_dns.hosts = "/dev/null";
  outside_dns.timeout = std::min(outside_dns.timeout, chosen->loaded.settings.doctor.patience);
  dns::Resolver outside(outside_dns, context.clock());
  Run run{loop, resolver, outside, std::move(chosen->relay), {}, {}};
  if (chosen->configured) {
    for (const Sender& sender : senders_by(chosen->loaded, run.relay))
      run.options.senders.push_back({sender.address, sender.guessed});
    run.domains = test.from ? domains_of(chosen->loaded, run.relay, sender_of(*test.from).value_or(""))
                            : domains_in_use(chosen->loaded, {});
    run.options.max_message_size = largest_taken(chosen->loaded.settings);
  } else if (!is_this_machine(run.relay.host)) {
    run.domains =
        domains_of(chosen->loaded, run.relay, test.from ? sender_of(*test.from).value_or("") : run.relay.address);
  }
  run.options.send_to = test.send_to;
  run.options.hostname = chosen->loaded.settings.hostname;
  if (test.from) run.options.sender = sender_of(*test.from);
  if (test.transcript) {
    run.options.transcript = [&t](char direction, std::string_view line) {
      t.err << "  " << direction << " " << printable(line, 2000) << std::endl;
    };
  }
  const bool json = context.common.json;
  run.sink = [&t, json](const deliver::ProbeStep& step) {
    std::string text = json ? deliver::probe_json(step) : deliver::probe_text(step, t.colour);
    t.out << text << (text.ends_with('\n') ? "" : "\n") << std::flush;
  };
  loop.spawn("relay test", probe_and_stop(run));
  loop.run();
  return run.good ? EX_OK : EX_UNAVAILABLE;
}

}  // namespace sidegate::cli
