// One message into a Maildir (https://cr.yp.to/proto/maildir.html): tmp/, sync, new/, sync. Runs as the user.
#pragma once

#include "helper/content.h"
#include "helper/identity.h"

namespace sidegate::helper {

// nullopt: the server went away before the end; nothing is kept, and nobody is there to be told.
std::optional<Answer> deliver_maildir(const Request& request, const Person& person, int socket);

}  // namespace sidegate::helper
