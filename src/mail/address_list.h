// Address lists as they stand in header fields and on command lines (RFC 5322 section 3.4, with the obsolete forms of
// section 4.4 and what programs write all the same). Pure; linear in the length of the text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sidegate::mail {

struct ListedAddress {
  std::string address;  // as for an envelope, without brackets, comments and white space: "a@b.example", "root"
};

// Names, comments, group names and source routes are left out; groups are opened. What is no address is taken as far as
// it goes: whether an address is well formed is the envelope's question (Mailbox::parse).
std::vector<ListedAddress> parse_address_list(std::string_view text);

// "alice" -> "alice@host"; what is empty or has a domain stays.
std::string qualified(const std::string& address, const std::string& host);

// A display name as it may stand before "<": as it is, as a quoted string, or as encoded words (RFC 2047). No control
// character survives.
std::string display_name(std::string_view name);

}  // namespace sidegate::mail
