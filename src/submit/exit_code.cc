#include "submit/exit_code.h"

#include <sysexits.h>

namespace sidegate::submit {

int exit_code_of(const mail::Reply& reply) {
  if (reply.positive()) return EX_OK;
  if (reply.transient()) return EX_TEMPFAIL;
  const mail::EnhancedCode status = reply.status.value_or(mail::EnhancedCode{});
  // RFC 3463 section 3.2: 1 and 6 are the recipient's, 2 its host's name, 3 and 7 the form of an address.
  if (status.subject == 1 && (status.detail == 1 || status.detail == 6 || status.detail == 0)) return EX_NOUSER;
  if (status.subject == 1 && status.detail == 2) return EX_NOHOST;
  if (status.subject == 1) return EX_DATAERR;
  if (status.subject == 6) return EX_DATAERR;
  if (status.subject == 7) return EX_NOPERM;
  return EX_UNAVAILABLE;
}

}  // namespace sidegate::submit
