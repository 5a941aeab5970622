// The header block of a message: what precedes the first empty line (RFC 5322 section 2.1). Nothing here changes a field.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/queue_id.h"
#include "mail/envelope.h"

namespace sidegate::mail {

// One field of a block, folded lines included, without the CRLF at its end.
struct Field {
  std::string_view name;    // without the colon
  std::string_view value;   // after the colon, as it is
};

// Calls fn(Field) for each field from the top; a line that is no field ends the block. fn returns false to stop.
template <typename Fn>
void for_each_field(std::string_view block, Fn fn);

bool has_field(std::string_view block, std::string_view name);
unsigned count_field(std::string_view block, std::string_view name);
// The first field's value, unfolded and trimmed; empty if there is none.
std::string field_value(std::string_view block, std::string_view name);

// Finds where the header block of a message ends, over chunks: the octets of the block up to and including the CRLF of
// its last field, without the empty line. A first line that is no field (no colon) means: no header at all.
class HeaderSplitter {
 public:
  // Takes what arrives; returns how many octets of `bytes` still belong to the header block (the rest, from the empty
  // line on, is body). Once done() is true it must not be called again.
  std::size_t push(std::string_view bytes);
  bool done() const { return done_; }
  // The body begins with the empty line where there was one: header + body is the message, octet for octet.
 private:
  bool done_ = false;
  std::string carry_;
};

std::string rfc5322_date(WallTime at);   // "Sat, 21 Nov 2026 22:25:12 +0000"

// The trace field we add (RFC 5321 section 4.4), folded, CRLF at its end. `for` only with exactly one recipient.
// Every value is cleaned: a HELO name with control characters or parentheses cannot leave its comment.
struct Trace {
  const Origin* origin;
  std::string_view peer_name;   // verified reverse name or empty
  std::string_view by;          // our host name
  std::string_view for_address; // empty: no "for"
  std::string_view tls;         // "TLSv1.3 cipher TLS_AES_256_GCM_SHA384" or empty
  QueueId id;
  WallTime at;
};
std::string received_field(const Trace& trace);

std::string message_id(QueueId id, std::string_view host);   // "<ID.random@host>"

}  // namespace sidegate::mail

#include "mail/header_impl.h"
