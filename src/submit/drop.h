// Mail that the server does not take now: handed to the set-gid program sidegate-drop, which keeps it in the drop
// directory (doc/drop.md).
#pragma once

#include <string>

#include "base/result.h"
#include "mail/envelope.h"
#include "submit/message.h"

namespace sidegate::submit {

// The envelope as sidegate-drop reads it, up to the message itself. Pure.
std::string drop_request(const mail::Envelope& envelope, std::size_t message_size);

// Where sidegate-drop is: beside this program as installed or as built, else where it is installed by default.
std::string drop_program();

// Durable when it succeeds. kRefused: this process may not write there (no set-gid rights); else kStorage, kNoSpace ...
Status drop(const std::string& directory, const mail::Envelope& envelope, const Message& message);

}  // namespace sidegate::submit
