#include "cli/commands.h"
#include "cli/programs.h"

namespace sidegate::cli {

// Alias files are read directly: there is nothing to build, only something to check.
int newaliases_command(const Context& context) {
  return aliases_check_command(context);
}

}  // namespace sidegate::cli
