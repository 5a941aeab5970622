#include "deliver/sender_story.h"

#include "base/text.h"
#include "deliver/guise.h"
#include "mail/header.h"
#include "rewrite/address_list.h"
#include "rewrite/address_map.h"
#include "rewrite/identity.h"

namespace sidegate::deliver {
namespace {

std::string address_in(const std::string& header) {
  auto list = rewrite::parse_address_list(mail::field_value(header, "From"));
  return list && !list->addresses.empty() ? list->addresses[0].address : std::string();
}

// What the identity rule makes of an address, as a step.
void by_identity(const RelaySettings& way, const std::string& before, const std::string& after, rewrite::Steps& steps) {
  if (before == after) return;
  const bool listed = way.identity == Identity::kAllowed;
  steps.push_back({"identity", before, after, listed ? "allowed" : "account", {}});
}

}  // namespace

SenderStory tell_sender(const RelaySettings& way, const DeliverSettings& settings, const std::string& envelope,
                        const std::string& from) {
  SenderStory story;
  const rewrite::Outgoing* rules = rules_of(way, settings);
  story.envelope = envelope;
  if (rules) story.envelope = rules->apply(envelope, rewrite::kEnvelopeSender, &story.of_envelope);
  // RFC 5321 section 4.5.5: a null one stays null.
  if (!envelope.empty() && !may_send_as(way, story.envelope)) {
    by_identity(way, story.envelope, way.address, story.of_envelope);
    story.envelope = way.address;
  }
  story.from = from;
  if (rules) story.from = rules->apply(from, rewrite::kHeaderSender, &story.of_from);
  if (way.identity != Identity::kKeep && !way.address.empty()) {
    rewrite::Account account{way.address, settings.hostname, {}};
    if (way.identity == Identity::kAllowed) account.allowed = way.allowed;
    auto made = rewrite::as_account("From: <" + story.from + ">\r\n", envelope, account);
    const std::string as = made.changed ? address_in(made.header) : story.from;
    by_identity(way, story.from, as, story.of_from);
    story.from = as;
  }
  return story;
}

bool sent_again_as_account(const RelaySettings& way, const DeliverSettings& settings, std::string_view sender) {
  const bool asked = way.on_sender_refused == OnSenderRefused::kAccount;
  const bool by_itself = way.on_sender_refused == OnSenderRefused::kAuto;
  if ((!asked && !by_itself) || way.address.empty() || way.identity == Identity::kAccount) return false;
  const rewrite::OwnNames own{settings.hostname, settings.srs.own, {}};
  return asked || own.has(rewrite::domain_part(sender));
}

std::string rule_for_refused_sender(const RelaySettings& way, const DeliverSettings& settings,
                                    std::string_view sender) {
  return rule_for_refused_sender(way, sender, sent_again_as_account(way, settings, sender));
}

std::string rule_for_refused_sender(const RelaySettings& way, std::string_view sender, bool as_account) {
  const bool is_account = way.identity == Identity::kAccount || rewrite::same_address(sender, way.address);
  if (!way.address.empty() && (as_account || is_account)) {
    return fmt::format(
        "in the [[relay]] block of \"{}\": address = \"...\", one that the provider lets this account send from; "
        "\"{}\" "
        "is refused",
        printable(way.name, 100), way.address);
  }
  const std::string address = way.address.empty() ? "me@example.org" : way.address;
  const std::string told = way.address.empty() ? fmt::format("address = \"{}\" (the account's own) and ", address) : "";
  return fmt::format(
      "in the [[relay]] block of \"{}\": {}identity = \"account\"; or for this sender alone: generic = {{ \"{}\" = "
      "\"{}\" }}",
      printable(way.name, 100), told, printable(sender, 320), address);
}

}  // namespace sidegate::deliver
