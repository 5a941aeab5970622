// Which addresses are a user's own, by name alone: what his rules list, his name where it is an address, else his name
// at each of our domains; each with a tag too (taro+shop@). Addresses that only an alias makes his:
// intake/submitter.cc. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "intake/user_rules.h"

namespace sidegate::intake {

struct OwnDomains {
  std::string hostname;
  std::vector<std::string> local;  // lower case
  std::string delimiters;          // between user and tag
};

class OwnAddresses {
 public:
  OwnAddresses(const UserRules& rules, std::string user, const OwnDomains& domains)
      : rules_(rules), user_(std::move(user)), domains_(domains) {}

  bool has(std::string_view address) const;
  // The user's mailbox: the name, with the hostname where it has no domain.
  std::string mailbox() const;
  // What a foreign sender becomes: the first of the listed addresses, else the mailbox.
  std::string first() const;

 private:
  bool matches(std::string_view address) const;

  const UserRules& rules_;
  std::string user_;
  const OwnDomains& domains_;
};

// Who a header says it is from: every address of From and Sender, with the host where it has no domain.
struct NamedSender {
  std::string_view field;  // "From", "Sender"
  std::string address;     // empty: the field cannot be read, stands there twice, or has more than a hundred
};
std::vector<NamedSender> named_senders(std::string_view header, std::string_view hostname);

}  // namespace sidegate::intake
