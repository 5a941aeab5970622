// What the network lets through, from what was seen: for each port and family one verdict. Pure. One dead target is no
// block: what counts is what most unrelated targets show, and that something else answers meanwhile.
#pragma once

#include <string>
#include <vector>

#include "doctor/cloud.h"
#include "doctor/finding.h"
#include "doctor/network_seen.h"

namespace sidegate::doctor {

enum class PortVerdict : std::uint8_t {
  kOpen,
  kTimeout,      // closed: what is sent there is dropped
  kRefused,      // closed: refused in the targets' place
  kIntercepted,  // somebody else answers in the targets' place
  kNoRoute,
  kDnsFault,  // no target could be looked up
  kSilent,    // nothing at all answers in that family: it is dead, whatever the port
  kUnknown,   // too few targets to say
};
const char* word(PortVerdict verdict);  // "open", "timeout", ...: stable

struct PortView {
  std::uint16_t port = 25;
  Family family = Family::kFour;
  PortVerdict verdict = PortVerdict::kUnknown;
  std::vector<std::string> answered, silent, refused;  // targets
  std::string by;                                      // who intercepts: the name it gives itself
  std::string example;                                 // what was seen, for people: a greeting, an error
  bool starttls = false;                               // some target offers it
  bool only_one = false;                               // one target alone was tried: a guess
};

std::vector<PortView> view_ports(const NetworkSeen& seen);
const PortView* find(const std::vector<PortView>& views, std::uint16_t port, Family family);
bool is_open(const std::vector<PortView>& views, std::uint16_t port);  // in some family
// Something came back by that family, from whomever: a target or a relay.
bool family_answers(const NetworkSeen& seen, Family family);
// Nothing comes back, and that is no closed port 25: another port was tried, or no name server answers either.
bool family_is_dead(const NetworkSeen& seen, Family family);

// What leads out depends on what is configured, and where this machine stands.
struct WayOut {
  bool relay_configured = false;
  bool direct_enabled = true;    // [direct] enabled
  bool direct_by_route = false;  // a [[route]] names direct, beside the relays
  bool direct_by_proxy = false;  // direct delivery leaves by a proxy: this line says nothing of it
  Cloud cloud = Cloud::kNone;
  bool reverse_known = true;        // an address that the world sees is known
  bool reverse_names_good = false;  // see judge_names.h
  std::string config_file = {};     // where the lines are to be written
};

// In the order in which they are told.
Findings judge_dns(const NetworkSeen& seen);
Findings judge_families(const NetworkSeen& seen);
Findings judge_ports(const NetworkSeen& seen, const WayOut& way);
Finding judge_way_out(const NetworkSeen& seen, const WayOut& way);

}  // namespace sidegate::doctor
