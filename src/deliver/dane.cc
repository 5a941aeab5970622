#include "deliver/dane.h"

#include <fmt/format.h>

#include <chrono>

#include "base/text.h"
#include "dns/system_files.h"

namespace sidegate::deliver {
namespace {

using dns::RecordType;
using State = DaneFound::State;

constexpr Duration kPatience = std::chrono::seconds(10);
constexpr std::size_t kMostRecords = 32;  // looked at; real ones are two or three

bool failed(const dns::Answer& answer) {
  return !answer.definite();
}

DaneFound trouble(const std::string& what, const std::string& name, const dns::Answer& answer) {
  return {.state = State::kTrouble,
          .why = fmt::format("DNSSEC: {} of {} cannot be proven: {}", what, name, printable(answer.why, 300))};
}

DaneFound insecure(const std::string& host) {
  return {.state = State::kInsecure, .why = fmt::format("the addresses of {} are not signed", host)};
}

}  // namespace

DaneFound read_tlsa(const dns::Answer& answer, const std::string& base) {
  // RFC 7672 section 2.1.1: an answer that is bogus or does not come is no leave to go on without.
  if (failed(answer)) return trouble("the TLSA records", base, answer);
  if (!answer.secure || answer.verdict != dns::Verdict::kFound)
    return {.state = State::kAbsent, .why = "there are no TLSA records for " + base};
  DaneFound found{.state = State::kUsable, .base = base};
  for (const std::string& text : answer.list) {
    if (found.records.size() >= kMostRecords) break;
    auto record = tls::parse_tlsa(text);
    if (record && tls::is_usable(*record)) found.records.push_back(std::move(*record));
  }
  if (!found.records.empty()) return found;
  return {.state = State::kUnusable,
          .why = fmt::format("none of the {} TLSA records for {} can be used by mail", answer.list.size(), base)};
}

net::Awaitable<DaneFound> find_dane(net::Loop& loop, dns::Resolver& resolver, std::string host, std::uint16_t port) {
  if (dns::literal_address(host)) co_return insecure(host);
  // RFC 7672 section 2.2.2: the addresses first, for some servers fail at types they do not know in zones that are not
  // signed.
  dns::Answer addresses = co_await resolver.validated(loop, host, RecordType::kA, kPatience);
  if (failed(addresses)) co_return trouble("the address", host, addresses);
  if (addresses.verdict == dns::Verdict::kNoData) {
    addresses = co_await resolver.validated(loop, host, RecordType::kAaaa, kPatience);
    if (failed(addresses)) co_return trouble("the address", host, addresses);
  }
  std::vector<std::string> bases;
  const bool alias = !addresses.canonical.empty() && !iequals(addresses.canonical, host);
  if (addresses.secure) {
    // RFC 7672 section 2.2.3: what the aliases lead to goes before the name itself.
    if (alias) bases.push_back(addresses.canonical);
    bases.push_back(host);
  } else if (alias) {
    dns::Answer first = co_await resolver.validated(loop, host, RecordType::kCname, kPatience);
    if (failed(first)) co_return trouble("the alias", host, first);
    if (first.secure && first.verdict == dns::Verdict::kFound) bases.push_back(host);
  }
  if (bases.empty()) co_return insecure(host);
  DaneFound found;
  for (const std::string& base : bases) {
    std::string name = fmt::format("_{}._tcp.{}", port, base);
    dns::Answer records = co_await resolver.validated(loop, std::move(name), RecordType::kTlsa, kPatience);
    found = read_tlsa(records, base);
    if (found.state != State::kAbsent) break;
  }
  co_return found;
}

}  // namespace sidegate::deliver
