// What follows from the keys together: a relay's port and TLS from its host, passwords from files, default listeners;
// and what is unwise. Named steps, in the order load() takes them.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "config/load.h"

namespace sidegate::config {

struct Draft {  // a configuration while it is being made
  const LoadRequest& request;
  Tree tree;
  Loaded loaded;
  std::vector<RelayBlock> relays;
  Problems problems;
  std::set<std::string> unread;  // paths of keys whose values were no such thing: told of, and not missing

  // Of this key nothing is known that one could build on: its value, or its very name, was not right.
  bool is_unread(std::string_view list, std::size_t index, std::string_view key) const;
  // Where a key was set; the block where it was not.
  Where where(std::string_view list, std::size_t index, std::string_view key) const;
  bool given(std::string_view list, std::size_t index, std::string_view key) const;
  void error(Where where, std::string what, std::string next = {}) {
    problems.push_back({std::move(where), std::move(what), std::move(next)});
  }
  void warn(Where where, std::string what, std::string next = {}) {
    loaded.warnings.push_back({std::move(where), std::move(what), std::move(next)});
  }
};

// The secret in the file at `path`, which the key names. nullopt: it is not to be opened now, or what is wrong with it
// has been said, of `subject`.
std::optional<std::string> read_secret(Draft& draft, std::string_view list, std::size_t index, std::string_view key,
                                       const std::string& path, std::string_view subject);

// What is wrong with a file of CA certificates; nullopt: nothing.
std::optional<FileError> fault_of_authorities(const std::string& path, const std::string& pem);

void resolve_hostname(Draft& draft);
void resolve_local_domains(Draft& draft);
void resolve_listeners(Draft& draft);
void resolve_blocklists(Draft& draft);
void resolve_tls(Draft& draft);
void resolve_milters(Draft& draft);
void resolve_relays(Draft& draft);
// One relay: its preset, where nothing else is said; its hosts, ports, proxy and certificate. Before and after its port
// and TLS are settled.
void resolve_preset(Draft& draft, std::size_t index);
void resolve_places(Draft& draft, std::size_t index);
void resolve_relay_domains(Draft& draft);
void resolve_srs(Draft& draft);
void resolve_rewrite(Draft& draft);
void resolve_dkim(Draft& draft);
void resolve_local(Draft& draft);
void resolve_direct(Draft& draft);
void resolve_routes(Draft& draft);  // after the ways they name
void resolve_auth(Draft& draft);
void check_users(Draft& draft);
void check_replies(Draft& draft);
void check_queue(Draft& draft);

// The machine's name, fully qualified where /etc/hosts says so; without a dot when nothing better is known.
std::string system_host_name();

}  // namespace sidegate::config
