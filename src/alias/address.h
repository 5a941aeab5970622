// Addresses as look-ups compare them: quotes taken away, ASCII in lower case, with and without a tag. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/envelope.h"
#include "mail/tag.h"

namespace sidegate::alias {

struct Split {
  std::string local;   // without quotes, as written
  std::string domain;  // lower case; empty: unqualified
};
Split split_address(std::string_view address);  // at the last "@" outside quotes

std::string unquoted(std::string_view local);      // "\"a b\"" -> "a b"; what is not quoted comes back as it is
std::string as_local_part(std::string_view name);  // quoted where RFC 5321 asks for it
std::string join_address(std::string_view name, std::string_view domain);

using mail::tag_begins;

// Percent, bang and a quoted "@": once used to route through a server (RFC 5321 section 3.3 forbids to act on them).
bool looks_routed(std::string_view name);

// RFC 3461 section 4.2, RFC 6533 section 3: the address as ORCPT says it, its type before it.
std::string make_orcpt(std::string_view address);

// What makes two recipients one delivery.
std::string delivery_key(const mail::Recipient& recipient);

}  // namespace sidegate::alias
