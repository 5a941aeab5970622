// Foreign words made fit for a report: no control character survives, lines are short, eight bits only where they may
// be.
#pragma once

#include <string>
#include <string_view>

namespace sidegate::dsn {

// One line: control characters (C1 too) become '?', so that no reply or address can end a field or a part. Octets >=
// 0x80 stay where utf8 allows them and the whole is well-formed; else each is '?'. Cut to `limit` octets.
std::string clean(std::string_view text, bool utf8, std::size_t limit = 4096);

// "Name: value" CRLF, folded at white space to 76 columns; a word longer than a line may be is split (RFC 5322 section
// 2.1.1: 998 octets). Value must be clean.
std::string field(std::string_view name, std::string_view value);

// Paragraphs of words to lines of at most 72 columns, each beginning with `indent`, CRLF at each end.
std::string wrap(std::string_view words, std::string_view indent);

// RFC 3461 section 4: "+" and two hex digits for an octet. Text that is no xtext, or hides control characters or octets
// >= 0x80, comes back as it was given.
std::string xtext_decoded(std::string_view text);

// RFC 6533 section 3: "\x{HEX}" for a character, in addresses of type utf-8. As above where that does not decode.
std::string utf8_address_decoded(std::string_view text);

std::string quoted_printable(std::string_view text);  // RFC 2045 section 6.7; lines end with CRLF before and after

}  // namespace sidegate::dsn
