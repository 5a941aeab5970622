// How one listener looks at the strangers who come to it. Filled by the configuration.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace sidegate::screen {

enum class Action : std::uint8_t { kOff, kTag, kReject };  // the later, the stronger

struct Settings {
  bool client_names = false;       // the client's name is looked up
  Duration greeting_delay{2'000};  // the greeting waits at most so long for the name, and so long for early talkers
  Duration lookup_limit{5'000};    // then a question counts as unanswered
  Action early_talker = Action::kOff;
  Action reverse_name = Action::kOff;            // the client's address has no name
  Action reverse_name_confirmed = Action::kOff;  // or none that leads back to it
  Action helo = Action::kOff;
  std::vector<std::string> helo_checks = {"syntax", "own_name", "not_qualified"};  // words of HeloCheck
  Action sender_domain = Action::kOff;
  bool blocklists = false;
  std::uint32_t blocklist_threshold = 1;
  bool open_postmaster = true;  // nothing of this keeps mail from the postmaster
};

// One [[blocklist]] block.
struct BlockListSettings {
  std::string zone = {};                  // "zen.example", or as Postfix writes it: "zen.example=127.0.0.[2..11]*2"
  std::string name = {};                  // what people are told; empty: the zone
  std::vector<std::string> answers = {};  // "127.0.0.[2..11]"; empty: all of 127.0.0.0/8
  std::int32_t weight = 1;                // negative: an allow list
  Action action = Action::kReject;
  bool operator==(const BlockListSettings&) const = default;
};

}  // namespace sidegate::screen
