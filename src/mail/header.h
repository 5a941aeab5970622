// The header block of a message: what precedes the first empty line (RFC 5322 section 2.1). Nothing here changes a
// field.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/queue_id.h"
#include "mail/envelope.h"

namespace sidegate::mail {

// One field of a block, folded lines included, without the CRLF at its end.
struct Field {
  std::string_view name;   // without the colon
  std::string_view value;  // after the colon, as it is
};

// Calls fn(Field) for each field from the top; a line that is no field ends the block. fn returns false to stop.
template <typename Fn>
void for_each_field(std::string_view block, Fn fn);

bool has_field(std::string_view block, std::string_view name);
unsigned count_field(std::string_view block, std::string_view name);
// The first field's value, unfolded and trimmed; empty if there is none.
std::string field_value(std::string_view block, std::string_view name);

// Finds where the header block of a message ends, over chunks: the octets of the block up to and including the CRLF of
// its last field, without the empty line. A line that is no field ends the block and belongs to the body; as the first
// line it means: no header at all (an mbox "From " line too). The same lines as for_each_field() sees are fields.
//
//   std::size_t n = splitter.push(chunk);
//   header.append(chunk, 0, n);
//   if (splitter.done()) { body = header.substr(header.size() - splitter.take_back()) + chunk.substr(n); ... }
//
// The body begins with the empty line where there was one: header + body is the message, octet for octet.
class HeaderSplitter {
 public:
  // Longer than any field name: a line whose first 998 octets hold no colon is no field (RFC 5322 section 2.1.1).
  static constexpr std::size_t kNameLimit = 998;

  // Takes what arrives; returns how many octets of `bytes` still belong to the header block (the rest, from the empty
  // line on, is body). Once done() is true it must not be called again.
  std::size_t push(std::string_view bytes);
  bool done() const { return done_; }
  // After the message's last octet, where there was neither an empty line nor a body.
  void finish();
  // Once done(): how many octets at the end of earlier chunks were taken for the beginning of a field and are body (the
  // chunk ended inside a line that turned out to be no field). At most kNameLimit; nearly always 0.
  std::size_t take_back() const { return take_back_; }

 private:
  enum class Place : unsigned char { kLineStart, kName, kBlank, kValue };  // kBlank: between name and colon
  bool step(char c);

  Place place_ = Place::kLineStart;
  bool done_ = false;
  bool fields_ = false;      // there was one
  std::size_t pending_ = 0;  // octets of the line under way that may yet turn out to be no field
  std::size_t take_back_ = 0;
};

std::string rfc5322_date(WallTime at);  // "Sat, 21 Nov 2026 22:25:12 +0000"

// The trace field we add (RFC 5321 section 4.4), folded, CRLF at its end. `for` only with exactly one recipient.
// Every value is cleaned: a HELO name with control characters or parentheses cannot leave its comment.
struct Trace {
  const Origin* origin;
  std::string_view peer_name;    // verified reverse name or empty
  std::string_view by;           // our host name
  std::string_view for_address;  // empty: no "for"
  std::string_view tls;          // "TLSv1.3 cipher TLS_AES_256_GCM_SHA384" or empty
  QueueId id;
  WallTime at;
  std::optional<unsigned> uid = {};  // of a Unix user who sent it himself
  bool hide_peer = false;            // no name and no address of the client
};
std::string received_field(const Trace& trace);

std::string message_id(QueueId id, std::string_view host);  // "<ID.random@host>"

}  // namespace sidegate::mail

#include "mail/header_impl.h"
