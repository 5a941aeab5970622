#include "config/autoconfig.h"

#include <algorithm>

#include "config/option_checks.h"

namespace sidegate::config {
namespace {

struct Port {
  std::uint16_t port;
  bool implicit;
};

// The users' ports, TLS from the first octet before STARTTLS (RFC 8314 section 3.3), each once.
std::vector<Port> users_ports(const Settings& settings) {
  std::vector<Port> ports;
  for (bool implicit : {true, false}) {
    for (const intake::ListenerSettings& l : settings.listeners) {
      const bool reachable = !l.address.starts_with('/') && !is_loopback_address(l.address) && l.port != 0;
      if (!reachable || !intake::is_submission(l.profile) || (l.tls == intake::ListenerTls::kImplicit) != implicit)
        continue;
      if (std::ranges::none_of(ports, [&](const Port& p) { return p.port == l.port; }))
        ports.push_back({l.port, implicit});
    }
  }
  return ports;
}

bool takes_mail(const Settings& settings) {
  return std::ranges::any_of(settings.listeners, [](const intake::ListenerSettings& l) {
    return l.profile == intake::Profile::kSmtp && l.port == 25 && !is_loopback_address(l.address);
  });
}

std::string in_xml(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

std::string server_xml(const char* kind, const char* type, const std::string& host, Port at) {
  return fmt::format(
      "    <{0} type=\"{1}\">\n"
      "      <hostname>{2}</hostname>\n"
      "      <port>{3}</port>\n"
      "      <socketType>{4}</socketType>\n"
      "      <username>%EMAILADDRESS%</username>\n"
      "      <authentication>password-cleartext</authentication>\n"  // the password itself, inside TLS
      "    </{0}>\n",
      kind, type, in_xml(host), at.port, at.implicit ? "SSL" : "STARTTLS");
}

}  // namespace

std::string autoconfig_records(const Settings& settings, const Autoconfig& wanted) {
  const std::vector<Port> ports = users_ports(settings);
  if (ports.empty()) return {};
  std::string out;
  int priority = 0;
  for (const Port& p : ports) {
    out += fmt::format("_{}._tcp.{}. 3600 IN SRV {} 1 {} {}.\n", p.implicit ? "submissions" : "submission",
                       wanted.domain, priority, p.port, settings.hostname);
    priority += 10;
  }
  if (!wanted.imap_host.empty())
    out += fmt::format("_imaps._tcp.{}. 3600 IN SRV 0 1 993 {}.\n", wanted.domain, wanted.imap_host);
  if (takes_mail(settings)) out += fmt::format("{}. 3600 IN MX 10 {}.\n", wanted.domain, settings.hostname);
  return out;
}

std::string autoconfig_xml(const Settings& settings, const Autoconfig& wanted) {
  const std::vector<Port> ports = users_ports(settings);
  if (ports.empty()) return {};
  const std::string domain = in_xml(wanted.domain);
  std::string out = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<clientConfig version=\"1.1\">\n"
      "  <emailProvider id=\"{0}\">\n"
      "    <domain>{0}</domain>\n"
      "    <displayName>{0}</displayName>\n"
      "    <displayShortName>{0}</displayShortName>\n",
      domain);
  if (!wanted.imap_host.empty()) out += server_xml("incomingServer", "imap", wanted.imap_host, {993, true});
  for (const Port& p : ports) out += server_xml("outgoingServer", "smtp", settings.hostname, p);
  return out + "  </emailProvider>\n</clientConfig>\n";
}

}  // namespace sidegate::config
