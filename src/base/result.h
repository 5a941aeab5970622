// Result<T>: a value or an Error. Errors are values; exceptions are for bugs and exhausted memory.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace sidegate {

// What kind of failure this is: decides, in one place per direction, what a peer is told or what becomes of a recipient
// (intake/reply_for.cc, deliver/outcome.cc).
enum class ErrorKind {
  kBadInput,     // what was given does not parse: an address, a command, a configuration line
  kNotFound,     // no such thing: a queue id, a name in DNS (NXDOMAIN), a file
  kRefused,      // connection refused, permission denied
  kUnreachable,  // no route to the network or host
  kTimeout,      // a deadline passed
  kClosed,       // the peer closed the connection, or we did
  kProtocol,     // the peer broke the protocol: malformed reply, plaintext after STARTTLS
  kTls,          // handshake failed or the certificate was not accepted
  kAuth,         // AUTH failed, or no usable mechanism
  kTooLarge,     // over a configured or protocol limit
  kNoSpace,      // disk full or below the reserve
  kStorage,      // the store failed: EIO, failed sync, corruption
  kOverload,     // a bound of ours was reached: descriptors, memory, queue length
  kConflict,     // the state does not allow it now
  kInternal,     // a bug of ours
};

const char* name(ErrorKind kind);  // "timeout", "tls", ...: stable words for logs and --json

// text is for the operator (log, status), complete and without secrets; it never goes to a peer as it is.
struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string text;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> fail(ErrorKind kind, std::string text) {
  return std::unexpected(Error{kind, std::move(text)});
}

// What was given does not parse.
inline std::unexpected<Error> bad(std::string text) {
  return fail(ErrorKind::kBadInput, std::move(text));
}

// The error of an errno value: its kind, and "WHAT: strerror".
Error errno_error(int value, std::string what);

}  // namespace sidegate
