// What a filter wants changed, and the header block after it: pure.
//
// Indices are sendmail's, as Postfix has them too (measured against 8.13 in its cleanup_milter.c):
//   insert  counts all fields of the message as it will be delivered: 0 is before our own trace field, 1 right after
//   the
//           first field; beyond the last: at the end
//   change  counts the fields of that name that the filter was shown, from 1 (0 is taken for 1): our own trace field is
//           none of them. An empty value deletes. A field that is not there is added at the end, or nothing is deleted
//   add     at the end
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sidegate::milter {

struct Edit {
  enum class Kind : std::uint8_t {
    kAddHeader,
    kInsertHeader,
    kChangeHeader,
    kAddRecipient,
    kDeleteRecipient,
    kChangeFrom,
    kReplaceBody,
    kQuarantine,
  };
  Kind kind = Kind::kAddHeader;
  std::uint32_t index = 0;
  std::string name;   // of the field; or the path; the reason; octets of a body
  std::string value;  // of the field; or the ESMTP parameters
  bool operator==(const Edit&) const = default;
};

// RFC 5322 section 2.2: printable ASCII without the colon.
bool is_field_name(std::string_view name);

// "<a@example.org>" and "a@example.org" to the address; "<>" to nothing.
std::string bare_address(std::string_view path);

class HeaderBlock {
 public:
  // `own`: fields that we put before what came (the trace field), which no filter is shown. Both end in CRLF or are
  // empty.
  HeaderBlock(std::string_view own, std::string_view received);

  // With `leading_space` a value stands right after the colon as it is given, else after one space. A line of a value
  // that would begin a new field is folded: no filter's input can add a field or end the block.
  void add(std::string_view name, std::string_view value, bool leading_space);
  void insert(std::uint32_t index, std::string_view name, std::string_view value, bool leading_space);
  void change(std::uint32_t index, std::string_view name, std::string_view value, bool leading_space);

  std::string text() const;  // all of it, own fields included

 private:
  struct Line {
    std::string text;
    bool own;
  };
  void read(std::string_view block, bool own);
  std::vector<Line> lines_;
  std::string rest_;  // of a block that does not end as one
};

struct Recipient {
  std::string address;     // without angle brackets
  std::string parameters;  // as the filter gave them: "NOTIFY=NEVER"
  bool operator==(const Recipient&) const = default;
};

// A message as filters see and change it, one after the other.
struct Message {
  std::string own;     // the trace field we add
  std::string header;  // the rest of the header block, what we added for a program (Date, Message-ID) included
  std::string from;    // without angle brackets; empty: the null reverse-path
  std::string from_parameters = {};
  std::vector<Recipient> recipients = {};
  std::optional<std::string> quarantine = {};  // set: why it is to be held
};

// What kind of things edits change, for the log: "header, sender, recipients, body". Empty: nothing.
std::string what_changes(const std::vector<Edit>& edits, bool body);

// All edits of one filter, in its order, but for the body (milter.h has where that goes). Afterwards `message.own` is
// empty and `header` the whole block if a filter put a field before ours; else `own` stays as it was. A recipient
// stands once, whatever is added (compared without case).
void apply(const std::vector<Edit>& edits, bool leading_space, Message& message);

}  // namespace sidegate::milter
