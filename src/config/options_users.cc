// The [users] block and the [[user_rule]] blocks: the same keys, for everybody and for some.
#include "base/i18n.h"
#include "config/option_checks.h"
#include "config/options.h"

namespace sidegate::config {
namespace {

using intake::UserRules;
using enum Apply;
using enum Secrecy;

template <typename Make>
std::vector<Option> rules(Make place) {
  return {
      {"foreign_sender", place(&UserRules::foreign_sender), "auto", kAny, kLive, kOpen,
       N_("What becomes of mail whose sender (in the envelope, From or Sender) is none of the user's own. reject: it "
          "is "
          "refused. rewrite: it leaves as from the user's first own address, the old From in Reply-To. warn: it goes, "
          "and a line in the log tells of it. auto: reject where senders lists addresses, else warn.")},
      {"priority", place(&UserRules::priority), "auto", kAny, kLive, kOpen,
       N_("Which of the user's mail goes first where not all can go at once. alarm: before other mail. bulk: after it. "
          "usual: neither. auto: what root's programs, cron and the system's users report is an alarm, what a mailing "
          "list or a mass mailer marks as such (Precedence, List-Id, List-Unsubscribe) is bulk.")},
      {"messages_per_minute", place(&UserRules::messages_per_minute), "0", kCount, kLive, kOpen,
       N_("Messages that one user may send within any minute; more are answered 450 until there is room. 0: no "
          "limit.")},
      {"messages_per_hour", place(&UserRules::messages_per_hour), "0", kCount, kLive, kOpen,
       N_("The same within any hour.")},
      {"messages_per_day", place(&UserRules::messages_per_day), "0", kCount, kLive, kOpen,
       N_("The same within any 24 hours.")},
      {"recipients_per_minute", place(&UserRules::recipients_per_minute), "0", kCount, kLive, kOpen,
       N_("Recipients, all messages together, within any minute; more are answered 452. 0: no limit.")},
      {"recipients_per_hour", place(&UserRules::recipients_per_hour), "0", kCount, kLive, kOpen,
       N_("The same within any hour.")},
      {"recipients_per_day", place(&UserRules::recipients_per_day), "0", kCount, kLive, kOpen,
       N_("The same within any 24 hours.")},
      {"bytes_per_day", place(&UserRules::bytes_per_day).as_size(), "0", kAny, kLive, kOpen,
       N_("Octets of all messages together within any 24 hours; more are answered 452. 0: no limit.")},
      {"connections", place(&UserRules::connections), "100", kCount, kLive, kOpen,
       N_("Connections at the same time on which one user has logged in; the next login is answered 421. 0: no "
          "limit.")},
      {"suspend_factor",
       place(&UserRules::suspend_factor),
       "10",
       {"0", "1000000"},
       kLive,
       kOpen,
       N_("A user who sends to more recipients within an hour than this many times what is usual for him is suspended: "
          "his mail stays in the queue, the postmaster is told, `sidegate user resume NAME` lets him go on. 0: "
          "never.")},
      {"suspend_floor", place(&UserRules::suspend_floor), "200", kCount, kLive, kOpen,
       N_("But never for so many recipients within an hour or fewer, however little is usual.")},
  };
}

}  // namespace

Table users_table() {
  return {"users", false, N_("What users who log in may do; a [[user_rule]] says otherwise for some."),
          rules([](auto member) { return Place(&Settings::users, &intake::UserSettings::everybody, member); })};
}

Table user_rule_table() {
  Table table{
      "user_rule",
      true,
      N_("What one user may do, or all whose name fits a pattern. The block of that very name counts, else the first "
         "whose pattern fits; what it does not say is as in [users]. A block of that very name holds for a Unix user "
         "who sends without logging in too."),
      {
          {"name", Place(&UserRules::name).checked(check_user_pattern), "", kAny, kLive, kOpen,
           N_("Who: the name to log in with, \"taro@example.jp\", or a pattern, \"*@example.jp\"."), true},
          {"senders", Place(&UserRules::senders).checked(check_sender), "", kAny, kLive, kOpen,
           N_("Whose addresses are the user's own: \"info@example.jp\", \"@example.jp\" for all of a domain, \"*\" for "
              "all there are. His name where it is an address, his name at local_domains, aliases that lead to him "
              "alone, and each of them with a tag are his own without being listed.")},
      }};
  for (Option& option : rules([](auto member) { return Place(member); })) table.options.push_back(std::move(option));
  return table;
}

}  // namespace sidegate::config
