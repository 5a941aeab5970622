#include "deliver/find_candidates.h"

namespace sidegate::deliver {
namespace {

constexpr Duration kLimit = 10s;

// RFC 8314 section 5.1: what speaks TLS from the first octet is preferred.
net::Awaitable<Result<std::vector<Candidate>>> by_srv(net::Loop& loop, dns::Resolver& resolver, RelaySettings settings,
                                                      std::uint32_t random) {
  std::vector<Candidate> all;
  std::optional<Error> silent;
  for (bool implicit : {true, false}) {
    std::string name = (implicit ? "_submissions._tcp." : "_submission._tcp.") + settings.host;
    auto records = co_await resolver.records(loop, std::move(name), dns::RecordType::kSrv, kLimit);
    if (!records) {
      if (records.error().kind != ErrorKind::kNotFound) silent = records.error();
      continue;
    }
    for (Candidate& one : candidates_of_srv(settings, *records, implicit, random)) all.push_back(std::move(one));
  }
  if (!all.empty()) co_return all;
  if (silent) co_return std::unexpected(*silent);
  co_return fail(ErrorKind::kNotFound, "DNS: " + settings.host +
                                           " names no submission server (SRV of _submissions._tcp and "
                                           "_submission._tcp)");
}

net::Awaitable<Result<std::vector<Candidate>>> by_mx(net::Loop& loop, dns::Resolver& resolver, RelaySettings settings,
                                                     std::uint32_t random) {
  std::string name = settings.host;
  auto records = co_await resolver.records(loop, std::move(name), dns::RecordType::kMx, kLimit);
  // RFC 5321 section 5.1: without MX the domain itself is the server, if it has an address.
  if (!records && records.error().kind == ErrorKind::kNotFound) co_return candidates_of(settings);
  if (!records) co_return std::unexpected(records.error());
  auto all = candidates_of_mx(settings, *records, random);
  if (!all.empty()) co_return all;
  co_return fail(ErrorKind::kNotFound, "DNS: " + settings.host + " says that it takes no mail (null MX, RFC 7505)");
}

}  // namespace

net::Awaitable<Result<std::vector<Candidate>>> find_candidates(net::Loop& loop, dns::Resolver& resolver,
                                                               RelaySettings settings, std::uint32_t random) {
  if (settings.places.srv) co_return co_await by_srv(loop, resolver, std::move(settings), random);
  if (settings.places.mx) co_return co_await by_mx(loop, resolver, std::move(settings), random);
  co_return candidates_of(settings);
}

}  // namespace sidegate::deliver
