// What a relay's provider is known to want, where the block itself says nothing; and its hosts, ports, proxy,
// certificate.
#include <algorithm>
#include <tuple>

#include "base/i18n.h"
#include "base/text.h"
#include "config/option_checks.h"
#include "config/outgoing.h"
#include "config/resolve.h"
#include "config/secret_file.h"
#include "config/subject.h"
#include "mail/mailbox.h"
#include "provider/presets.h"

namespace sidegate::config {
namespace {

using provider::Preset;
using provider::UserForm;

std::string domain_of(const std::string& address) {
  const auto at = address.rfind('@');
  return at == std::string::npos ? std::string() : lower(address.substr(at + 1));
}

void unknown_provider(const Subject& s) {
  std::vector<std::string_view> names;
  for (const Preset& preset : provider::presets()) names.push_back(preset.id);
  std::string_view near = suggest(lower(s.relay.places.provider), names);
  s.error("provider", tr("no provider {} is known", quoted(printable(s.relay.places.provider, 100))),
          near.empty() ? _("`sidegate config providers` lists those that are; or write host and port")
                       : tr("did you mean {}?", quoted(near)));
}

// Facts age: what does not look as it should is told, and taken as it is.
void check_user(const Subject& s, const Preset& preset) {
  RelayBlock& r = s.relay;
  const bool address = r.user.find('@') != std::string::npos;
  switch (preset.user_form) {
    case UserForm::kFixed:
      if (r.user.empty()) r.user = preset.user;
      if (r.user != preset.user)
        s.warn("user", tr("{}: the user name is the same for everybody: {}", preset.title, quoted(preset.user)),
               tr("write user = {}", quoted(preset.user)));
      return;
    case UserForm::kAddress:
      if (!r.user.empty() && !address)
        s.warn("user", tr("{}: this provider's user name is the whole mail address", preset.title),
               _("write user = \"you@example.org\""));
      return;
    case UserForm::kLocalPart:
      if (address)
        s.warn("user", tr("{}: this provider's user name is what stands before the @ alone", preset.title),
               tr("write user = {}", quoted(r.user.substr(0, r.user.find('@')))));
      return;
    case UserForm::kDotted:
      if (address) {
        std::string dotted = r.user;
        std::ranges::replace(dotted, '@', '.');
        s.warn("user", tr("{}: this provider's user name is the address with a dot for the @", preset.title),
               tr("write user = {}", quoted(dotted)));
      }
      return;
    case UserForm::kOwn:
      if (address)
        s.warn("user", tr("{}: this provider's user name is no mail address", preset.title), std::string(preset.note));
      return;
    case UserForm::kUnknown:
      return;
  }
}

// "ap-northeast-1", "us-gov-west-1": the form of the names of AWS's regions.
bool is_aws_region(std::string_view text) {
  const auto parts = split(text, '-');
  if (parts.size() < 3 || parts.size() > 4) return false;
  const auto lower_letters = [](std::string_view part) {
    return part.size() >= 2 && std::ranges::all_of(part, [](char c) { return c >= 'a' && c <= 'z'; });
  };
  return std::all_of(parts.begin(), parts.end() - 1, lower_letters) && parts.back().size() == 1 &&
         is_digit(parts.back()[0]);
}

// What the preset does not know what to do with. A host of the block's own makes both idle, and that is told as well.
bool check_parts(const Subject& s, const Preset& preset) {
  const auto& places = s.relay.places;
  const bool named = !s.relay.host.empty() || !places.more_hosts.empty();
  const std::tuple<const char*, const std::string&, const char*> parts[] = {{"server", places.server, "{server}"},
                                                                            {"region", places.region, "{region}"}};
  for (const auto& [key, value, place] : parts) {
    if (value.empty()) continue;
    const bool counts = preset.host.find(place) != std::string_view::npos;
    if (!counts || named)
      s.warn(key,
             counts ? tr("{} counts for nothing: host says which server it is", key)
                    : tr("{}: this provider's servers have no {}: it counts for nothing", preset.title, key),
             tr("remove {}", key));
  }
  if (preset.id == "ses" && !named && !places.region.empty() && !is_aws_region(places.region)) {
    s.error("region", tr("{} is no region of Amazon SES", quoted(printable(places.region, 100))),
            _("write it as the AWS console does: region = \"ap-northeast-1\" (Tokyo), \"us-east-1\", \"eu-west-1\""));
    return false;
  }
  if (preset.id == "mailgun" && !named && !places.region.empty() && places.region != "us" && places.region != "eu") {
    s.error("region", tr("{} is no region of Mailgun", quoted(printable(places.region, 100))),
            _("write region = \"eu\", or nothing for the United States"));
    return false;
  }
  return true;
}

// Their submission servers take nothing from who has not logged in, nor with a client's certificate alone.
void check_login(const Subject& s, const Preset& preset) {
  const RelayBlock& r = s.relay;
  const bool password = !r.password.empty() || !r.password_file.empty();
  if (preset.user_form == UserForm::kFixed) return;  // the user is known, and a password is asked for
  if (!r.user.empty() || password || !r.certificate.cert_file.empty()) return;
  // A server of one's own choice (smtp-relay.gmail.com) may know its clients by their addresses.
  if (s.given("host") || s.given("hosts")) return;
  s.warn("provider", tr("{} takes mail from those who log in alone, and no user is given", preset.title),
         _("add user = \"...\" and password_file = \"/etc/sidegate/NAME.password\""));
}

bool find_host(const Subject& s, const Preset& preset) {
  RelayBlock& r = s.relay;
  if (!r.host.empty() || !r.places.more_hosts.empty()) return true;
  if (s.unread({"host", "hosts", "server", "region", "address", "user"})) return false;
  const std::string domain = domain_of(r.address.empty() ? r.user : r.address);
  auto lacks = [&](std::string_view key, const std::string& example) {
    s.error("provider", tr("{} needs {}: {}", preset.title, key, preset.note), tr("add {} = {}", key, quoted(example)));
    return false;
  };
  if (preset.needs == "host") return lacks("host", "smtp.example.org");
  if (preset.needs == "server" && r.places.server.empty())
    return lacks("server", preset.id == "sakura" ? "INITIAL.sakura.ne.jp" : "sv1234");
  if (preset.needs == "region" && r.places.region.empty()) return lacks("region", "ap-northeast-1");
  if (preset.host.find("{domain}") != std::string_view::npos && domain.empty())
    return lacks("address", "you@example.org");
  r.host = provider::preset_host(preset, r.places.server, r.places.region, domain);
  if (!mail::is_domain(r.host, false)) {
    s.error(r.places.region.empty() ? "server" : "region", tr("{} is no host name", quoted(printable(r.host, 200))));
    return false;
  }
  return true;
}

std::vector<std::string> given_hosts(const RelayBlock& r) {
  std::vector<std::string> rest = r.places.more_hosts;
  if (!rest.empty() && iequals(rest.front(), r.host)) rest.erase(rest.begin());
  return rest;
}

}  // namespace

void resolve_preset(Draft& draft, std::size_t index) {
  const Subject s{draft, index, draft.relays[index]};
  RelayBlock& r = s.relay;
  r.places.tls_given = s.given("tls");
  if (!r.places.provider.empty()) {
    const Preset* preset = provider::find_preset(r.places.provider);
    if (!preset) return unknown_provider(s);
    if (r.name.empty()) r.name = preset->id;
    if (!check_parts(s, *preset) || !find_host(s, *preset)) return;
    check_login(s, *preset);
    if (!s.given("port") && !s.given("ports")) r.places.ports = preset->ports;
    if (!s.given("messages_per_connection") && preset->messages_per_connection > 0)
      r.messages_per_connection = preset->messages_per_connection;
    check_user(s, *preset);
    if (r.address.empty() && !preset->domain.empty() && !r.user.empty() && r.user.find('@') == std::string::npos)
      r.address = r.user + "@" + std::string(preset->domain);
    const bool has_address = !r.address.empty() || r.user.find('@') != std::string::npos;
    if (preset->senders == provider::Senders::kOwnOnly && !s.given("identity") && has_address)
      r.identity = deliver::Identity::kAccount;
  } else if (!r.places.server.empty() || !r.places.region.empty()) {
    s.error(r.places.server.empty() ? "region" : "server", _("server and region belong to a provider"),
            _("write host = \"...\" for a server's whole name"));
  }
  if (r.host.empty() && !r.places.more_hosts.empty()) {
    r.host = r.places.more_hosts.front();
    r.places.more_hosts.erase(r.places.more_hosts.begin());
  }
  if (r.host.empty() && r.places.provider.empty() && !s.unread({"host", "hosts", "provider"}))
    draft.error(draft.where("relay", index, ""), tr("{} has no {}", table("relay").title(), "host"),
                tr("add {} = \"...\"", "host"));
}

void resolve_places(Draft& draft, std::size_t index) {
  const Subject s{draft, index, draft.relays[index]};
  RelayBlock& r = s.relay;
  r.places.more_hosts = given_hosts(r);
  if (s.given("port") && s.given("ports") && !r.places.ports.empty())
    s.error("ports", _("port and ports are both given"), _("give ports alone, the first choice first"));
  if (r.places.ports.size() == 1) {  // no ladder
    r.port = r.places.ports.front();
    if (!s.given("tls") && r.port == 465) r.tls = deliver::TlsMode::kImplicit;
    r.places.ports.clear();
  } else if (!r.places.ports.empty()) {
    r.port = r.places.ports.front();
  }
  if (r.places.mx && r.places.srv) s.error("srv", _("mx and srv are both given"), _("keep one of them"));
  if (r.places.mx || r.places.srv) {
    if (!r.places.more_hosts.empty()) s.error("hosts", _("with mx or srv the DNS names the hosts"), _("remove hosts"));
    if (!r.host.empty() && (is_numeric_address(r.host) || !mail::is_domain(r.host, false)))
      s.error("host", tr("{} is no domain, and mx and srv need one", quoted(printable(r.host, 200))));
  }
  bool families[2] = {false, false};
  for (const std::string& address : r.source_addresses) {
    bool& taken = families[address.find(':') != std::string::npos];
    if (taken) s.error("source_address", _("source_address: two addresses of one family"), _("give one of each"));
    taken = true;
  }
  const Outgoing out{draft, "relay", index, s.title()};
  read_proxy(out, r.proxy);
  read_certificate(out, r.certificate);
}

}  // namespace sidegate::config
