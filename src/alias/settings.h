#pragma once

#include <string>
#include <vector>

namespace sidegate::alias {

inline constexpr const char* kDefaultFile = "/etc/aliases";  // the one file that may be missing

struct Settings {
  std::vector<std::string> local_domains;                 // lower case
  std::vector<std::string> alias_files = {kDefaultFile};  // as aliases(5)
  std::vector<std::string> virtual_files;                 // as virtual(5)
  bool forward_files = true;                              // ~/.forward is read
  std::string recipient_delimiter = "+";                  // each character separates user and tag; empty: none does
  std::string hostname;                                   // what an unqualified address is qualified with
  std::string postmaster;  // where postmaster's mail goes when no alias says so; empty: to root
  bool operator==(const Settings&) const = default;
};

}  // namespace sidegate::alias
