// For tests: users, ~/.forward and :include: files from maps.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "alias/sources.h"

namespace sidegate::alias {

class FakeSources final : public Sources {
 public:
  std::set<std::string> users;
  std::map<std::string, std::string> forwards;  // by user
  std::map<std::string, Error> bad_forwards;
  std::map<std::string, std::string> includes;  // by path
  std::optional<Error> no_users;                // find_user fails
  std::vector<std::string> asked;

  Result<std::optional<User>> find_user(const std::string& name) override {
    asked.push_back(name);
    if (no_users) return std::unexpected(*no_users);
    if (!users.contains(name)) return std::nullopt;
    return User{name, 1000, "/home/" + name};
  }
  Result<std::optional<std::string>> read_forward(const User& user, const std::string& tag) override {
    if (auto bad = bad_forwards.find(user.name); bad != bad_forwards.end()) return std::unexpected(bad->second);
    auto at = forwards.find(user.name + "+" + tag);
    if (tag.empty() || at == forwards.end()) at = forwards.find(user.name);
    if (at == forwards.end()) return std::nullopt;
    return at->second;
  }
  Result<std::string> read_include(const std::string& path, unsigned) override {
    auto at = includes.find(path);
    if (at == includes.end()) return fail(ErrorKind::kNotFound, path + ": No such file or directory");
    return at->second;
  }
};

}  // namespace sidegate::alias
