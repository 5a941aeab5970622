// What a filter answers: however it is cut the packets are the same, an answer that is taken fits its promises, and no
// edit adds a second field or ends the header block.
#include "milter/answer.h"

#include <string_view>

#include "check.h"
#include "mail/header.h"
#include "milter/options.h"

using namespace sidegate;
using namespace sidegate::milter;

namespace {

std::vector<Packet> packets(std::string_view bytes, std::size_t step) {
  PacketReader reader;
  std::vector<Packet> all;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    reader.push(bytes.substr(at, step));
    for (;;) {
      auto packet = reader.next();
      if (!packet) break;
      if (!*packet) return all;
      all.push_back(std::move(**packet));
    }
  }
  return all;
}

void check_reply(const Verdict& verdict) {
  std::string wire = verdict.reply.wire();
  for (std::size_t i = 0; i < wire.size(); ++i) {
    if (wire[i] == '\n') SIDEGATE_CHECK(i > 0 && wire[i - 1] == '\r');
    if (wire[i] == '\r') SIDEGATE_CHECK(i + 1 < wire.size() && wire[i + 1] == '\n');
  }
}

void check_edits(const std::vector<Edit>& edits, bool leading_space) {
  const std::string kHeader = "Received: 1\r\nSubject: a\r\n b\r\n";
  Message message{.own = "Received: me\r\n", .header = kHeader, .from = "a@example.org"};
  std::size_t added = 0;
  for (const Edit& edit : edits) {
    added += edit.kind == Edit::Kind::kAddHeader || edit.kind == Edit::Kind::kInsertHeader ||
             edit.kind == Edit::Kind::kChangeHeader;
  }
  apply(edits, leading_space, message);
  std::string block = message.own + message.header;
  std::size_t fields = 0;
  std::size_t at = 0;
  mail::Field field;
  while (mail::detail::next_field(block, at, field)) ++fields;
  SIDEGATE_CHECK(at == block.size());
  SIDEGATE_CHECK(fields <= 3 + added);
  SIDEGATE_CHECK(block.empty() || block.ends_with("\r\n"));
  SIDEGATE_CHECK(block.find("\r\n\r\n") == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::vector<Packet> whole = packets(bytes, size == 0 ? 1 : size);
  SIDEGATE_CHECK(whole == packets(bytes, 3));
  std::vector<Edit> edits;
  for (const Packet& packet : whole) {
    SIDEGATE_CHECK(packets(encode(packet), 1) == std::vector<Packet>{packet});
    if (packet.code == 'O') {
      if (auto agreed = agree({}, packet.data)) SIDEGATE_CHECK((agreed->options.protocol & ~protocol::kAll) == 0);
    }
    auto parsed = parse_answer(packet);
    if (!parsed) continue;
    if (parsed->is_edit) {
      edits.push_back(std::move(parsed->edit));
    } else {
      check_reply(parsed->verdict);
    }
  }
  check_edits(edits, false);
  check_edits(edits, true);
  return 0;
}
