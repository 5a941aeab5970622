#pragma once

#include <string>
#include <vector>

#include "intake/user_limits.h"
#include "smtp/settings.h"

namespace sidegate::intake {

// What is told of clients' sessions that is not about a message.
enum class LogConnections : std::uint8_t { kNone, kSummary, kAll };

// One [[listener]] block.
struct ListenerSettings {
  std::string name;
  std::string address;  // numeric
  std::uint16_t port = 25;
  std::vector<std::string> networks;  // CIDR; who may relay without AUTH here
  bool trust_loopback = true;         // 127.0.0.0/8 and ::1 may relay; only where the listener itself is on loopback
  bool add_missing_headers = true;    // Date and Message-ID where a program forgot them
  bool submit = false;                // the submit socket: users of this machine, known by their uid
  smtp::ServerSettings smtp;
};

// How programs of this machine send: the submit socket and the drop directory.
struct SubmitSettings {
  std::string socket = "/run/sidegate/submit";            // empty: none
  std::string drop_directory = "/var/lib/sidegate/drop";  // empty: none
  UserLimitSettings limits;
};

}  // namespace sidegate::intake
