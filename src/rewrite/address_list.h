// The addresses of a header field (RFC 5322 section 3.4), found where they lie, so that one of them can be replaced and
// every other octet stays. Lenient as real mail demands: comments anywhere, folded lines, groups, source routes, old
// "root (Cron Daemon)", semicolons between addresses, raw octets of any charset in names. In ISO-2022-JP, Shift_JIS and
// other double-byte charsets the second octet of a character may look like '<', '(', '"' or '\': it is none. An address
// whose '>' is missing, whose name stands behind it, or whose name in ISO-2022-JP is never shifted back, is found as
// mail programs find it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sidegate::rewrite {

inline constexpr std::size_t kLineLimit = 998;  // octets of a line without CRLF, RFC 5322 section 2.1.1

struct ListedAddress {
  std::size_t begin = 0, end = 0;            // of what stands for the address: between '<' and '>', or the bare one
  std::size_t mailbox = 0, mailbox_end = 0;  // from the display name's first octet to behind the '>'; bare: as above
  bool angle = false;                        // stands behind '<'
  bool open = false;                         // the '>' is missing: what follows is the address, to the field's end
  bool named = false;                        // has a display name, before or behind, or a comment that serves as one
  bool joined = false;                       // the name holds a comma that no quote hides: a strict reader sees two
  std::string address;                       // without comments, white space and route; "root" may lack a domain
};

struct AddressList {
  std::vector<ListedAddress> addresses;  // members of groups too; none for an empty field or group
  bool group = false;                    // there is one
  std::size_t last_separator = 0;        // behind the last ',' or ';' that parts addresses; 0: there is none

  // One address and nothing but comments and white space around it.
  bool alone() const { return addresses.size() == 1 && !group && last_separator <= addresses[0].mailbox; }
};

// value: of the field, folded as it is. nullopt: something in it is no address; nobody can tell then which octets are.
std::optional<AddressList> parse_address_list(std::string_view value);

// "root", "\"a b\"": the part before the last '@' that is not quoted; the whole where there is none.
std::string_view local_part(std::string_view address);
std::string_view domain_part(std::string_view address);  // empty: none
std::string unquoted(std::string_view local);            // quotes and quoted-pairs taken away
// As a local part (RFC 5321 section 4.1.2) or a display name (RFC 5322 section 3.2.5): in quotes where it needs them.
std::string quoted_local(std::string_view text);
std::string quoted_name(std::string_view text);

// The same mailbox? Domains without regard to case; local parts too: providers that compare a sender with an account do
// so.
bool same_address(std::string_view a, std::string_view b);

}  // namespace sidegate::rewrite
