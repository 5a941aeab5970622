// What a server can do: the answer to EHLO (RFC 5321 section 4.1.1.1).
#include "base/text.h"
#include "smtp/client_session.h"

namespace sidegate::smtp {
namespace {

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> found;
  std::size_t at = 0;
  while (at < line.size()) {
    std::size_t begin = line.find_first_not_of(" \t", at);
    if (begin == std::string_view::npos) break;
    at = std::min(line.find_first_of(" \t", begin), line.size());
    found.push_back(line.substr(begin, at - begin));
  }
  return found;
}

void add_mechanism(Capabilities& c, std::string_view name) {
  std::string upper_name = upper(name);
  if (!upper_name.empty() && std::ranges::find(c.auth, upper_name) == c.auth.end())
    c.auth.push_back(std::move(upper_name));
}

void take_keyword(Capabilities& c, std::string_view line) {
  std::vector<std::string_view> parts = words(line);
  if (parts.empty()) return;
  std::string keyword = upper(parts[0]);
  // The form that came before RFC 2554 and is still sent for old clients: "AUTH=LOGIN PLAIN".
  if (keyword.starts_with("AUTH=")) {
    add_mechanism(c, parts[0].substr(5));
    keyword = "AUTH";
  }
  if (keyword == "AUTH") {
    for (std::size_t i = 1; i < parts.size(); ++i) add_mechanism(c, parts[i]);
  } else if (keyword == "STARTTLS") {
    c.starttls = true;
  } else if (keyword == "PIPELINING") {
    c.pipelining = true;
  } else if (keyword == "CHUNKING") {
    c.chunking = true;
  } else if (keyword == "8BITMIME") {
    c.eight_bit = true;
  } else if (keyword == "SMTPUTF8") {
    c.smtputf8 = true;
  } else if (keyword == "REQUIRETLS") {
    c.requiretls = true;
  } else if (keyword == "DSN") {
    c.dsn = true;
  } else if (keyword == "ENHANCEDSTATUSCODES") {
    c.enhanced = true;
  } else if (keyword == "SIZE" && parts.size() > 1) {
    // RFC 1870 section 3: "SIZE" alone and "SIZE 0" name no limit.
    auto number = parse_number(parts[1]);
    if (number && *number > 0) c.size = number;
  }
}

}  // namespace

const char* name(Phase phase) {
  switch (phase) {
    case Phase::kResolve:
      return "resolve";
    case Phase::kConnect:
      return "connect";
    case Phase::kGreeting:
      return "greeting";
    case Phase::kEhlo:
      return "ehlo";
    case Phase::kStartTls:
      return "starttls";
    case Phase::kTls:
      return "tls";
    case Phase::kAuth:
      return "auth";
    case Phase::kMail:
      return "mail";
    case Phase::kRcpt:
      return "rcpt";
    case Phase::kData:
      return "data";
    case Phase::kContent:
      return "content";
    case Phase::kFinal:
      return "final";
    case Phase::kQuit:
      return "quit";
  }
  return "unknown";
}

Capabilities parse_ehlo(const mail::Reply& reply) {
  Capabilities c;
  c.esmtp = true;
  if (reply.lines.empty()) return c;
  std::vector<std::string_view> greeting = words(reply.lines[0]);
  if (!greeting.empty()) c.host = std::string(greeting[0]);
  for (std::size_t i = 1; i < reply.lines.size(); ++i) {
    c.raw.push_back(reply.lines[i]);
    take_keyword(c, reply.lines[i]);
  }
  return c;
}

}  // namespace sidegate::smtp
