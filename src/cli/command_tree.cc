// Which commands and options there are. Every word of help is translated.
#include <CLI/CLI.hpp>
#include <csignal>

#include "base/i18n.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/programs.h"
#include "config/codec.h"

namespace sidegate::cli {
namespace {

// Everything that arguments fill; lives as long as the parser.
struct Arguments {
  Common common;
  admin::Request request;
  RelayTest relay;
  ListenerCheck check;
  DoctorCommand doctor;
  AutoconfigCommand autoconfig;
  UserCommand user;
  ReplyCommand reply;
  SenderQuestion sender;
  DkimCommand dkim;
  std::string key, domain;
  std::vector<std::string> addresses;
  ExplainRoute route;
  std::string tls_domain;
  std::function<int(const Context&)> chosen;
};

using Action = std::function<int(const Context&)>;

CLI::App* command(CLI::App& above, Arguments& a, const char* name, const char* help, Action action) {
  CLI::App* app = above.add_subcommand(name, _(help));
  app->fallthrough();  // --config may stand behind the command
  app->callback([&a, action = std::move(action)] { a.chosen = action; });
  return app;
}

CLI::App* group(CLI::App& above, const char* name, const char* help) {
  CLI::App* app = above.add_subcommand(name, _(help));
  app->fallthrough()->require_subcommand(1);
  return app;
}

void add_json(CLI::App* app, Arguments& a) {
  app->add_flag("--json", a.common.json, _("one JSON object a line, for programs"));
}

void add_selection(CLI::App* app, Arguments& a, bool writes) {
  admin::Selection& s = a.request.selection;
  app->add_option("ID", s.ids, _("queue ids"));
  app->add_option("--to", s.to, _("messages to this recipient; part of an address, or @domain"));
  app->add_option("--from", s.from, _("messages from this sender; part of an address, or @domain"));
  app->add_option("--relay", s.relay, _("messages that are to leave by this relay"));
  if (!writes) return;
  app->add_flag("--all", s.all, _("every message in the queue"));
  app->add_flag("--dry-run", a.request.dry_run, _("only show what would be done"));
}

void add_queue(CLI::App& root, Arguments& a) {
  CLI::App* queue = group(root, "queue", N_("look at the queue and change it"));
  struct Row {
    const char* name;
    admin::Verb verb;
    const char* help;
  };
  static constexpr Row kRows[] = {
      {"list", admin::Verb::kList, N_("the messages in the queue; works while the server is down")},
      {"show", admin::Verb::kShow, N_("one message: every attempt, what was said and what it means")},
      {"retry", admin::Verb::kRetry, N_("try now")},
      {"hold", admin::Verb::kHold, N_("do not try until released")},
      {"release", admin::Verb::kRelease, N_("let held messages go, and try now")},
      {"delete", admin::Verb::kDelete, N_("remove for good, without a report to the sender")},
  };
  for (const Row& row : kRows) {
    CLI::App* app = command(*queue, a, row.name, row.help, [&a, verb = row.verb](const Context& context) {
      a.request.verb = verb;
      return queue_command(context, a.request);
    });
    add_json(app, a);
    if (row.verb == admin::Verb::kShow) {
      app->add_option("ID", a.request.selection.ids, _("queue ids"))->required();
      continue;
    }
    add_selection(app, a, admin::writes(row.verb));
    if (row.verb == admin::Verb::kList)
      app->add_option("--limit", a.request.limit, _("show at most this many"))->check(CLI::PositiveNumber);
  }
}

void add_config(CLI::App& root, Arguments& a) {
  CLI::App* config = group(root, "config", N_("check and explain the configuration"));
  add_json(command(*config, a, "check", N_("say everything that is wrong or unwise"), config_check), a);
  add_json(command(*config, a, "show", N_("everything in force, secrets masked"),
                   [](const Context& c) { return config_show(c, false); }),
           a);
  add_json(command(*config, a, "diff", N_("what differs from the defaults, and where it was set"),
                   [](const Context& c) { return config_show(c, true); }),
           a);
  command(*config, a, "default", N_("a complete file with every key, commented"), config_default);
  CLI::App* explain = command(*config, a, "explain", N_("what a key means"),
                              [&a](const Context& c) { return config_explain(c, a.key); });
  explain->add_option("KEY", a.key, _("relay.host, host, [relay], SIDEGATE_RELAY_0_HOST"))->required();
  command(*config, a, "reference", N_("the reference as Markdown"), config_reference);
  add_json(command(*config, a, "providers", N_("the providers that provider = \"...\" knows"), config_providers), a);
  CLI::App* autoconfig =
      command(*config, a, "autoconfig", N_("what mail clients look for to set themselves up: an XML file, DNS records"),
              [&a](const Context& c) { return config_autoconfig(c, a.autoconfig); });
  autoconfig->add_option("--domain", a.autoconfig.domain,
                         _("of the users' addresses; default the first of local_domains"));
  autoconfig->add_option("--imap", a.autoconfig.imap_host, _("the host where their mail is read (IMAP, port 993)"));
  autoconfig->add_flag("--dns", a.autoconfig.records, _("the records for the zone (SRV, MX)"));
}

void add_aliases(CLI::App& root, Arguments& a) {
  CLI::App* aliases = group(root, "aliases", N_("where mail for this machine's names goes"));
  add_json(command(*aliases, a, "check", N_("read the alias files and say what is wrong in them; builds nothing"),
                   aliases_check_command),
           a);
  CLI::App* explain = group(root, "explain", N_("why something goes where it goes"));
  CLI::App* address = command(*explain, a, "address", N_("every step from an address to its way out; nothing is sent"),
                              [&a](const Context& c) { return explain_address_command(c, a.addresses); });
  add_json(address, a);
  address->add_option("ADDR", a.addresses, _("addresses: root, taro@example.org"))->required();
  CLI::App* reply = command(*explain, a, "reply", N_("what a server's reply means, and what then becomes of the mail"),
                            [&a](const Context& c) { return explain_reply_command(c, a.reply); });
  add_json(reply, a);
  reply->add_option("REPLY", a.reply.reply, _("as the server said it: \"550 5.7.1 ...\""))->required();
  reply->add_option("--way", a.reply.way, _("the way out that said it: a relay's name, or direct"));
  reply
      ->add_option("--stage", a.reply.stage,
                   _("in answer to what: greeting, ehlo, starttls, auth, mail, rcpt, data, final"))
      ->check(CLI::IsMember({"greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "final"}));
  CLI::App* sender = command(*explain, a, "sender", N_("as whom mail from an address leaves, and by which rule"),
                             [&a](const Context& c) { return explain_sender_command(c, a.sender); });
  add_json(sender, a);
  sender->add_option("--from", a.sender.from, _("the envelope sender: root, taro@example.org, <>"))->required();
  sender->add_option("--header-from", a.sender.header_from, _("the address in From, where it is another one"));
  sender->add_option("--way", a.sender.way, _("one way out alone: a relay's name, or direct"));
  CLI::App* route =
      command(*explain, a, "route", N_("which way a message would leave by, rule by rule; nothing is sent"),
              [&a](const Context& c) { return explain_route_command(c, a.route); });
  add_json(route, a);
  route->add_option("--from", a.route.from, _("the sender; <> for reports"))->required();
  route->add_option("--to", a.route.to, _("the recipient"))->required();
  route->add_option("--user", a.route.user, _("who has logged in, or the program's Unix user"));
  route->add_option("--listener", a.route.listener, _("the name of the listener it came in by"));
  CLI::App* tls = command(*explain, a, "tls", N_("what TLS with a domain's mail servers must be, and by whose word"),
                          [&a](const Context& c) { return explain_tls_command(c, a.tls_domain); });
  add_json(tls, a);
  tls->add_option("DOMAIN", a.tls_domain, _("the recipient's domain"))->required();
  CLI::App* sts =
      command(*explain, a, "sts", N_("the MTA-STS policy of a domain: its record, what is in force, and for how long"),
              [&a](const Context& c) { return explain_sts_command(c, a.domain); });
  add_json(sts, a);
  sts->add_option("DOMAIN", a.domain, _("a recipient's domain"))->required();
}

void add_tls(CLI::App& root, Arguments& a) {
  CLI::App* tls = group(root, "tls", N_("TLS towards the servers of other domains"));
  CLI::App* report =
      command(*tls, a, "report", N_("how sessions went by day, domain and policy, as TLS reports count them"),
              [&a](const Context& c) { return tls_report_command(c, a.domain); });
  add_json(report, a);
  report->add_option("DOMAIN", a.domain, _("of this domain alone"));
}

void add_dkim(CLI::App& root, Arguments& a) {
  CLI::App* dkim = group(root, "dkim", N_("keys that sign mail of your domains"));
  CLI::App* fresh = command(*dkim, a, "new", N_("make a key; says what to publish and what to write"),
                            [&a](const Context& c) { return dkim_new_command(c, a.dkim); });
  add_json(fresh, a);
  fresh->add_option("DOMAIN", a.dkim.domain, _("the domain of From"))->required();
  fresh->add_option("--selector", a.dkim.selector, _("the record's name; default sg with year and month"));
  fresh->add_option("--algorithm", a.dkim.algorithm, _("rsa (2048 bits; default), ed25519, or both"));
  fresh->add_option("--directory", a.dkim.directory, _("where the key is written; default /etc/sidegate/dkim"));
  fresh->add_flag("--dry-run", a.dkim.dry_run, _("write nothing"));
  add_json(command(*dkim, a, "show", N_("the records of the keys in the configuration"), dkim_show_command), a);
}

void add_relay(CLI::App& root, Arguments& a) {
  CLI::App* relay = group(root, "relay", N_("ways out"));
  CLI::App* test = command(*relay, a, "test", N_("try a relay step by step; nothing is sent without --send-to"),
                           [&a](const Context& c) { return relay_test_command(c, a.relay); });
  add_json(test, a);
  test->add_option("NAME", a.relay.target, _("a relay of the configuration, or host:port"));
  test->add_option("--user", a.relay.user, _("name to log in with; the password is asked for"));
  test->add_option("--password-file", a.relay.password_file, _("file that holds the password"));
  // Not as an optional: CLI11 takes an empty word for none, and here it is the null sender.
  test->add_option_function<std::string>(
      "--from", [&a](const std::string& text) { a.relay.from = text; },
      _("address for MAIL FROM, <> for the null sender; default each that mail "
        "leaves as"));
  test->add_option("--send-to", a.relay.send_to, _("send one real test message to this address"));
  test->add_option("--tls", a.relay.tls,
                   _("starttls, implicit, none or opportunistic; default as the relay's block says"));
  test->add_option("--ca-file", a.relay.ca_file, _("CA certificates to trust instead of the system's"));
  test->add_option("--mechanism", a.relay.mechanisms, _("login mechanism to use; may be given several times"));
  test->add_flag("--transcript", a.relay.transcript, _("show the dialogue, secrets masked"));
}

void add_check(CLI::App& root, Arguments& a) {
  CLI::App* check = group(root, "check", N_("look at what runs as a stranger would"));
  CLI::App* listeners =
      command(*check, a, "listeners", N_("is anything wrong with the ports for mail? Nothing is sent"),
              [&a](const Context& c) { return check_listeners_command(c, a.check); });
  add_json(listeners, a);
  listeners->add_option("HOST", a.check.host, _("another host; without it this machine's own listeners"));
  listeners->add_option("--port", a.check.ports,
                        _("a port of HOST: 587, 10025/smtp (smtp, submission, submissions); default 25, 465 and 587"));
  listeners->add_option("--rcpt", a.check.recipient,
                        _("an address of HOST that must be taken on port 25; default postmaster"));
  listeners->add_option("--away", a.check.away, _("an address elsewhere to which nobody may relay; it gets nothing"));
  listeners->add_option("--ca-file", a.check.ca_file, _("CA certificates to trust instead of the system's"));
  listeners->add_flag("--transcript", a.check.transcript, _("show the dialogue"));
}

void add_doctor(CLI::App& root, Arguments& a) {
  CLI::App* doctor = command(root, a, "doctor",
                             N_("what is right and wrong here, and what to do: the network, this machine, the relays"),
                             [&a](const Context& c) { return doctor_command(c, a.doctor); });
  add_json(doctor, a);
  doctor->add_option("--only", a.doctor.only, _("look at this alone: network, machine, listeners, relays, domains"));
  doctor->add_flag("--offline", a.doctor.offline, _("nothing that leaves this machine"));
}

void add_users(CLI::App& root, Arguments& a) {
  CLI::App* users = group(root, "user", N_("who may log in to send mail"));
  users->add_option("--file", a.user.file, _("users file, instead of the configuration's"));
  struct Row {
    const char* name;
    const char* help;
    bool password;
    int (*run)(const Context&, const UserCommand&);
  };
  static constexpr Row kRows[] = {
      {"add", N_("a new user; the password is asked for twice"), true, user_add_command},
      {"passwd", N_("another password"), true, user_passwd_command},
      {"disable", N_("no login until enabled again"), false,
       [](const Context& c, const UserCommand& u) { return user_enable_command(c, u, false); }},
      {"enable", N_("let a disabled user log in again"), false,
       [](const Context& c, const UserCommand& u) { return user_enable_command(c, u, true); }},
      {"delete", N_("remove a user"), false, user_delete_command},
      {"suspend", N_("take no mail from a user, and keep what is in the queue, until resumed; of any back end"), false,
       [](const Context& c, const UserCommand& u) { return user_suspend_command(c, u, true); }},
      {"resume", N_("let a suspended user and his mail go on"), false,
       [](const Context& c, const UserCommand& u) { return user_suspend_command(c, u, false); }},
  };
  for (const Row& row : kRows) {
    CLI::App* app =
        command(*users, a, row.name, row.help, [&a, run = row.run](const Context& c) { return run(c, a.user); });
    app->add_option("NAME", a.user.name, _("the user's name: me, me@example.org"))->required();
    app->add_flag("--dry-run", a.user.dry_run, _("only show what would be done"));
    if (std::string_view(row.name) == "suspend")
      app->add_option("--reason", a.user.reason, _("why: the user and `sidegate status` are told"));
    if (!row.password) continue;
    app->add_option("--password-file", a.user.password_file, _("file that holds the password; - is standard input"));
    app->add_flag("--no-scram", a.user.no_scram, _("keep no SCRAM keys, only the hash"));
    app->add_flag("--cram-md5", a.user.cram, _("keep the password itself too, for CRAM-MD5"));
  }
  add_json(command(*users, a, "list", N_("all users, how they may log in and what they have sent"),
                   [&a](const Context& c) { return user_list_command(c, a.user); }),
           a);
}

void build(CLI::App& root, Arguments& a) {
  root.require_subcommand(1);
  root.fallthrough();
  root.add_option("-c,--config", a.common.config,
                  _("configuration file; default $SIDEGATE_CONFIG, then /etc/sidegate/sidegate.toml"));
  root.add_option("--socket", a.common.socket, _("control socket, instead of the configuration's"));
  command(root, a, "run", N_("run the server in the foreground"), run_command);
  add_json(command(root, a, "status", N_("how the running server is"), status_command), a);
  add_json(command(root, a, "reload", N_("load the configuration again; a bad one changes nothing"), reload_command),
           a);
  add_queue(root, a);
  add_config(root, a);
  add_dkim(root, a);
  add_relay(root, a);
  add_check(root, a);
  add_doctor(root, a);
  add_users(root, a);
  add_aliases(root, a);
  add_tls(root, a);
  add_json(command(root, a, "version", N_("the version"), version_command), a);
}

// "did you mean ...?" for a mistyped command, else where the help is.
std::string near_command(const CLI::App& at, const std::string& word, const std::string& path,
                         const std::string& help) {
  std::vector<std::string> names;
  for (const CLI::App* app : at.get_subcommands({})) names.push_back(app->get_name());
  std::vector<std::string_view> views(names.begin(), names.end());
  const std::string_view near = config::suggest(word, views);
  return near.empty() ? help : tr("did you mean {} {}?", path, near);
}

// CLI11's exceptions become its own help on out, or one error with the way to help.
int show_parse_result(const CLI::App& root, const CLI::ParseError& error, const Terminal& terminal) {
  if (error.get_exit_code() == 0) {  // --help
    root.exit(error, terminal.out, terminal.err);
    return EX_OK;
  }
  const CLI::App* at = &root;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  std::string path;
  for (const CLI::App* app = at; app != nullptr; app = app->get_parent())
    path = app->get_name() + (path.empty() ? "" : " ") + path;
  const std::string help = tr("help: {} --help", path);
  // CLI11 says of an unknown command that one is missing.
  for (const std::string& word : root.remaining(true)) {
    if (word.starts_with('-') || at->get_subcommands({}).empty()) continue;
    terminal.error(tr("there is no command \"{} {}\"", path, printable(word, 60)), near_command(*at, word, path, help));
    return EX_USAGE;
  }
  terminal.error(printable(error.what(), 300), help);
  return EX_USAGE;
}

}  // namespace

int run(const std::vector<std::string>& arguments, const Hooks& hooks, const Terminal& terminal) {
  Arguments a;
  CLI::App root{_("Sidegate takes mail and brings it out through a provider's submission port."), "sidegate"};
  try {
    build(root, a);
    root.set_version_flag("-V,--version", fmt::format("sidegate {}", hooks.version), _("the version"));
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
    root.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    return show_parse_result(root, error, terminal);
  }
  if (a.common.json) speak_no_language();
  const Context context{hooks, terminal, a.common};
  return a.chosen ? a.chosen(context) : EX_USAGE;
}

int run(int argc, char** argv, const Hooks& hooks) {
  use_language_of_environment(SIDEGATE_LOCALE_DIR);
  const std::vector<std::string> line(argv, argv + argc);
  if (const Program program = program_in(line); !program.name.empty())
    return run_program(program, hooks, Terminal::of_process());
  return run(std::vector<std::string>(argv + std::min(argc, 1), argv + argc), hooks, Terminal::of_process());
}

}  // namespace sidegate::cli
