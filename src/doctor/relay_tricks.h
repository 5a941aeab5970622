// The ways in which open relays have been found open: senders and recipients that a careless server takes for its own
// business. Pure; each is given in MAIL and RCPT, and no message follows.
#pragma once

#include <string>
#include <vector>

namespace sidegate::doctor {

struct TrickWords {
  std::string our_domain;   // whose mail the server takes
  std::string our_name;     // as the server calls itself
  std::string our_address;  // numeric, as it was connected to
  std::string away;         // an address elsewhere: "user@domain"
  std::string sender;       // of the usual trial: an address elsewhere too
};

struct Trick {
  std::string name;       // a stable word: "plain", "percent", ...
  std::string sender;     // all that stands behind "MAIL FROM:"
  std::string recipient;  // behind "RCPT TO:"
  // A server that takes it may mean a mailbox of its own: the domain is ours, or there is none.
  bool may_end_here = false;
};

std::vector<Trick> relay_tricks(const TrickWords& words);

}  // namespace sidegate::doctor
