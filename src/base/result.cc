#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace sidegate {

const char* name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kBadInput:
      return "bad_input";
    case ErrorKind::kNotFound:
      return "not_found";
    case ErrorKind::kRefused:
      return "refused";
    case ErrorKind::kUnreachable:
      return "unreachable";
    case ErrorKind::kTimeout:
      return "timeout";
    case ErrorKind::kClosed:
      return "closed";
    case ErrorKind::kProtocol:
      return "protocol";
    case ErrorKind::kTls:
      return "tls";
    case ErrorKind::kAuth:
      return "auth";
    case ErrorKind::kTooLarge:
      return "too_large";
    case ErrorKind::kNoSpace:
      return "no_space";
    case ErrorKind::kStorage:
      return "storage";
    case ErrorKind::kOverload:
      return "overload";
    case ErrorKind::kConflict:
      return "conflict";
    case ErrorKind::kInternal:
      return "internal";
  }
  return "internal";
}

namespace {

ErrorKind kind_of(int value) {
  switch (value) {
    case ENOENT:
    case ENOTDIR:
    case ESRCH:
      return ErrorKind::kNotFound;
    case EACCES:
    case EPERM:
    case ECONNREFUSED:
      return ErrorKind::kRefused;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EADDRNOTAVAIL:  // no address of that family to connect from
    case EAFNOSUPPORT:
      return ErrorKind::kUnreachable;
    case ETIMEDOUT:
    case ETIME:
      return ErrorKind::kTimeout;
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case ESHUTDOWN:
    case ECANCELED:
      return ErrorKind::kClosed;
    case EPROTO:
      return ErrorKind::kProtocol;
    case EFBIG:
    case EMSGSIZE:
    case E2BIG:
      return ErrorKind::kTooLarge;
    case ENOSPC:
    case EDQUOT:
      return ErrorKind::kNoSpace;
    case EIO:
    case EROFS:
    case ESTALE:
    case EUCLEAN:
      return ErrorKind::kStorage;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EAGAIN:
      return ErrorKind::kOverload;
    case EEXIST:
    case EADDRINUSE:
    case EBUSY:
    case ENOTEMPTY:
    case EISCONN:
      return ErrorKind::kConflict;
    case ENAMETOOLONG:
    case EISDIR:
    case ELOOP:
      return ErrorKind::kBadInput;
    default:
      return ErrorKind::kInternal;
  }
}

}  // namespace

Error errno_error(int value, std::string what) {
  const char* text = strerrordesc_np(value);  // the C locale's words, whatever the locale is
  what += ": ";
  what += text != nullptr ? std::string(text) : "error " + std::to_string(value);
  return Error{kind_of(value), std::move(what)};
}

}  // namespace sidegate
