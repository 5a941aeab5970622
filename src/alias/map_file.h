// The files that map names to targets, parsed: what they say, line by line, and what is wrong in them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "alias/target.h"

namespace sidegate::alias {

struct Entry {
  std::string key;  // as look-ups want it: lower case, unquoted; virtual: "user@domain", "@domain" or "user"
  Place at;
  std::vector<Target> targets;
  bool broken = false;  // something on its line cannot be read: the entry is known, where it leads is not
};

struct MapFile {
  std::string path;
  unsigned owner = 0;  // uid
  std::vector<Entry> entries;
  Problems problems;
  bool unreadable = false;  // nothing of it is known; problems say why

  static MapFile unread(std::string path, Problem why);
};

// aliases(5): "name: target, target". A name is local: it has no domain.
MapFile parse_aliases(const std::string& path, std::string_view text);
// virtual(5): "user@domain target, target", "@domain target", "user target".
MapFile parse_virtual(const std::string& path, std::string_view text);
// ~/.forward and :include: files: targets alone, a line or a comma apart.
Targets parse_list(const std::string& path, std::string_view text, ListKind kind);

}  // namespace sidegate::alias
