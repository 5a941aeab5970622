// The tables told to people: what is in force, what differs from the default, a sample file, one key explained, and the
// reference. Secrets are masked everywhere.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/load.h"
#include "config/options.h"

namespace sidegate::config {

// One block of the table as its struct makes it: what Option::place fills and shows.
std::shared_ptr<void> new_block(const Table& t);

inline constexpr const char* kMask = "********";

struct Entry {        // one key in force
  std::string key;    // "relay.0.host"
  std::string block;  // "[[relay]]", for headings
  std::size_t index = 0;
  std::string name, value, default_value;  // as TOML; a secret masked
  std::string source;                      // "FILE:LINE", "$SIDEGATE_...", or "default"
  bool changed = false;                    // differs from the default
};
std::vector<Entry> entries(const Loaded& loaded);

std::string show(const Loaded& loaded);  // the whole configuration in force, as TOML
std::string diff(const Loaded& loaded);  // what differs from the defaults, with the place where it was set
std::string sample();                    // a complete commented file: `config default`
// What a key means: "relay.host", "host", "log.style", "SIDEGATE_LOG_STYLE", or a block's name for all its keys.
// kNotFound comes with a suggestion.
Result<std::string> explain(std::string_view key);
std::string reference();  // doc/configuration.md, in English

}  // namespace sidegate::config
