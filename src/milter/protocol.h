// The milter protocol, version 6, as libmilter 8.14 and later speak it: names for what is on the wire. There is no RFC;
// the definition is sendmail's include/libmilter/mfdef.h, and what Postfix sends is what filters are tried with.
//
//   packet = length (4 octets, big-endian; counts the code and the data), code (1 octet), data
//   string = octets, NUL
#pragma once

#include <cstddef>
#include <cstdint>

#include "milter/settings.h"

namespace sidegate::milter {

constexpr std::uint32_t kVersion = kNewestVersion;
constexpr std::uint32_t kOldestVersion = 2;
constexpr std::size_t kBodyChunk = 65'535;       // MILTER_CHUNK_SIZE: with its code a packet of 64 KiB
constexpr std::size_t kMaxPacket = 1024 * 1024;  // that we take; filters send at most 64 KiB of body, and header fields

enum class Command : char {
  kAbort = 'A',    // forget this message; no reply
  kBody = 'B',     // octets
  kConnect = 'C',  // host name, family, port, address
  kMacros = 'D',   // for which command (1 octet), then name and value strings; no reply
  kEndOfBody = 'E',
  kHelo = 'H',
  kQuitNewConnection = 'K',  // the next is a new SMTP connection on this same link; no reply
  kHeader = 'L',             // name, value
  kMail = 'M',               // path, parameters
  kEndOfHeader = 'N',
  kOptions = 'O',  // version, actions, protocol
  kQuit = 'Q',     // no reply
  kRcpt = 'R',     // path, parameters
  kData = 'T',
  kUnknown = 'U',  // the line
};

enum class Answer : char {
  kAddRecipient = '+',
  kDeleteRecipient = '-',
  kAddRecipientWith = '2',  // with ESMTP parameters
  kShutdown = '4',          // 421
  kAccept = 'a',
  kReplaceBody = 'b',
  kContinue = 'c',
  kDiscard = 'd',
  kChangeFrom = 'e',
  kConnectionFails = 'f',
  kAddHeader = 'h',
  kInsertHeader = 'i',
  kChangeHeader = 'm',
  kOptions = 'O',
  kProgress = 'p',
  kQuarantine = 'q',
  kReject = 'r',
  kSkip = 's',
  kTempfail = 't',
  kReplyCode = 'y',
};

// SMFIF_*: what a filter may ask for at the end of the message.
namespace action {
constexpr std::uint32_t kAddHeaders = 0x01;
constexpr std::uint32_t kChangeBody = 0x02;
constexpr std::uint32_t kAddRecipients = 0x04;
constexpr std::uint32_t kDeleteRecipients = 0x08;
constexpr std::uint32_t kChangeHeaders = 0x10;
constexpr std::uint32_t kQuarantine = 0x20;
constexpr std::uint32_t kChangeFrom = 0x40;
constexpr std::uint32_t kAddRecipientsWith = 0x80;
constexpr std::uint32_t kSetMacros = 0x100;
constexpr std::uint32_t kAll = 0x1ff;
constexpr std::uint32_t kOfVersion2 = 0x3f;
}  // namespace action

// SMFIP_*: what is not sent (kNo), what gets no reply (kNoReply), and what else the two sides can do.
namespace protocol {
constexpr std::uint32_t kNoConnect = 0x01;
constexpr std::uint32_t kNoHelo = 0x02;
constexpr std::uint32_t kNoMail = 0x04;
constexpr std::uint32_t kNoRcpt = 0x08;
constexpr std::uint32_t kNoBody = 0x10;
constexpr std::uint32_t kNoHeaders = 0x20;
constexpr std::uint32_t kNoEndOfHeader = 0x40;
constexpr std::uint32_t kNoReplyHeader = 0x80;
constexpr std::uint32_t kNoUnknown = 0x100;
constexpr std::uint32_t kNoData = 0x200;
constexpr std::uint32_t kSkip = 0x400;
constexpr std::uint32_t kRejectedRcpt = 0x800;  // refused recipients are told too
constexpr std::uint32_t kNoReplyConnect = 0x1000;
constexpr std::uint32_t kNoReplyHelo = 0x2000;
constexpr std::uint32_t kNoReplyMail = 0x4000;
constexpr std::uint32_t kNoReplyRcpt = 0x8000;
constexpr std::uint32_t kNoReplyData = 0x10000;
constexpr std::uint32_t kNoReplyUnknown = 0x20000;
constexpr std::uint32_t kNoReplyEndOfHeader = 0x40000;
constexpr std::uint32_t kNoReplyBody = 0x80000;
constexpr std::uint32_t kLeadingSpace = 0x100000;  // a header value begins right after the colon, both ways
constexpr std::uint32_t kAll = 0x1fffff;
}  // namespace protocol

// SMFIM_*: when macros are sent.
enum class Stage : std::uint8_t { kConnect, kHelo, kMail, kRcpt, kData, kEndOfMessage, kEndOfHeader };
constexpr std::size_t kStages = 7;

}  // namespace sidegate::milter
