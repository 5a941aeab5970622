#include "doctor/targets.h"

#include <algorithm>

#include "base/i18n.h"
#include "base/text.h"
#include "dns/system_files.h"
#include "spf/dmarc.h"

namespace sidegate::doctor {
namespace {

constexpr std::size_t kMostPorts = 8;

std::unexpected<Error> wrong(std::string_view text) {
  return fail(ErrorKind::kBadInput, tr("\"{}\" is no host with ports: write \"mx.example.org:25\" or "
                                       "\"smtp.example.org:465,587\"",
                                       printable(text, 100)));
}

bool is_host(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  if (dns::literal_address(host)) return true;
  for (std::string_view label : split(host, '.')) {
    if (label.empty() || label.size() > 63) return false;
    if (!std::ranges::all_of(label, [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_'; }))
      return false;
  }
  return true;
}

}  // namespace

Result<Target> parse_target(std::string_view text) {
  std::string_view host = trim(text), ports;
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) return wrong(text);
    std::string_view rest = host.substr(end + 1);
    host = host.substr(1, end - 1);
    if (!rest.empty() && !rest.starts_with(':')) return wrong(text);
    ports = rest.empty() ? rest : rest.substr(1);
    if (!rest.empty() && ports.empty()) return wrong(text);
  } else if (std::ranges::count(host, ':') == 1) {
    const std::size_t colon = host.find(':');
    ports = host.substr(colon + 1);
    host = host.substr(0, colon);
    if (ports.empty()) return wrong(text);
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  if (!is_host(host)) return wrong(text);
  Target target{lower(host), {}, !ports.empty()};
  if (ports.empty()) {
    target.ports.assign(std::begin(kMailPorts), std::end(kMailPorts));
    return target;
  }
  for (std::string_view one : split(ports, ',')) {
    auto number = parse_number(trim(one));
    if (!number || *number == 0 || *number > 65535 || target.ports.size() >= kMostPorts) return wrong(text);
    target.ports.push_back(static_cast<std::uint16_t>(*number));
  }
  return target;
}

Status check_target(std::string& text) {
  auto target = parse_target(text);
  if (!target) return std::unexpected(target.error());
  return {};
}

const std::vector<std::string>& default_targets() {
  // MX hosts for 25, submission servers for the others, web servers for the control.
  static const std::vector<std::string> kTargets = {
      "gmail-smtp-in.l.google.com:25",
      "outlook-com.olc.protection.outlook.com:25",
      "mta5.am0.yahoodns.net:25",
      "mx01.mail.icloud.com:25",
      "smtp.gmail.com:465,587",
      "smtp.mail.yahoo.com:465,587",
      "smtp.fastmail.com:465,587",
      "smtp.office365.com:587",
      "smtp.sendgrid.net:2525",
      "smtp.mailgun.org:2525",
      "smtp.postmarkapp.com:2525",
      "www.google.com:443",
      "www.debian.org:443",
      "www.wikipedia.org:443",
  };
  return kTargets;
}

std::string owner_of(std::string_view host) {
  if (auto address = dns::literal_address(host)) {  // its /24, or its /48
    const char mark = dns::is_six(*address) ? ':' : '.';
    std::size_t end = 0;
    for (int part = 0; part < 3 && end != std::string::npos; ++part) end = address->find(mark, end + (part > 0));
    return end == std::string::npos ? *address : address->substr(0, end);
  }
  return spf::organizational_domain(host);
}

}  // namespace sidegate::doctor
