// One user's password, asked of PAM (pam_authenticate and pam_acct_mgmt). In a process of its own that still is root:
// most modules need that.
#pragma once

#include "helper/identity.h"

namespace sidegate::helper {

// kDone: right, `text` is the user's name. kNotAllowed: wrong, unknown, locked or expired, or root. kUnavailable: PAM
// cannot say now.
Answer verify_password(const Request& request, int socket);

}  // namespace sidegate::helper
