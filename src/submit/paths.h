// Where the server and the drop directory are: the two keys of the configuration that `sendmail` needs. A user who may
// not read the file, and a file that is being edited, get the defaults: mail goes on.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sidegate::submit {

struct Paths {
  std::string socket = "/run/sidegate/submit";
  std::string drop_directory = "/var/lib/sidegate/drop";
  bool operator==(const Paths&) const = default;
};

// The keys submit_socket and drop_directory at the top of a TOML text; nullopt: it is none. Pure.
std::optional<Paths> paths_in(std::string_view text);

// config: of -C, a file or its folder; empty, or no file of ours: $SIDEGATE_CONFIG, then the default.
// $SIDEGATE_SUBMIT_SOCKET and $SIDEGATE_DROP_DIRECTORY stand above the file, as for the server.
Paths find_paths(const std::string& config);

}  // namespace sidegate::submit
