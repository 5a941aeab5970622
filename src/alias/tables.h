// All alias and virtual files together, ready for look-ups. Immutable once made; pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "alias/map_file.h"

namespace sidegate::alias {

class Tables {
 public:
  Tables() = default;
  // A key that stands twice: the first one counts, the second one is told.
  static Tables make(std::vector<MapFile> aliases, std::vector<MapFile> virtuals);

  const Entry* alias(std::string_view name) const { return find(aliases_, name); }
  const Entry* virtual_entry(std::string_view key) const { return find(virtuals_, key); }
  // Some address of it stands on the left of a virtual file.
  bool is_virtual_domain(std::string_view domain) const { return domains_.contains(std::string(domain)); }
  // Such a file cannot be read: any name, any address may be one that it maps.
  bool aliases_unreadable() const { return aliases_unreadable_; }
  bool virtuals_unreadable() const { return virtuals_unreadable_; }

  const std::vector<MapFile>& alias_files() const { return alias_files_; }
  const std::vector<MapFile>& virtual_files() const { return virtual_files_; }
  unsigned owner(std::string_view path) const;  // of the file; 0 when it is none of ours
  Problems problems() const;                    // of all files, in order

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct At {
    std::size_t file = 0, entry = 0;
  };
  using Index = std::unordered_map<std::string, At, Hash, std::equal_to<>>;
  struct Map {
    Index index;
    std::vector<MapFile> Tables::* files;
  };
  const Entry* find(const Map& map, std::string_view key) const;
  void add_all(Map& map, std::vector<MapFile>& files);
  void add_domains();

  std::vector<MapFile> alias_files_, virtual_files_;
  Map aliases_{{}, &Tables::alias_files_}, virtuals_{{}, &Tables::virtual_files_};
  std::unordered_set<std::string> domains_;
  bool aliases_unreadable_ = false, virtuals_unreadable_ = false;
};

}  // namespace sidegate::alias
