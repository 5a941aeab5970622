// `sidegate explain tls`: the policy for a destination and for each of its hosts, by the code that direct delivery goes
// by.
#include <sysexits.h>

#include <boost/json.hpp>

#include "base/i18n.h"
#include "base/text.h"
#include "cli/commands.h"
#include "config/codec.h"
#include "deliver/direct_opening.h"
#include "dns/files_on_disk.h"
#include "mail/mailbox.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;
using deliver::HostPolicy;
using Survey = deliver::DirectOpening::Survey;

net::Awaitable<void> look(net::Loop& loop, deliver::DirectOpening& opening, Survey* seen, bool* done) {
  *seen = co_await opening.survey();
  *done = true;
  loop.stop();
}

std::string list_words(const std::vector<std::string>& list) {
  return printable(fmt::format("{}", fmt::join(list, ", ")), 300);
}

std::string host_words(const HostPolicy& host) {
  if (!host.unmet.empty()) return tr("not gone to: {}", printable(host.unmet, 300));
  switch (host.level) {
    case deliver::TlsLevel::kNone:
      return _("without TLS");
    case deliver::TlsLevel::kMay:
      return _("TLS where it is offered, with any certificate");
    case deliver::TlsLevel::kEncrypt:
      return _("only with TLS, with any certificate");
    case deliver::TlsLevel::kDane:
    case deliver::TlsLevel::kDaneOnly:
      return tr("only with a certificate by its TLSA records ({})", host.records.size());
    case deliver::TlsLevel::kVerify:
    case deliver::TlsLevel::kSecure:
      return tr("only with a certificate of a known CA for: {}", list_words(host.names));
  }
  return {};
}

void print(const Terminal& t, const std::string& domain, const Survey& seen, bool published) {
  const std::string_view where = seen.policy.where.empty() ? seen.policy.why : std::string_view(seen.policy.where);
  t.out << tr("TLS with the mail servers of {}: {} ({})", domain, deliver::name(seen.policy.level), where) << "\n";
  if (seen.mx_proven) t.out << _("its MX records are proven by DNSSEC") << "\n";
  if (!seen.mx_proven && !seen.mx_unproven.empty()) t.out << printable(seen.mx_unproven, 300) << "\n";
  for (const auto& [exchanger, host] : seen.hosts) {
    t.out << fmt::format("{} {}: {} ({})\n", exchanger.preference, exchanger.host, host_words(host), host.why);
    for (const tls::Tlsa& record : host.records) t.out << "   " << tls::text_of(record) << "\n";
  }
  if (published) t.out << tr("what it publishes by MTA-STS goes before that: sidegate explain sts {}", domain) << "\n";
  if (!seen.trouble.empty()) t.out << printable(seen.trouble, 500) << "\n";
}

void print_json(const Terminal& t, const std::string& domain, const Survey& seen, bool published) {
  json::array hosts;
  for (const auto& [exchanger, host] : seen.hosts) {
    json::array records;
    for (const tls::Tlsa& record : host.records) records.emplace_back(tls::text_of(record));
    json::object one{{"preference", exchanger.preference},    {"host", exchanger.host},
                     {"level", deliver::name(host.level)},    {"why", host.why},
                     {"names", json::value_from(host.names)}, {"tlsa", std::move(records)}};
    if (!host.unmet.empty()) one["unmet"] = printable(host.unmet, 500);
    hosts.push_back(std::move(one));
  }
  json::object out{{"domain", domain},         {"level", deliver::name(seen.policy.level)},
                   {"why", seen.policy.why},   {"where", seen.policy.where},
                   {"mta_sts", published},     {"mx_proven", seen.mx_proven},
                   {"hosts", std::move(hosts)}};
  if (!seen.mx_unproven.empty()) out["mx_unproven"] = printable(seen.mx_unproven, 500);
  if (!seen.trouble.empty()) out["trouble"] = printable(seen.trouble, 500);
  t.out << json::serialize(out) << "\n";
}

}  // namespace

int explain_tls_command(const Context& context, const std::string& domain) {
  auto loaded = context.load(false, false);
  if (!loaded) return EX_CONFIG;
  const std::string wanted = lower(domain.substr(domain.rfind('@') + 1));
  if (!mail::is_domain(wanted, false) && !dns::address_of_literal(wanted)) {
    context.terminal.error(
        tr("{} is not a domain such as \"example.org\" or \".example.org\"", config::quoted(printable(domain, 300))));
    return EX_DATAERR;
  }
  dns::ResolverSettings dns = loaded->settings.dns;
  if (!dns.trust_anchor.empty()) dns.trust_anchor_text = dns::read_file(dns.trust_anchor);
  net::Loop loop(0, context.clock(), null_log());
  dns::Resolver resolver(dns, context.clock());
  auto ways = deliver::Ways::make(loaded->settings.deliver);
  const auto way =
      ways->members->get(queue::kFirstMember, {ways->direct->id, wanted}, ways->direct, context.clock().steady());
  deliver::DirectOpening opening(loop, resolver, *way, ways->settings, 1);
  Survey seen;
  bool done = false;
  loop.spawn("explain tls", look(loop, opening, &seen, &done));
  loop.run();
  const bool published = ways->settings.direct.mta_sts && seen.policy.gives_way();
  if (context.common.json)
    print_json(context.terminal, wanted, seen, published);
  else
    print(context.terminal, wanted, seen, published);
  return done && seen.trouble.empty() ? EX_OK : EX_UNAVAILABLE;
}

}  // namespace sidegate::cli
