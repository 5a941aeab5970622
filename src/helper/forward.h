// A user's ~/.forward, read with the user's rights.
#pragma once

#include "helper/identity.h"

namespace sidegate::helper {

// kDone: text. kNotFound: there is none. kNotAllowed: there is one that cannot be trusted; text says why.
// With an extension (the part behind recipient_delimiter) ~/.forward+EXTENSION is looked for first.
Answer read_forward(const Request& request, const Person& person);

}  // namespace sidegate::helper
