// The rows about addresses that become others: [rewrite], and what one relay has of its own.
#include "base/i18n.h"
#include "config/option_checks.h"
#include "config/options.h"

namespace sidegate::config {
namespace {

using rewrite::RulesText;
using enum Apply;
using enum Secrecy;

constexpr const char* kGeneric =
    N_("Addresses as they leave, in the envelope and in the header: { root = \"me@isp.example\", \"ann@nas.home\" = "
       "\"ann@example.org\", \"@localdomain\" = \"@example.org\" }. An address goes before a user's name (of this "
       "machine's domains), and that before a whole domain. Postfix: smtp_generic_maps.");
constexpr const char* kGenericFile =
    N_("The same from a file in Postfix's text form: \"/etc/postfix/generic\". What stands in generic goes first.");
constexpr const char* kMasqueradeDomains = N_(
    "Host names taken away: with [\"example.org\"] ann@nas.example.org leaves as ann@example.org. \"!lab.example.org\" "
    "before it: that host, and what is below it, stays.");
constexpr const char* kMasqueradeExceptions =
    N_("Who keeps the host name: users ([\"root\"]), addresses, and domains that are left as they are "
       "(\"lab.example.org\" with what is below it).");
constexpr const char* kMasqueradeClasses =
    N_("Where host names are taken away: envelope_sender, envelope_recipient, header_sender, header_recipient. Empty: "
       "all but envelope_recipient.");

// `whole`: of a block, the way to its RulesText.
template <typename Block, typename Member>
void add_outgoing(Table& t, Member Block::* rules) {
  auto at = [&](auto RulesText::* member) { return Place(rules, member); };
  auto file = [&](std::string RulesText::* member) { return Place(rules, member).checked(check_map_path); };
  t.options.push_back({"masquerade_domains", at(&RulesText::masquerade_domains).checked(check_masquerade_domain), "",
                       kAny, kLive, kOpen, kMasqueradeDomains});
  t.options.push_back(
      {"masquerade_exceptions", at(&RulesText::masquerade_exceptions), "", kAny, kLive, kOpen, kMasqueradeExceptions});
  t.options.push_back({"masquerade_classes", at(&RulesText::masquerade_classes).checked(check_address_class), "", kAny,
                       kLive, kOpen, kMasqueradeClasses});
  t.options.push_back({"generic", at(&RulesText::generic), "", kAny, kLive, kOpen, kGeneric});
  t.options.push_back({"generic_file", file(&RulesText::generic_file), "", kAny, kLive, kOpen, kGenericFile});
  t.options.push_back({"canonical_out", at(&RulesText::canonical_out), "", kAny, kLive, kOpen,
                       N_("Addresses as they leave, senders and recipients, before host names are taken away; asked "
                          "again for what it answers. A tag (user+tag) goes on.")});
  t.options.push_back({"canonical_out_file", file(&RulesText::canonical_out_file), "", kAny, kLive, kOpen,
                       N_("The same from a file in Postfix's text form.")});
  t.options.push_back({"sender_canonical_out", at(&RulesText::sender_canonical_out), "", kAny, kLive, kOpen,
                       N_("The same for senders alone: envelope, From, Sender, Reply-To.")});
  t.options.push_back({"sender_canonical_out_file", file(&RulesText::sender_canonical_out_file), "", kAny, kLive, kOpen,
                       N_("The same from a file in Postfix's text form.")});
  t.options.push_back({"recipient_canonical_out", at(&RulesText::recipient_canonical_out), "", kAny, kLive, kOpen,
                       N_("The same for recipients alone: envelope, To, Cc.")});
  t.options.push_back({"recipient_canonical_out_file", file(&RulesText::recipient_canonical_out_file), "", kAny, kLive,
                       kOpen, N_("The same from a file in Postfix's text form.")});
}

}  // namespace

Table rewrite_table() {
  Table t{"rewrite",
          false,
          N_("Addresses that become others: canonical maps as mail comes in, the rest as it leaves by any way that has "
             "no such key of its own. `sidegate explain sender` shows each step."),
          {}};
  auto at = [](auto RewriteSettings::* member) { return Place(&Settings::rewrite, member); };
  auto file = [](std::string RewriteSettings::* member) {
    return Place(&Settings::rewrite, member).checked(check_map_path);
  };
  add_outgoing(t, &Settings::rewrite_out);
  t.options.push_back({"canonical", at(&RewriteSettings::canonical), "", kAny, kLive, kOpen,
                       N_("Addresses as mail comes in, before aliases and routing: envelope, and the header of those "
                          "who may relay. { login = \"first.last@example.org\" }. Postfix: canonical_maps.")});
  t.options.push_back({"canonical_file", file(&RewriteSettings::canonical_file), "", kAny, kLive, kOpen,
                       N_("The same from a file in Postfix's text form: \"/etc/postfix/canonical\".")});
  t.options.push_back({"sender_canonical", at(&RewriteSettings::sender_canonical), "", kAny, kLive, kOpen,
                       N_("The same for senders alone: envelope, From, Sender, Reply-To.")});
  t.options.push_back({"sender_canonical_file", file(&RewriteSettings::sender_canonical_file), "", kAny, kLive, kOpen,
                       N_("The same from a file in Postfix's text form.")});
  t.options.push_back({"recipient_canonical", at(&RewriteSettings::recipient_canonical), "", kAny, kLive, kOpen,
                       N_("The same for recipients alone: envelope, To, Cc.")});
  t.options.push_back({"recipient_canonical_file", file(&RewriteSettings::recipient_canonical_file), "", kAny, kLive,
                       kOpen, N_("The same from a file in Postfix's text form.")});
  t.options.push_back({"canonical_classes", at(&RewriteSettings::canonical_classes).checked(check_address_class), "",
                       kAny, kLive, kOpen,
                       N_("Where canonical counts: envelope_sender, envelope_recipient, header_sender, "
                          "header_recipient. Empty: in all of "
                          "them.")});
  return t;
}

void add_relay_rewrite_options(Table& relay) {
  relay.options.push_back(
      {"rewrite", Place(&RelayBlock::rewrites), "true", kAny, kLive, kOpen,
       N_("Whether [rewrite] holds for this way too, where the keys below say nothing. Each of them "
          "takes the place of the one there.")});
  add_outgoing(relay, &RelayBlock::rewrite_text);
}

}  // namespace sidegate::config
