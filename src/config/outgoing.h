// What a [[relay]] block and [direct] have in common: a SOCKS5 proxy, and a certificate of our own. Internal to the
// room.
#pragma once

#include <string>
#include <string_view>

#include "config/resolve.h"

namespace sidegate::config {

struct Outgoing {
  Draft& draft;
  std::string_view list;  // of tables: "relay", "direct"
  std::size_t index;
  std::string title;  // what messages begin with; empty: nothing
  void error(std::string_view key, std::string what, std::string next = {}) const;
};

void read_proxy(const Outgoing& out, deliver::Proxy& proxy);     // from its url
void read_certificate(const Outgoing& out, tls::Identity& own);  // from its files, where they are to be opened

}  // namespace sidegate::config
