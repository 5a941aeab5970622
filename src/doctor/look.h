// Looks at one port as a stranger would. Nothing is sent: every trial ends before DATA.
#pragma once

#include <functional>
#include <string>

#include "doctor/port_seen.h"
#include "net/loop.h"

namespace sidegate::doctor {

struct LookOptions {
  std::string hostname = "localhost";            // for EHLO; empty: the address literal of where we connect from
  std::string away = "relay-check@example.org";  // whom nobody's server here may take
  std::string sender = "relay-check@example.net";
  std::string our_domain;                // whose mail the server takes
  std::string ca_file;                   // empty: the system's
  Duration patience = Duration(20'000);  // no step takes longer
  bool brief = false;                    // no TLS versions, no injected commands, no tricks of open relays
  smtp::Transcript transcript;
};

// On the loop's thread. Never fails: what did not work stands in what was seen.
net::Awaitable<PortSeen> look(net::Loop& loop, Place place, LookOptions options);

}  // namespace sidegate::doctor
