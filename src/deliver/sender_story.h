// Who a message from an address goes out as by one way, step by step, each with the rule that made it: what `sidegate
// explain sender` tells. The same code that sends decides. Pure.
#pragma once

#include <string>

#include "deliver/settings.h"

namespace sidegate::deliver {

struct SenderStory {
  std::string envelope;        // MAIL FROM; empty: <>
  std::string from;            // the address in From
  rewrite::Steps of_envelope;  // identity rules among them: rule "identity" or "allowed"
  rewrite::Steps of_from;
};

// envelope: the reverse-path; empty: null. from: the address in From.
SenderStory tell_sender(const RelaySettings& way, const DeliverSettings& settings, const std::string& envelope,
                        const std::string& from);

// Whether mail of a sender whom the way refuses is sent once more, as its account: where the account's address is
// known. By itself only for senders of this machine, which nobody elsewhere could answer: what a person wrote leaves in
// no other name unless that is said.
bool sent_again_as_account(const RelaySettings& way, const DeliverSettings& settings, std::string_view sender);

// The lines for the configuration that make a way take mail from `sender`, which it has refused. as_account: it has
// refused the account's own address as well.
std::string rule_for_refused_sender(const RelaySettings& way, std::string_view sender, bool as_account);
// The same of a message that has come to its end: what could be sent again was.
std::string rule_for_refused_sender(const RelaySettings& way, const DeliverSettings& settings, std::string_view sender);

}  // namespace sidegate::deliver
