// resolv.conf(5) and hosts(5), and what needs neither: numeric addresses and localhost. Pure: the text comes in.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sidegate::dns {

struct ResolvConf {
  std::vector<std::string> servers;  // as written: "192.0.2.53", "fe80::1%eth0"; never empty
  std::vector<std::string> search;
  unsigned ndots = 1;
};
ResolvConf parse_resolv_conf(std::string_view text);

// The addresses that hosts(5) gives to `name` (lower case, no dot at its end), in the file's order.
std::vector<std::string> find_in_hosts(std::string_view text, std::string_view name);

// And the other way: the first name that it gives to a numeric address; empty: none.
std::string find_name_in_hosts(std::string_view text, std::string_view address);

// "192.0.2.1", "2001:db8::1", "[2001:db8::1]", "[IPv6:2001:db8::1]", "fe80::1%eth0": the numeric form; nullopt: a name.
std::optional<std::string> literal_address(std::string_view host);
// RFC 6761 section 6.3: "localhost" and what ends in ".localhost" is this host, without asking anybody.
bool is_localhost(std::string_view name);
// IPv6 and IPv4 taken in turn, IPv6 first (RFC 8305 section 4), doubles left out.
std::vector<std::string> interleaved(const std::vector<std::string>& six, const std::vector<std::string>& four);
inline bool is_six(std::string_view address) {
  return address.find(':') != std::string_view::npos;
}

}  // namespace sidegate::dns
