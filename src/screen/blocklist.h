// DNS block lists (RFC 5782): what is asked, which answers count, and what they come to together. Pure.
#pragma once

#include <array>
#include <bitset>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/networks.h"
#include "screen/settings.h"

namespace sidegate::screen {

// "127.0.0.[2;4..8]": in each place a number, or numbers and ranges in brackets (Postfix's dnsbl syntax).
class AnswerFilter {
 public:
  static Result<AnswerFilter> parse(std::string_view text);
  bool matches(const net::AddressOctets& address) const;

 private:
  std::array<std::bitset<256>, 4> places_;
};

struct BlockList {
  std::string zone, name;
  std::vector<AnswerFilter> answers;
  int weight = 1;
  Action action = Action::kReject;
  static Result<BlockList> make(const BlockListSettings& settings);  // kBadInput: what is wrong with it
};

enum class ListAnswer : std::uint8_t {
  kNothing,  // none that counts
  kListed,
  kRefused,   // the list does not answer us: 127.255.255.0/24, Spamhaus's way to say so
  kNonsense,  // outside of 127.0.0.0/8 (RFC 5782 section 2.1): a zone that is gone, or a resolver that invents answers
};
ListAnswer judge_answer(const BlockList& list, const std::vector<std::string>& addresses);

// What the lists say about one client.
struct Listing {
  const BlockList* list = nullptr;
  bool listed = false;
  std::string text;  // of its TXT record, printable
};
struct Score {
  Action action = Action::kOff;
  int total = 0;
  const Listing* worst = nullptr;  // of those that count towards the action, the one with the highest weight
};
// `reject` where what the lists of that action (and the allow lists) weigh together reaches the threshold; else `tag`
// where all together do.
Score score(const std::vector<Listing>& listings, int threshold);

}  // namespace sidegate::screen
