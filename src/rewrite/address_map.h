// Tables from addresses to addresses, as Postfix's canonical(5) and generic(5) have them: an address before a user's
// name before a whole domain. Pure.
//
//   user@domain  address       user  address       @domain  address or @other-domain
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace sidegate::rewrite {

// This machine's names: what an address without a domain is completed with, and where a user's name alone counts.
struct OwnNames {
  std::string hostname;
  std::vector<std::string> domains;  // lower case; hostname counts as well
  std::string delimiter;             // recipient_delimiter: what parts user and tag; empty: none

  bool has(std::string_view domain) const;                // an empty one too
  std::string qualified(std::string_view address) const;  // "root" -> "root@hostname"
  bool operator==(const OwnNames&) const = default;
};

struct MapEntry {
  std::string key, value;
  std::string at = {};  // "/etc/postfix/generic:3"; empty: the configuration's own text
  bool operator==(const MapEntry&) const = default;
};
using MapText = std::vector<MapEntry>;

// What is wrong with an entry, as a sentence; nullopt: nothing.
std::optional<std::string> fault_of(const MapEntry& entry);

class AddressMap {
 public:
  AddressMap() = default;
  explicit AddressMap(MapText entries);  // of one key the first counts; those with a fault are passed over

  bool empty() const { return entries_.empty(); }
  const MapText& entries() const { return entries_; }

  struct Hit {
    std::string address;
    const MapEntry* entry;
  };
  // tag: of user+tag, matched without it, goes on to the result (as Postfix does with canonical maps).
  std::optional<Hit> find(std::string_view address, const OwnNames& own, bool tag) const;

  bool operator==(const AddressMap& other) const { return entries_ == other.entries_; }

 private:
  const MapEntry* entry(const std::string& key) const;

  MapText entries_;
  std::unordered_map<std::string, std::size_t> index_;  // lower case
};

// A file in Postfix's text form: "key value" a line, "#" before a comment, a line that begins with a space goes on with
// the one before. Lines that are none of this are told of in `problems` ("FILE:LINE: what") and passed over.
MapText parse_map_file(const std::string& path, std::string_view text, std::vector<std::string>& problems);

}  // namespace sidegate::rewrite
