#pragma once

#include <optional>
#include <string_view>

#include "login/backend.h"

namespace sidegate::login {

// What a line of Dovecot's answers to our request 1; nullopt: something else. Pure.
std::optional<Verdict> dovecot_answer(std::string_view line, const std::string& asked);

}  // namespace sidegate::login
