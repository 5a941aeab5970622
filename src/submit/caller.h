// Who runs this program: the name for an envelope and for a From field.
#pragma once

#include <string>

namespace sidegate::submit {

struct Caller {
  std::string name;       // "alice"; "uid1234" for a user without an entry
  std::string full_name;  // $NAME, else of the entry (GECOS)
};

Caller this_caller();

// The first field of a GECOS entry; "&" stands for the name with a capital. Pure.
std::string full_name_of(std::string_view gecos, std::string_view name);

}  // namespace sidegate::submit
