// A user of this machine as the kernel names him: of a peer on a Unix socket, of a file's owner.
#pragma once

#include <string>

namespace sidegate::intake {

struct LocalUser {
  unsigned uid = 0;
  std::string name;      // "alice"; "uid1234" for one without an entry
  bool dropped = false;  // the message came by the drop directory, not by a dialogue
};

// Asks the system's user database: worker pool only.
LocalUser local_user(unsigned uid);

}  // namespace sidegate::intake
