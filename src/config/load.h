// From a file and the environment to Settings: all that is wrong at once, or a whole configuration and its warnings.
#pragma once

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/files.h"
#include "config/options.h"
#include "config/settings.h"
#include "config/value.h"

namespace sidegate::config {

inline constexpr const char* kDefaultPath = "/etc/sidegate/sidegate.toml";

struct LoadRequest {
  std::string path;                 // as given with --config; empty: $SIDEGATE_CONFIG, then kDefaultPath
  std::optional<std::string> text;  // read instead of the file (tests, standard input); path then only names it
  std::vector<std::pair<std::string, std::string>> environment;
  std::string system_name;  // the machine's name; empty: the system is asked
  bool open_files = true;   // false: passwords and CA files are not looked at (fuzzing)
  bool open_maps = false;   // the files of [rewrite] are read even so
  std::shared_ptr<Files> files = std::make_shared<Files>();  // what is read goes through it, and stays in it

  static LoadRequest from_process(std::string path);  // with this process's environment
};

struct Loaded {
  Settings settings;
  Problems warnings;                                  // shown at every check and every start, for ever
  std::string path;                                   // the file read; empty: environment alone
  std::map<std::string, Where> sources;               // "relay.0.host" -> where it was set; absent: the default
  std::map<std::string, std::string> password_files;  // "relay.0.password_file" -> path, for `show`
};

using LoadResult = std::expected<Loaded, Problems>;
LoadResult load(const LoadRequest& request);

// Keys whose value differs and which only a restart brings into force: what a reload must tell the operator.
std::vector<std::string> needs_restart(const Settings& running, const Settings& loaded);

// "relay.0.host", "log.style", "hostname".
std::string key_path(const Table& table, std::size_t index, std::string_view key);

// One line each, for the log and for people.
std::string text_of(const Problems& problems);

}  // namespace sidegate::config
