// The [local] block.
#include "base/i18n.h"
#include "config/option_checks.h"
#include "config/options.h"

namespace sidegate::config {

using deliver::LocalSettings;

Table local_table() {
  using enum Apply;
  using enum Secrecy;
  return {
      "local",
      false,
      N_("Mail that ends on this machine: how mailboxes are written to, and with whose rights."),
      {
          {"delivery", Place(&Settings::local, &LocalSettings::delivery), "mbox", kAny, kLive, kOpen,
           N_("How mail reaches a user's mailbox: mbox (one file), maildir, lmtp (Dovecot or another server), command "
              "(procmail, maildrop), or discard.")},
          {"mbox", Place(&Settings::local, &LocalSettings::mbox).checked(check_mailbox_path), "/var/mail/%u", kAny,
           kLive, kOpen, N_("The file of delivery = \"mbox\". %u is the user, ~/ the user's home folder.")},
          {"maildir", Place(&Settings::local, &LocalSettings::maildir).checked(check_mailbox_path), "~/Maildir/", kAny,
           kLive, kOpen, N_("The folder of delivery = \"maildir\"; it is made where it is missing.")},
          {"lmtp", Place(&Settings::local, &LocalSettings::lmtp).checked(check_lmtp), "", kAny, kLive, kOpen,
           N_("Where delivery = \"lmtp\" finds the server: a Unix socket (\"/run/dovecot/lmtp\") or \"host:port\".")},
          {"command", Place(&Settings::local, &LocalSettings::command), "", kAny, kLive, kOpen,
           N_("The program of delivery = \"command\": it runs as the user, in the user's home folder, with the message "
              "on "
              "its standard input.")},
          {"default_user", Place(&Settings::local, &LocalSettings::default_user).checked(check_unix_user), "nobody",
           kAny, kLive, kOpen,
           N_("With whose rights commands and files of alias files are used, and root's mail is delivered; never "
              "root's.")},
          {"connections",
           Place(&Settings::local, &LocalSettings::connections),
           "20",
           {"1", "1000"},
           kLive,
           kOpen,
           N_("Deliveries at the same time; one command gets a quarter of them at most.")},
          {"command_timeout",
           Place(&Settings::local, &LocalSettings::command_timeout),
           "1000s",
           {"1s", "1d"},
           kLive,
           kOpen,
           N_("How long a command may run before it is ended; the message is then tried again.")},
      }};
}

}  // namespace sidegate::config
