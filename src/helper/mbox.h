// One message at the end of an mbox file: locked both ways (dotlock and fcntl), synced, cut back where it went wrong.
// Runs as the user.
#pragma once

#include "helper/content.h"
#include "helper/identity.h"

namespace sidegate::helper {

struct LockRules {  // as Postfix's deliver_lock_attempts, deliver_lock_delay, stale_lock_time
  unsigned wait_milliseconds = 20'000;
  unsigned look_milliseconds = 100;
  unsigned stale_seconds = 500;
};

// request.verb kMbox: the file must belong to the person. nullopt: the server went away before the end, nothing is
// kept.
std::optional<Answer> deliver_mbox(const Request& request, const Person& person, int socket, LockRules rules = {});

// The group whose rights a mailbox in the system's mail spool needs (its folder is root's, the group "mail" writes to
// it, others do not), for the user's own file there and no other.
std::optional<gid_t> spool_group(const Request& request, const Person& person);

}  // namespace sidegate::helper
