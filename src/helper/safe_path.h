// Paths as a delivery follows them: no symbolic link that somebody else than the system's administrator may have put
// there, no "..", the last part never a link at all. Used with the user's identity.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "helper/descriptor.h"
#include "helper/identity.h"

namespace sidegate::helper {

struct Place {
  bool below_home = false;
  std::vector<std::string> parts;  // of the path, or of what follows the home folder
  bool folder = false;             // written with a '/' at its end
  std::string text(const Person& person) const;
};

// "~/Maildir", "%h/Maildir", "/var/mail/%u"; %u the user's name, %% a percent sign. kBadInput: anything else.
Result<Place> parse_place(std::string_view text, const Person& person);

// O_PATH of the folder that `place` is in (last = false) or is (last = true). A link on the way is followed only where
// root made it in a folder that root alone writes to (/var/spool/mail -> ../mail). make: missing folders below the home
// folder are made, 0700.
std::expected<Descriptor, Answer> open_folder(const Place& place, const Person& person, bool last, bool make);
// A folder in a folder, not a link; made (0700) where it is missing and `make` is set.
std::expected<Descriptor, Answer> open_below(int folder, const std::string& name, bool make, const std::string& shown);
// fsync of an O_PATH folder.
bool sync_folder(int folder);

}  // namespace sidegate::helper
