#include "smtp/xclient.h"

#include "base/text.h"
#include "mail/mailbox.h"
#include "mail/reply_words.h"
#include "net/networks.h"
#include "smtp/parameters.h"

namespace sidegate::smtp {
namespace {

constexpr std::size_t kLongestValue = 255;

int hex_value_of_any_case(char c) {
  return is_digit(c) ? c - '0' : ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f' ? ascii_lower(c) - 'a' + 10 : -1;
}

// RFC 1891 section 5 (now RFC 3461 section 4), as the README says; other octets than printable ASCII may come out of
// it, and lower case digits are Postfix's own. nullopt: no xtext, or what comes out has no place in a log or a header.
std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '+') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_value_of_any_case(text[i + 1]), low = hex_value_of_any_case(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (out.size() > kLongestValue || has_control(out) || !is_utf8(out)) return std::nullopt;
  return out;
}

// "192.0.2.1", "IPV6:2001:db8::1", and IPv6 without its tag: in the form we have everywhere.
std::optional<std::string> plain_address(std::string_view text) {
  if (istarts_with(text, "IPV6:")) text.remove_prefix(5);
  if (text.find('%') != std::string_view::npos) return std::nullopt;
  auto octets = net::parse_address(text);
  if (!octets) return std::nullopt;
  return net::address_text(*octets);
}

std::optional<unsigned> plain_port(std::string_view text) {
  auto number = parse_number(text);
  if (!number || *number > 65535) return std::nullopt;
  return static_cast<unsigned>(*number);
}

// Reads one value into its place; false: it is none.
bool take(XclientCommand& command, std::string_view attribute, const std::string& value) {
  const auto address = [&value] { return value.empty() ? std::optional<std::string>("") : plain_address(value); };
  const auto host = [&value](std::optional<std::string>& place) {
    place = value;
    return value.empty() || mail::is_domain(value, false);
  };
  const auto port = [&value] { return value.empty() ? std::optional<unsigned>(0) : plain_port(value); };
  if (attribute == "NAME") return host(command.name);
  if (attribute == "REVERSE_NAME") return host(command.reverse_name);
  if (attribute == "ADDR") return (command.address = address()).has_value();
  if (attribute == "PORT") return (command.port = port()).has_value();
  // Where the client came to changes nothing here.
  if (attribute == "DESTADDR") return address().has_value();
  if (attribute == "DESTPORT") return port().has_value();
  if (attribute == "HELO") command.helo = value;
  if (attribute == "LOGIN") command.login = value;
  if (attribute != "PROTO") return true;
  command.protocol = upper(value);
  return command.protocol == "SMTP" || command.protocol == "ESMTP";
}

bool is_known(std::string_view attribute, bool login) {
  for (std::string_view word : split(xclient_keyword(login), ' ')) {
    if (word == attribute && word != "XCLIENT") return true;
  }
  return false;
}

}  // namespace

std::string_view xclient_keyword(bool login) {
  return login ? "XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT REVERSE_NAME LOGIN"
               : "XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT REVERSE_NAME";
}

Parsed<XclientCommand> parse_xclient(std::string_view arguments, bool login) {
  XclientCommand command;
  bool any = false;
  for (std::string_view word : split(arguments, ' ')) {
    if (word.empty()) continue;
    const std::size_t equals = word.find('=');
    const std::string attribute = upper(word.substr(0, equals));
    if (equals == std::string_view::npos || !is_known(attribute, login))
      return bad("Not an attribute of XCLIENT here: " + mail::reply_words(word.substr(0, equals), 40));
    std::string_view text = word.substr(equals + 1);
    const bool unknown = iequals(text, "[UNAVAILABLE]") || iequals(text, "[TEMPUNAVAIL]");
    auto value = decoded(unknown ? std::string_view() : text);
    if (!value || (value->empty() && !unknown) || !take(command, attribute, *value))
      return bad("Bad value of " + attribute + " in XCLIENT");
    any = true;
  }
  if (!any) return bad("Syntax: XCLIENT attribute=value ...");
  return command;
}

bool add_xclient(XclientCommand& said, XclientCommand&& more) {
  bool first = true;
  const auto add = [&first](auto& place, auto& value) {
    if (!value) return;
    if (place) first = false;
    place = std::move(value);
  };
  add(said.name, more.name);
  add(said.reverse_name, more.reverse_name);
  add(said.address, more.address);
  add(said.helo, more.helo);
  add(said.protocol, more.protocol);
  add(said.login, more.login);
  add(said.port, more.port);
  return first;
}

void apply_xclient(const XclientCommand& command, SessionInfo& session) {
  session.may_xclient = false;
  net::Peer& peer = session.peer;
  if (command.address) {
    if (!command.address->empty()) peer.address = *command.address;
    peer.told = command.address->empty() ? net::Told::kNothing : net::Told::kAddress;
    peer.port = 0;
    session.client_name.clear();
    session.client_ptr.clear();
  }
  if (command.port) peer.port = *command.port;
  // What stands in a command is not this machine, and no Unix user of it.
  if (peer.told == net::Told::kSocket) peer.told = net::Told::kAddress;
  peer.loopback = peer.is_unix = false;
  if (command.name) session.client_name = *command.name;
  if (command.reverse_name) {
    session.client_ptr = *command.reverse_name;
  } else if (command.name) {
    session.client_ptr = *command.name;
  }
  if (command.helo) session.helo = *command.helo;
  if (command.protocol) session.esmtp = command.protocol == "ESMTP";
  session.user = command.login.value_or("");
  session.mechanism = session.user.empty() ? "" : "XCLIENT";
}

}  // namespace sidegate::smtp
