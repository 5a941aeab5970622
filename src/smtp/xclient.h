// XCLIENT: a listed host in front says who the client is (Postfix's XCLIENT_README). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "smtp/command.h"

namespace sidegate::smtp {

struct XclientCommand {
  // Of each: absent where it was not sent; empty where it is [UNAVAILABLE] or [TEMPUNAVAIL].
  std::optional<std::string> name, reverse_name, address, helo, protocol, login;
  std::optional<unsigned> port;
};

// "NAME=value ADDR=value ...", the values in xtext. login: the attribute is known here.
Parsed<XclientCommand> parse_xclient(std::string_view arguments, bool login);

// What EHLO offers: "XCLIENT NAME ADDR ...".
std::string_view xclient_keyword(bool login);

// One more command of the same statement. false: it says again what was said before.
bool add_xclient(XclientCommand& said, XclientCommand&& more);

// What it makes of a session: everything that is not said anew stays, but for the login, which is forgotten.
void apply_xclient(const XclientCommand& command, SessionInfo& session);

}  // namespace sidegate::smtp
