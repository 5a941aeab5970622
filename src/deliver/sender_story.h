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

// The lines for the configuration that make a way take mail from `sender`, which it has refused.
std::string rule_for_refused_sender(const RelaySettings& way, std::string_view sender);

}  // namespace sidegate::deliver
