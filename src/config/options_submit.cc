// The keys at the top that say how programs of this machine send.
#include "base/i18n.h"
#include "config/option_checks.h"
#include "config/options.h"

namespace sidegate::config {

void add_submit_options(Table& global) {
  using intake::SubmitSettings;
  using intake::UserRules;
  constexpr auto kSubmit = &Settings::submit;
  using intake::UserSettings;
  constexpr auto kUsers = &Settings::users;
  constexpr Range kMost{"0", "1000000"};
  const Option rows[] = {
      {"submit_socket",
       Place(kSubmit, &SubmitSettings::socket).checked(check_submit_socket),
       "/run/sidegate/submit",
       {},
       Apply::kRestart,
       Secrecy::kOpen,
       N_("The Unix socket on which `sendmail` gives the server its mail; every user of this machine may. Empty: "
          "none.")},
      {"drop_directory",
       Place(kSubmit, &SubmitSettings::drop_directory).checked(check_path),
       "/var/lib/sidegate/drop",
       {},
       Apply::kRestart,
       Secrecy::kOpen,
       N_("Where `sendmail` leaves mail while the server is down; it is taken from there when the server is back. "
          "Empty: "
          "none.")},
      {"max_connections_per_user", Place(kUsers, &UserSettings::programs, &UserRules::connections), "100", kMost,
       Apply::kLive, Secrecy::kOpen,
       N_("Connections to submit_socket at the same time from one Unix user; the next is answered 421. 0: no limit.")},
      {"max_messages_per_minute_per_user", Place(kUsers, &UserSettings::programs, &UserRules::messages_per_minute), "0",
       kMost, Apply::kLive, Secrecy::kOpen,
       N_("Messages that one Unix user may send in a minute; the next ones are answered 450 or wait in drop_directory. "
          "0: "
          "no limit.")},
  };
  for (const Option& row : rows) global.options.push_back(row);
}

}  // namespace sidegate::config
