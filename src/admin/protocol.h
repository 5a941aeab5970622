// The control socket's language: one JSON object a line (RFC 8259). A client sends one request and reads answers until
// "done" or "error"; then it may send the next.
//
//   {"command":"queue.list","to":"@example.org"}          -> {"row":{...}} ... {"done":{...}}
//   {"command":"queue.delete","ids":["..."],"dry_run":true}
//   {"command":"status"}                                  -> {"done":{...}}
//   {"command":"queue.show","ids":["nonsense"]}           -> {"error":{"kind":"bad_input","text":"..."}}
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sidegate::admin {

enum class Verb : std::uint8_t {
  kStatus,
  kVersion,
  kReload,
  kList,
  kShow,
  kRetry,
  kHold,
  kRelease,
  kDelete,
  kUserList,
  kUserSuspend,
  kUserResume,
  kStsShow,
  kTlsReport,
};
const char* name(Verb verb);  // "queue.list"
bool writes(Verb verb);

// Which messages. Conditions are joined by "and"; a writing command needs at least one, or `all`.
struct Selection {
  bool all = false;
  std::vector<std::string> ids{};
  std::string to{}, from{};  // substring of an address; "@domain" matches its end
  std::string relay{};       // what is to leave by this relay next
  bool empty() const { return !all && ids.empty() && to.empty() && from.empty() && relay.empty(); }
};

struct Request {
  Verb verb = Verb::kStatus;
  Selection selection{};
  bool dry_run = false;
  std::uint64_t limit = 0;       // rows; 0: all
  std::string user{}, reason{};  // of user.suspend and user.resume
  std::string domain{};          // of sts.show and tls.report
};

inline constexpr std::size_t kMaxRequest = 1 << 20;  // octets: about 60,000 ids

std::string request_line(const Request& request);  // with its line feed
Result<Request> parse_request(std::string_view line);

// Answers; `json` is an object as text.
std::string row_line(std::string_view json);
std::string done_line(std::string_view json);
std::string error_line(const Error& error);

struct Answer {
  enum class Kind : std::uint8_t { kRow, kDone, kError } kind = Kind::kDone;
  std::string json;  // of a row or of the end
  Error error;
};
Result<Answer> parse_answer(std::string_view line);

// What the server's words are in an error answer: the kinds of base/result.h by their names.
ErrorKind kind_of(std::string_view word);

}  // namespace sidegate::admin
