// The [[route]] blocks.
#include "base/i18n.h"
#include "config/option_checks.h"
#include "config/options.h"

namespace sidegate::config {
namespace {

Status set_one_or_list(void* member, const Value& value, const Range& range) {
  const Codec& lists = codec<std::vector<std::string>>();
  if (value.plain && value.string.empty()) {  // "" means nobody, as it does in the file
    Value one;
    one.kind = Value::Kind::kList;
    one.list.emplace_back();
    one.where = value.where;
    return lists.set(member, one, range);
  }
  if (value.plain || value.kind != Value::Kind::kString) return lists.set(member, value, range);
  Value list;
  list.kind = Value::Kind::kList;
  list.list = {value};
  list.where = value.where;
  return lists.set(member, list, range);
}

}  // namespace

const Codec& one_or_list_codec() {
  static const Codec kCodec = {"text or list", set_one_or_list, codec<std::vector<std::string>>().text, nullptr};
  return kCodec;
}

Table route_table() {
  using enum Apply;
  using enum Secrecy;
  using deliver::RouteSettings;
  using route::RouteConditions;
  return {
      "route",
      true,
      N_("Which mail leaves by which way. The first block whose conditions all fit decides; where none fits, mail goes "
         "by the relays in the order of the file, or direct where there is none. A condition that is not given fits "
         "everything. Mail for a [[relay_domain]] goes to its next_hop whatever ways a block names; the other actions "
         "count for it too. Mail for local_domains ends here, and no block is asked."),
      {
          {"sender", Place(&RouteSettings::conditions, &RouteConditions::senders).one_or_list(), "", kAny, kLive, kOpen,
           N_("The sender of the envelope: \"me@example.org\", \"@example.org\", \"@.example.org\" (domains below it), "
              "\"/regex/\", \"<>\" (reports). One, or a list of which one must fit.")},
          {"recipient", Place(&RouteSettings::conditions, &RouteConditions::recipients).one_or_list(), "", kAny, kLive,
           kOpen, N_("The recipient's domain: \"example.org\", \".example.org\" (domains below it), \"/regex/\".")},
          {"user", Place(&RouteSettings::conditions, &RouteConditions::users).one_or_list(), "", kAny, kLive, kOpen,
           N_("Who has logged in, or the Unix user of a program: \"taro\", \"*@example.org\", \"*\" (anyone), \"\" "
              "(nobody).")},
          {"listener", Place(&RouteSettings::conditions, &RouteConditions::listeners).one_or_list(), "", kAny, kLive,
           kOpen, N_("The name of the listener it came in by; \"submit\" for programs of this machine.")},
          {"ways", Place(&RouteSettings::ways).one_or_list(), "", kAny, kLive, kOpen,
           N_("Names of relays, or \"direct\": the first that is up takes it.")},
          {"action", Place(&RouteSettings::action), "ways", kAny, kLive, kOpen,
           N_("ways: by its ways. discard: it is taken and thrown away. hold: it is taken and held until `sidegate "
              "queue release`, and goes then as if this route were not there. fail: it is refused with text (550 at "
              "RCPT; returned to its sender where an alias leads there). local: to the mailbox of the address's local "
              "part. lmtp: to [local] lmtp.")},
          {"text", Place(&RouteSettings::text), "", kAny, kLive, kOpen,
           N_("What the sender is told, with action = \"fail\": \"we do not write there\", or with its codes, \"550 "
              "5.1.2 "
              "no such place\".")},
      }};
}

}  // namespace sidegate::config
