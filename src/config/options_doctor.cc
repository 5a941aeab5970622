// The [doctor] block.
#include "base/i18n.h"
#include "config/option_checks.h"
#include "config/options.h"
#include "doctor/targets.h"

namespace sidegate::config {

Table doctor_table() {
  using enum Apply;
  using enum Secrecy;
  return {
      "doctor",
      false,
      N_("Whom `sidegate doctor` connects to, to see which ports this network lets out. The server itself never does."),
      {
          {"targets", Place(&Settings::doctor, &doctor::Settings::targets).checked(doctor::check_target), "", Range{},
           kLive, kOpen,
           N_("Hosts in the world, best of unrelated owners: [\"mx.example.org:25\", \"smtp.example.net:465,587\"]; "
              "without "
              "a port all mail ports and 443 are tried. Nothing is sent but EHLO and QUIT. Empty: some well-known "
              "public "
              "mail hosts.")},
          {"patience",
           Place(&Settings::doctor, &doctor::Settings::patience),
           "4s",
           {"500ms", "1min"},
           kLive,
           kOpen,
           N_("How long a connection there, with what is said on it, may take.")},
      }};
}

}  // namespace sidegate::config
