#include "cli/programs.h"

#include <cstdlib>

#include "base/i18n.h"
#include "base/text.h"
#include "submit/paths.h"
#include "submit/sendmail.h"

namespace sidegate::cli {
namespace {

// -q, -qR, -qI: tried again now.
int flush(const Context& context, const submit::Arguments& arguments) {
  admin::Request request;
  request.verb = admin::Verb::kRetry;
  if (!arguments.flush_id.empty()) {
    request.selection.ids = {arguments.flush_id};
  } else if (!arguments.flush_site.empty()) {
    request.selection.to = "@" + arguments.flush_site;
  } else {
    request.selection.all = true;
  }
  return queue_command(context, request);
}

int other_than_sending(const Context& context, const submit::Arguments& arguments) {
  switch (arguments.mode) {
    case submit::Mode::kMailq:
      return mailq_command(context);
    case submit::Mode::kNewaliases:
      return newaliases_command(context);
    case submit::Mode::kFlush:
      return flush(context, arguments);
    case submit::Mode::kDialogue:
      return offline_dialogue(submit::find_paths(arguments.config).drop_directory);
    default:
      return EX_USAGE;
  }
}

}  // namespace

Program program_in(const std::vector<std::string>& line) {
  Program program;
  if (line.empty()) return program;
  program.name = submit::program_of(line[0]);
  if (!program.name.empty()) {
    program.arguments.assign(line.begin() + 1, line.end());
    return program;
  }
  std::size_t at = 1;
  for (; at < line.size(); ++at) {
    const std::string& word = line[at];
    if ((word == "--config" || word == "-c") && at + 1 < line.size()) {
      program.config = line[++at];
    } else if (word.starts_with("--config=")) {
      program.config = word.substr(9);
    } else {
      break;
    }
  }
  if (at == line.size() || submit::program_of(line[at]) != line[at]) return {};
  program.name = line[at];
  program.arguments.assign(line.begin() + static_cast<std::ptrdiff_t>(at) + 1, line.end());
  return program;
}

int run_program(const Program& program, const Hooks& hooks, const Terminal& terminal) {
  if (!program.config.empty()) ::setenv("SIDEGATE_CONFIG", program.config.c_str(), 1);
  return submit::run(program.name, program.arguments, [&](const submit::Arguments& arguments) {
    Common common;
    // -C of other servers' files means nothing here.
    if (arguments.config.ends_with(".toml")) common.config = arguments.config;
    return other_than_sending(Context{hooks, terminal, common}, arguments);
  });
}

}  // namespace sidegate::cli
