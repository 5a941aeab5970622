// What this machine is called: its own name forwards, its addresses backwards. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "doctor/finding.h"

namespace sidegate::doctor {

struct ReverseSeen {
  std::string address;                     // as the world sees us
  std::string by;                          // who said that it is ours; empty: an interface of this machine
  Result<std::vector<std::string>> names;  // PTR
  std::vector<std::string> confirmed;      // of them, those that lead back to the address
};

struct NamesSeen {
  std::string hostname;
  Result<std::vector<std::string>> addresses;  // of the hostname, as the world is told
  std::vector<ReverseSeen> reverse;
};

// A name that a provider gives to each of its customers' lines ("p1234-ipbf05.example.ne.jp", "dhcp-192-0-2-10"):
// many servers take no mail from such.
bool is_generic_name(std::string_view name, std::string_view address);

// Every address that mail leaves from has a name of its own that leads back to it.
bool reverse_names_good(const NamesSeen& seen);

// will_be_direct: nothing but direct delivery is possible, or it is what is meant; else this is worth a note alone.
Findings judge_names(const NamesSeen& seen, bool will_be_direct);

}  // namespace sidegate::doctor
