// A configuration as it was written, before any option is looked at: blocks of keys with their places. Made from a TOML
// file (toml_source.cc) and from the environment (environment.cc); turned into settings by load.cc.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sidegate::config {

struct Where {
  std::string file;          // path, "$SIDEGATE_RELAY_0_HOST", or empty: the built-in default
  unsigned line = 0;         // 0: the file as a whole
  std::string text() const;  // "/etc/sidegate/sidegate.toml:12"
};

// What is wrong (or, as a warning, unwise), where, and what to do about it. Never holds a secret.
struct Problem {
  Where where;
  std::string what;
  std::string next;          // next step; may be empty
  std::string text() const;  // "FILE:LINE: what; next"
};
using Problems = std::vector<Problem>;

struct Value {
  enum class Kind : std::uint8_t { kString, kInteger, kFloat, kBool, kList, kTable, kDate };
  Kind kind = Kind::kString;
  bool plain = false;  // text without a type of its own (environment, default): the option says what it is
  bool boolean = false;
  std::int64_t integer = 0;
  std::string string;
  std::vector<Value> list;
  std::vector<std::string> keys;  // of a table: list has their values
  Where where;

  static Value from_text(std::string_view text, Where where = {});
  std::string kind_name() const;  // "a number", "text", ...: for messages
};

struct Block {
  Where where;
  std::map<std::string, Value, std::less<>> values;
};

struct Tree {
  std::map<std::string, Block, std::less<>> blocks;              // "" is the top level, "log", "queue", "dns"
  std::map<std::string, std::vector<Block>, std::less<>> lists;  // "relay", "listener"
};

}  // namespace sidegate::config
