// How a step of the client's session fails: by itself, or by the peer's words. Inside this room only.
#pragma once

#include "smtp/client_session.h"

namespace sidegate::smtp {

Trouble broken_at(Phase phase, Error error);                         // adds what was waited for to the text
Trouble refused_at(Phase phase, ErrorKind kind, mail::Reply reply);  // a 421 is always kClosed

}  // namespace sidegate::smtp
