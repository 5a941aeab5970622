#include "intake/reply_for.h"

namespace sidegate::intake {

mail::Reply reply_for(const Error& error, QueueId id) {
  std::string prefix = id ? id.text() + ": " : std::string();
  switch (error.kind) {
    case ErrorKind::kNoSpace:
      return {452, {4, 3, 1}, prefix + "Not enough storage, try again later"};  // RFC 5321 section 4.2.2
    case ErrorKind::kOverload:
    case ErrorKind::kTimeout:
      return {451, {4, 3, 2}, prefix + "Too busy, try again later"};
    default:
      return {451, {4, 3, 0}, prefix + "Local trouble, try again later"};
  }
}

}  // namespace sidegate::intake
