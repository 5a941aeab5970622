// `sendmail`, `mailq` and `newaliases`: the same binary under other names, and `sidegate sendmail ...`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "admin/protocol.h"
#include "cli/commands.h"

namespace sidegate::cli {

// Which of the three this command line is for, and the arguments behind it; empty: none of them.
struct Program {
  std::string name;
  std::vector<std::string> arguments;
  std::string config;  // of "sidegate --config FILE sendmail ..."
};
Program program_in(const std::vector<std::string>& command_line);  // with argv[0]

int run_program(const Program& program, const Hooks& hooks, const Terminal& terminal);

// `mailq`: what Postfix's prints, for the scripts that read it.
int mailq_command(const Context& context);
// `newaliases`: there is nothing to build; the files are checked.
int newaliases_command(const Context& context);
// `sendmail -bs` while the server is down: a server of our own, which drops what it is given.
int offline_dialogue(const std::string& drop_directory);

// One message of `mailq` from a row of `queue list`, and the line that ends it. Pure; times are local.
struct MailqSum {
  unsigned long long octets = 0, messages = 0;
};
std::string mailq_text(const std::string& row, MailqSum& sum);
std::string mailq_end(const MailqSum& sum);

}  // namespace sidegate::cli
