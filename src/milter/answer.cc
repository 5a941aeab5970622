#include "milter/answer.h"

#include <fmt/format.h>

#include "base/text.h"

namespace sidegate::milter {

mail::Reply usual_reply(Answer answer) {
  switch (answer) {
    case Answer::kReject:
      return {550, {5, 7, 1}, "Command rejected"};
    case Answer::kShutdown:
      return {421, {4, 7, 0}, "Server closing connection"};
    default:
      return {451, {4, 7, 1}, "Service unavailable - try again later"};
  }
}

namespace {

std::string undouble_percent(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 1 < text.size() && text[i + 1] == '%') ++i;
    out.push_back(text[i]);
  }
  return out;
}

std::optional<int> code_of(std::string_view line) {
  bool three = line.size() >= 3 && is_digit(line[0]) && is_digit(line[1]) && is_digit(line[2]);
  if (!three || (line[0] != '4' && line[0] != '5')) return std::nullopt;
  if (line.size() > 3 && line[3] != ' ' && line[3] != '-') return std::nullopt;
  return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

// Takes the enhanced code off the line's text where it has one of the reply's class; RFC 3463 section 2.
std::optional<mail::EnhancedCode> take_status(std::string_view& text, int code) {
  std::size_t end = std::min(text.find(' '), text.size());
  auto status = mail::EnhancedCode::parse(text.substr(0, end));
  if (!status || status->cls != code / 100) return std::nullopt;
  text.remove_prefix(std::min(end + 1, text.size()));
  return status;
}

Parsed verdict(Verdict::Kind kind, mail::Reply reply = {}) {
  return {.is_edit = false, .verdict = {kind, std::move(reply)}, .edit = {}};
}

Parsed edit(Edit::Kind kind, std::vector<std::string> strings, std::uint32_t index = 0) {
  strings.resize(2);
  return {.is_edit = true, .verdict = {}, .edit = {kind, index, std::move(strings[0]), std::move(strings[1])}};
}

Result<Parsed> malformed(const Packet& packet) {
  return fail(ErrorKind::kProtocol,
              fmt::format("its answer '{}' is malformed", printable(std::string(1, packet.code))));
}

Result<Parsed> parse_edit(const Packet& packet, Edit::Kind kind, std::size_t least, std::size_t most, bool indexed) {
  std::string_view data = packet.data;
  std::uint32_t index = 0;
  if (indexed) {
    if (data.size() < 4) return malformed(packet);
    index = get_u32(data);
    data.remove_prefix(4);
  }
  auto strings = take_strings(data);
  if (!strings || strings->size() < least || strings->size() > most) return malformed(packet);
  bool header =
      kind == Edit::Kind::kAddHeader || kind == Edit::Kind::kInsertHeader || kind == Edit::Kind::kChangeHeader;
  if (header && !is_field_name(strings->front())) return malformed(packet);
  return edit(kind, std::move(*strings), index);
}

Result<Parsed> parse_reply_code(const Packet& packet) {
  std::string_view text = packet.data;
  if (text.ends_with('\0')) text.remove_suffix(1);
  auto reply = parse_reply_text(text);
  if (!reply) return std::unexpected(reply.error());
  // RFC 5321 section 3.8: after 421 the connection is closed.
  bool closes = reply->code == 421;
  return verdict(closes ? Verdict::Kind::kShutdown : Verdict::Kind::kReply, std::move(*reply));
}

}  // namespace

Result<mail::Reply> parse_reply_text(std::string_view text) {
  std::string plain = undouble_percent(text);
  std::string_view rest = plain;
  while (rest.ends_with('\n') || rest.ends_with('\r')) rest.remove_suffix(1);
  mail::Reply reply;
  for (std::string_view line : split(rest, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    auto code = code_of(line);
    if (!code || (reply.code != 0 && *code != reply.code) || line.find('\0') != std::string_view::npos) {
      return fail(ErrorKind::kProtocol, "its reply is malformed: " + printable(text, 100));
    }
    bool first = reply.code == 0;
    reply.code = *code;
    line.remove_prefix(std::min<std::size_t>(4, line.size()));
    auto status = take_status(line, *code);
    if (first) reply.status = status;
    reply.lines.emplace_back(line);
  }
  if (reply.lines.size() > 32) return fail(ErrorKind::kProtocol, "its reply has more than 32 lines");
  return reply;
}

Result<Parsed> parse_answer(const Packet& packet) {
  using Kind = Verdict::Kind;
  auto answer = static_cast<Answer>(packet.code);
  switch (answer) {
    case Answer::kReplyCode:
      return parse_reply_code(packet);
    case Answer::kReplaceBody:
      return edit(Edit::Kind::kReplaceBody, {packet.data});
    case Answer::kAddHeader:
      return parse_edit(packet, Edit::Kind::kAddHeader, 2, 2, false);
    case Answer::kInsertHeader:
      return parse_edit(packet, Edit::Kind::kInsertHeader, 2, 2, true);
    case Answer::kChangeHeader:
      return parse_edit(packet, Edit::Kind::kChangeHeader, 2, 2, true);
    case Answer::kAddRecipient:
      return parse_edit(packet, Edit::Kind::kAddRecipient, 1, 1, false);
    case Answer::kAddRecipientWith:
      return parse_edit(packet, Edit::Kind::kAddRecipient, 1, 2, false);
    case Answer::kDeleteRecipient:
      return parse_edit(packet, Edit::Kind::kDeleteRecipient, 1, 1, false);
    case Answer::kChangeFrom:
      return parse_edit(packet, Edit::Kind::kChangeFrom, 1, 2, false);
    case Answer::kQuarantine:
      return parse_edit(packet, Edit::Kind::kQuarantine, 1, 1, false);
    default:
      break;
  }
  if (!packet.data.empty()) return malformed(packet);
  switch (answer) {
    case Answer::kContinue:
      return verdict(Kind::kContinue);
    case Answer::kAccept:
      return verdict(Kind::kAccept);
    case Answer::kReject:
      return verdict(Kind::kReject, usual_reply(answer));
    case Answer::kTempfail:
    case Answer::kConnectionFails:
      return verdict(Kind::kTempfail, usual_reply(answer));
    case Answer::kDiscard:
      return verdict(Kind::kDiscard);
    case Answer::kSkip:
      return verdict(Kind::kSkip);
    case Answer::kProgress:
      return verdict(Kind::kProgress);
    case Answer::kShutdown:
      return verdict(Kind::kShutdown, usual_reply(answer));
    default:
      return malformed(packet);
  }
}

}  // namespace sidegate::milter
