// What the server asks of the helper, and what comes back. Pure; the helper runs as root and believes none of it.
//
// One request is one packet on a SOCK_SEQPACKET socket, with one descriptor: a stream socket over which the message's
// content comes (`size` octets, CRLF lines) and the answer goes back (octets up to the end of file). An end of file
// without a whole answer means: temporary failure, nothing is known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sidegate::helper {

inline constexpr std::size_t kMaxRequest = 64 * 1024;  // octets of a packet
inline constexpr std::size_t kMaxAnswer = 256 * 1024;
inline constexpr std::size_t kMaxForward = 64 * 1024;  // a ~/.forward
inline constexpr std::size_t kMaxName = 64;            // a user's name
inline constexpr std::size_t kMaxPlace = 4096;         // a path or a command
inline constexpr std::size_t kMaxHead = 16 * 1024;
inline constexpr std::size_t kMaxPassword = 4096;
inline constexpr std::size_t kMaxValue = 1024;                // of one environment variable
inline constexpr std::uint32_t kMaxPatience = 24 * 3600'000;  // milliseconds

enum class Verb : std::uint8_t {
  kHello,     // who is the helper?
  kFindUser,  // is there such a user?
  kReadForward,
  kMaildir,
  kMbox,            // the user's own mailbox: it must belong to them
  kFile,            // a file that an alias names
  kCommand,         // a program, with the content on its standard input
  kVerifyPassword,  // by PAM, service `place`; the content is the password
};
const char* name(Verb verb);
bool takes_content(Verb verb);

struct Request {
  Verb verb = Verb::kHello;
  std::string user = {};       // with whose rights; a Unix user's name
  std::string instead = {};    // takes root's place where `user` is root: nothing is ever done as root
  std::string place = {};      // path ("~/Maildir", "/var/mail/%u"), command, or ~/.forward's extension
  std::string head = {};       // stands before the content: From_ line and header fields, LF at their ends
  std::uint64_t size = 0;      // octets of content that follow
  std::uint32_t patience = 0;  // milliseconds that a command may run, or that all may take
  std::vector<std::pair<std::string, std::string>> environment = {};  // of a command: SENDER, RECIPIENT, ...
  bool operator==(const Request&) const = default;
};

// What happened. deliver/local_outcome.cc decides what it means.
enum class Cause : std::uint8_t {
  kDone,
  kNoUser,       // no such user on this system
  kNotFound,     // kReadForward: there is none
  kNotAllowed,   // the helper may not or will not: no root, another user, a symlink, a wrong owner
  kLocked,       // another program holds the mailbox
  kSystem,       // code: errno
  kExit,         // code: exit status of the command, never 0
  kSignal,       // code: the signal that ended it
  kTimeLimit,    // the command ran too long
  kUnavailable,  // users cannot be looked up now
  kBadRequest,   // the helper did not accept the request
};
struct Answer {
  Cause cause = Cause::kBadRequest;
  std::int32_t code = 0;
  std::string text = {};  // what was being done, or the first line of a command's output, or a .forward's text
  std::string home = {}, shell = {};  // kFindUser
  std::uint32_t uid = 0, gid = 0;
  bool operator==(const Answer&) const = default;
};

std::string encode(const Request& request);
// kBadInput: not well formed, over a bound, or not to be done by anybody (a name with a slash, a NUL in a path).
Result<Request> decode_request(std::string_view packet);
std::string encode(const Answer& answer);
std::optional<Answer> decode_answer(std::string_view bytes);

// A file in /etc/pam.d: letters, digits, "-" and "_".
bool is_service_name(std::string_view name);

// The names that the system's own tools take: no slash, no control character, no leading '-', not "." or "..".
bool is_user_name(std::string_view name);
// Message-derived values: everything but letters, digits and !@%-_=+:,./ becomes '_', as Postfix does.
std::string neutral(std::string_view value);

}  // namespace sidegate::helper
