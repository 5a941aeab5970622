// What `sendmail` makes of any input: CRLF lines without NUL or bare CR, the same wherever the pieces end; a header
// block that is fields to the end, and no blind copy in it. The first octet chooses the pieces and whether a dot ends.
#include <string>
#include <string_view>

#include "base/text.h"
#include "check.h"
#include "mail/header.h"
#include "submit/arguments.h"
#include "submit/header_fields.h"
#include "submit/text_reader.h"

using namespace sidegate;
using namespace sidegate::submit;

namespace {

struct Out {
  std::string header, body;
  bool operator==(const Out&) const = default;
};

Out read(std::string_view text, std::size_t pieces, bool dot_ends) {
  TextReader reader(dot_ends);
  Out out;
  while (!text.empty()) {
    std::string_view piece = text.substr(0, pieces);
    text.remove_prefix(piece.size());
    bool more = reader.push(piece);
    out.body += reader.take_body();
    if (!more) break;
  }
  reader.finish();
  out.body += reader.take_body();
  out.header = reader.header();
  return out;
}

void check_lines(std::string_view text) {
  SIDEGATE_CHECK(text.empty() || text.ends_with("\r\n"));
  for (std::size_t i = 0; i < text.size(); ++i) {
    SIDEGATE_CHECK(text[i] != '\0');
    if (text[i] == '\n') SIDEGATE_CHECK(i > 0 && text[i - 1] == '\r');
    if (text[i] == '\r') SIDEGATE_CHECK(i + 1 < text.size() && text[i + 1] == '\n');
  }
}

void check_fields(std::string_view header) {
  std::size_t at = 0;
  mail::Field field;
  while (mail::detail::next_field(header, at, field)) {
  }
  SIDEGATE_CHECK(at == header.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool dot_ends = (data[0] & 1) != 0;
  Out whole = read(text, std::max<std::size_t>(text.size(), 1), dot_ends);
  SIDEGATE_CHECK(whole == read(text, static_cast<std::size_t>(data[0] >> 1) % 16 + 1, dot_ends));
  check_lines(whole.header);
  check_lines(whole.body);
  check_fields(whole.header);
  std::string edited = edited_header(whole.header, {"alice", "A"}, {"D", "<I>"});
  check_lines(edited);
  check_fields(edited);
  SIDEGATE_CHECK(!mail::has_field(edited, "Bcc") && !mail::has_field(edited, "Resent-Bcc"));
  SIDEGATE_CHECK(mail::has_field(edited, "From"));
  (void)header_recipients(whole.header);

  std::vector<std::string> words;
  for (std::string_view word : split(text, '\n')) words.emplace_back(word.substr(0, word.find('\0')));
  Parsed parsed = parse_arguments("sendmail", words);
  for (const std::string& one : parsed.arguments.recipients) SIDEGATE_CHECK(!one.empty());
  for (char c : parsed.arguments.envid) SIDEGATE_CHECK(c > 0x20 && c < 0x7f);
  return 0;
}
