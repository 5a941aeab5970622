// From root to the service's user, once the ports are bound; and what keeps secrets out of core files.
#pragma once

#include <string>

#include "base/result.h"

namespace sidegate::daemon {

// No core files, not readable by ptrace (promise 10); as many descriptors as the hard limit allows. Returns that
// number.
std::size_t harden_process();

// Makes `folder` (mode 0700) if it is missing and gives it to the user that become_user() will become. No-op without
// root.
Status prepare_folder(const std::string& folder, unsigned mode, const std::string& user);

// The group whose rights sidegate-drop has (doc/drop.md); the packaging makes it.
inline constexpr const char* kDropGroup = "sidegate-drop";
// Makes `folder` if it is missing: mode 1730, of the user that become_user() will become and of kDropGroup. An empty
// path: nothing to do.
Status prepare_drop_folder(const std::string& folder, const std::string& user);

// Gives up root for good (and keeps kDropGroup, to read what is dropped): groups, gid, uid, no_new_privs. Nothing to do
// (and no error) where the process is not root, or where `user` is "root" itself: the caller says so in the log.
Status become_user(const std::string& user);

}  // namespace sidegate::daemon
