// The Sender Rewriting Scheme, as published with Mail::SRS and libsrs2 (openspf.org, "SRS"): what an address of ours
// forwards leaves with a sender of our domain, and what bounces finds its way back through us. Nothing is stored: the
// address carries where it goes, when it was made, and a hash that only who knows the secret can make.
//
//   ann@sender.example            ->  SRS0=HHHH=TT=sender.example=ann@forwarder.example
//   SRS0=hhhh=tt=sender.example=ann@first.example
//                                 ->  SRS1=HHHH=first.example==hhhh=tt=sender.example=ann@forwarder.example
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace sidegate::rewrite {

inline constexpr unsigned kSrsDays = 21;  // how long an address leads back, as in the other implementations

struct SrsKeys {
  std::string domain;                // of the addresses we make
  std::vector<std::string> secrets;  // the first one signs; all are known, so that one can be replaced
  std::vector<std::string> own;      // other domains of ours: their senders need no rewriting
};

// Begins like an address of the scheme: SRS0 or SRS1 and one of the separators = + -.
bool is_srs(std::string_view address);

// The sender with which we forward. Comes back as it is: a null one, one without a domain, one of a domain of ours.
std::string srs_forward(const SrsKeys& keys, std::string_view sender, WallTime now);

// The address that one of our making leads back to: SRS0 to the sender, SRS1 to the SRS0 of the first forwarder.
// kNotFound: not made by us (hash), or no address of the scheme; kTimeout: too old.
Result<std::string> srs_reverse(const SrsKeys& keys, std::string_view address, WallTime now);

}  // namespace sidegate::rewrite
