// The name under which a zone speaks of an address: "1.2.0.192.in-addr.arpa", "1.2.0.192.zen.example". Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sidegate::dns {

// RFC 1035 section 3.5, RFC 3596 section 2.5; zones other than these two: RFC 5782 sections 2.1 and 2.4. nullopt: no
// numeric address. A zone ("%eth0") of the address is ignored.
std::optional<std::string> reverse_name(std::string_view address);
std::optional<std::string> reverse_name(std::string_view address, std::string_view zone);

}  // namespace sidegate::dns
