// The rules by which addresses become others: canonical maps as mail comes in, and on its way out canonical maps, then
// masquerading, then generic maps. Names and order are Postfix's (ADDRESS_REWRITING_README). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rewrite/address_map.h"

namespace sidegate::rewrite {

// Where an address stands; a set of them: one bit each.
enum AddressClass : unsigned char {
  kEnvelopeSender = 1,
  kEnvelopeRecipient = 2,
  kHeaderSender = 4,
  kHeaderRecipient = 8,
  kAllClasses = 15,
};
// "envelope_sender" -> kEnvelopeSender; nullopt: no such word.
std::optional<AddressClass> class_of_word(std::string_view word);

// One change, for people.
struct Step {
  std::string rule;  // the key it stands under: "generic", "masquerade_domains"
  std::string before, after;
  std::string because;  // "root me@isp.example", "example.org"
  std::string at;       // "/etc/postfix/generic:3"; empty: the configuration's own text
};
using Steps = std::vector<Step>;

// canonical_maps, sender_canonical_maps and recipient_canonical_maps.
struct Canonical {
  AddressMap sender, recipient, all;
  unsigned classes = kAllClasses;  // of `all`

  bool empty() const { return sender.empty() && recipient.empty() && all.empty(); }
  // suffix: "" or "_out", of the keys' names.
  std::string apply(std::string address, AddressClass where, const OwnNames& own, std::string_view suffix,
                    Steps* steps) const;
  bool operator==(const Canonical&) const = default;
};

// Host names taken away: ann@nas.home.example -> ann@home.example.
struct Masquerade {
  std::vector<std::string> domains;     // "home.example"; "!lab.home.example": that one and what is below it stay
  std::vector<std::string> exceptions;  // users who keep their host ("root"), addresses, and domains that are left
  unsigned classes = kEnvelopeSender | kHeaderSender | kHeaderRecipient;

  std::string apply(std::string address, AddressClass where, const OwnNames& own, Steps* steps) const;
  bool operator==(const Masquerade&) const = default;
};

struct Incoming {
  OwnNames own;
  Canonical canonical;

  bool empty() const { return canonical.empty(); }
  std::string apply(std::string_view address, AddressClass where, Steps* steps = nullptr) const;
  // The block with its addresses as they are to be; nullopt: none changes.
  std::optional<std::string> header(std::string_view block) const;
};

struct Outgoing {
  OwnNames own;
  Canonical canonical;
  Masquerade masquerade;
  AddressMap generic;

  bool empty() const { return canonical.empty() && masquerade.domains.empty() && generic.empty(); }
  std::string apply(std::string_view address, AddressClass where, Steps* steps = nullptr) const;
  std::optional<std::string> header(std::string_view block) const;
  bool operator==(const Outgoing&) const = default;
};

// The rules as an operator writes them, in [rewrite] or for one way; there, what is not given is as in [rewrite].
struct RulesText {
  std::vector<std::string> masquerade_domains, masquerade_exceptions;
  std::vector<std::string> masquerade_classes;
  MapText generic, canonical_out, sender_canonical_out, recipient_canonical_out;
  std::string generic_file, canonical_out_file, sender_canonical_out_file, recipient_canonical_out_file;
  bool operator==(const RulesText&) const = default;
};

// Whether `address` is among `allowed`: addresses, "@domain" and "*@domain" (that one alone), ".domain" (what is
// below).
bool is_listed(std::string_view address, const std::vector<std::string>& allowed);

}  // namespace sidegate::rewrite
