// The pieces of the server's side; internal to the room.
#pragma once

#include "auth/server.h"

namespace sidegate::auth {

ServerStep failed_step(std::string why);
ServerStep malformed_step(std::string why);
bool is_user_text(std::string_view text);  // UTF-8 without control characters

std::unique_ptr<ServerMechanism> make_gsasl_mechanism(const ServerMechanismRow& row, ServerCircumstances circumstances);
std::unique_ptr<ServerMechanism> make_bearer_mechanism(std::string_view name);

}  // namespace sidegate::auth
