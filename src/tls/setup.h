// What client and server contexts have in common. Internal to the room.
#pragma once

#include <openssl/ssl.h>

#include <string_view>

namespace sidegate::tls {

// A context of `method` with the modes every connection here needs (context.h), TLS 1.2 and 1.3. nullptr: no memory.
SSL_CTX* new_context(const SSL_METHOD* method);

bool is_ip_address(std::string_view name);

}  // namespace sidegate::tls
