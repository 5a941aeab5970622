// The address fields of a header block, each address given to a function that may put another one in its place. Only
// the octets of the address change: names, comments, groups, folding and charsets stay as they are, and so does a field
// in which nothing is replaced and, of a list, what cannot be read. A line that would grow over 998 octets is folded
// where it may be. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sidegate::rewrite {

// Whom a field speaks of (as Postfix has it): From, Sender, Reply-To, Errors-To, Return-Receipt-To,
// Disposition-Notification-To, Mail-Followup-To; or To, Cc, Bcc, Apparently-To. Resent- fields as their fields.
enum class FieldClass : unsigned char { kNone, kSender, kRecipient };
FieldClass class_of_field(std::string_view name);

// "root" may lack a domain. nullopt: it stays.
using Replace = std::function<std::optional<std::string>(std::string_view address, FieldClass field)>;

// nullopt: nothing was replaced.
std::optional<std::string> replace_addresses(std::string_view header, const Replace& replace);

// A change from one block to the other that a signature in the first one (DKIM-Signature, RFC 6376 section 3.5, tag h=)
// does not survive: a field that it names was changed, added or taken away.
bool breaks_signature(std::string_view before, std::string_view after);

}  // namespace sidegate::rewrite
