// What a filter answers, taken apart: pure.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "mail/reply.h"
#include "milter/edits.h"
#include "milter/packet.h"

namespace sidegate::milter {

struct Verdict {
  enum class Kind : std::uint8_t {
    kContinue,
    kAccept,
    kReject,
    kTempfail,
    kDiscard,
    kReply,
    kSkip,
    kProgress,
    kShutdown
  };
  Kind kind = Kind::kContinue;
  mail::Reply reply = {};  // for what is refused: the filter's own, or the usual one
};

// A packet is a verdict or one edit of the message.
struct Parsed {
  bool is_edit = false;
  Verdict verdict = {};
  Edit edit = {};
};

// kProtocol: no such answer, or its data is malformed.
Result<Parsed> parse_answer(const Packet& packet);

// The text of a reply code packet: "550 5.7.1 text", or several lines with "-". "%%" is one "%" (libmilter hands texts
// to sendmail's printf). kProtocol unless every line has the same code, 4yz or 5yz.
Result<mail::Reply> parse_reply_text(std::string_view text);

mail::Reply usual_reply(Answer answer);

}  // namespace sidegate::milter
