#include "base/i18n.h"
#include "cli/programs.h"

namespace sidegate::cli {

int newaliases_command(const Context& context) {
  return config_check(context);
}

}  // namespace sidegate::cli
