// Which addresses a stranger's MX record may lead us to. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "deliver/settings.h"

namespace sidegate::deliver {

// False for loopback, private, link-local, shared (CGNAT), multicast, reserved space and anything that
// is no numeric address: who publishes such an MX would have us speak to machines of our own network.
bool is_public(std::string_view address);
// The same, and what the operator lets in.
bool leads_to_internet(const DirectSettings& direct, const std::string& address);

// The network that makes two hosts related: an IPv4 /16, an IPv6 /32. Empty: no address.
std::string wide_network(std::string_view address);
// The narrow one, in which hosts of one server farm stand: /24, /48.
std::string narrow_network(std::string_view address);

// Of a host name the part that one organisation has: "example.org" of "mx1.mail.example.org", "example.co.jp". Without
// the list of public suffixes: the usual second-level labels below a country count as one.
std::string organisation(std::string_view host);

}  // namespace sidegate::deliver
