// The commands themselves, after their arguments were read. Each returns an exit code.
#pragma once

#include <sysexits.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "admin/protocol.h"
#include "alias/problem.h"
#include "cli/cli.h"

namespace sidegate::cli {

struct Common {  // options that every command takes
  std::string config;
  std::string socket;  // instead of the configuration's
  bool json = false;
};

struct Context {
  const Hooks& hooks;
  const Terminal& terminal;
  Common common;

  config::LoadRequest request() const;
  // Loads, or says what is wrong and returns nothing. files: passwords and CA files are read too.
  std::optional<config::Loaded> load(bool files, bool show_warnings) const;
  Clock& clock() const { return hooks.clock != nullptr ? *hooks.clock : system_clock(); }
};

struct RelayTest {
  std::string target;  // a relay's name, "host", "host:port"; empty: the only relay there is
  std::string user, password_file, send_to, tls, ca_file;
  std::optional<std::string> from;  // as it was typed
  std::vector<std::string> mechanisms;
  bool transcript = false;
};

struct ListenerCheck {             // `sidegate check listeners`
  std::string host;                // empty: our own listeners, by the configuration
  std::vector<std::string> ports;  // "587", "10025/smtp"; empty: 25, 465 and 587
  std::string recipient, away, ca_file;
  bool transcript = false;
};

struct DoctorCommand {            // `sidegate doctor`
  std::vector<std::string> only;  // sections: "network", "machine", ...; empty: all
  bool offline = false;           // nothing that leaves this machine
};

struct AutoconfigCommand {  // `sidegate config autoconfig`
  std::string domain;       // empty: the first of local_domains
  std::string imap_host;    // empty: not told
  bool records = false;     // DNS records in place of the XML file
};

struct SenderQuestion {  // `sidegate explain sender`
  std::string from, header_from, way;
};

struct DkimCommand {  // `sidegate dkim new`
  std::string domain, selector, algorithm = "rsa", directory = "/etc/sidegate/dkim";
  bool dry_run = false;
};

struct UserCommand {  // `sidegate user ...`
  std::string name;
  std::string file;           // instead of the configuration's users_file
  std::string password_file;  // "-": standard input; empty: asked for
  bool no_scram = false, cram = false, dry_run = false;
  std::string reason;  // of a suspension
};

struct ReplyCommand {
  std::string reply;  // "550 5.7.1 ..."
  std::string way, stage;
};

int run_command(const Context& context);
int status_command(const Context& context);
int reload_command(const Context& context);
int version_command(const Context& context);
int queue_command(const Context& context, const admin::Request& request);
int config_check(const Context& context);
int config_show(const Context& context, bool only_changed);
int config_default(const Context& context);
int config_explain(const Context& context, const std::string& key);
int config_reference(const Context& context);
int config_autoconfig(const Context& context, const AutoconfigCommand& command);
int explain_reply_command(const Context& context, const ReplyCommand& command);
int config_providers(const Context& context);
int explain_address_command(const Context& context, const std::vector<std::string>& addresses);
int dkim_new_command(const Context& context, const DkimCommand& asked);
int dkim_show_command(const Context& context);
int explain_sender_command(const Context& context, const SenderQuestion& asked);
struct ExplainRoute {  // `sidegate explain route`
  std::string from, to, user, listener;
};
int explain_route_command(const Context& context, const ExplainRoute& what);
// What TLS with the mail servers of a domain must be, asked of the DNS as direct delivery asks. Nothing is connected
// to.
int explain_tls_command(const Context& context, const std::string& domain);
int explain_sts_command(const Context& context, const std::string& domain);
int tls_report_command(const Context& context, const std::string& domain);  // empty: of all
// What newaliases(1) does: reads the alias files and says what is in them and what is wrong. Builds nothing.
int aliases_check_command(const Context& context);
int user_add_command(const Context& context, const UserCommand& command);
int user_passwd_command(const Context& context, const UserCommand& command);
int user_enable_command(const Context& context, const UserCommand& command, bool enable);
int user_delete_command(const Context& context, const UserCommand& command);
int user_suspend_command(const Context& context, const UserCommand& command, bool suspend);
int user_list_command(const Context& context, const UserCommand& command);
int check_listeners_command(const Context& context, const ListenerCheck& check);
// 0: all is well; 1: warnings; 2: broken.
int doctor_command(const Context& context, const DoctorCommand& command);
int relay_test_command(const Context& context, const RelayTest& test);

// What is wrong with the aliases of a configuration, for `config check`.
alias::Problems alias_problems(const config::Settings& settings);

// An Error as an exit code, and the next step a person takes.
int exit_code(ErrorKind kind);
int report(const Context& context, const Error& error, const std::string& next = {});

}  // namespace sidegate::cli
