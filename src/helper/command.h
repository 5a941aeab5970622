// A program with the message on its standard input: the user's identity, a closed environment, a session of its own,
// and a limit of time. Runs as the user.
#pragma once

#include "helper/content.h"
#include "helper/identity.h"

namespace sidegate::helper {

inline constexpr unsigned kGraceMilliseconds = 3'000;  // between SIGTERM and SIGKILL

// nullopt: the server went away before the end; the program was killed before it could take the beginning for all.
std::optional<Answer> deliver_command(const Request& request, const Person& person, int socket);

// "NAME=value" each: HOME, LOGNAME, USER, SHELL, PATH, LANG, TZ and what the request names, made harmless.
std::vector<std::string> environment_for(const Request& request, const Person& person);
// The first lines of a program's output as one line.
std::string first_words(std::string_view output);

}  // namespace sidegate::helper
