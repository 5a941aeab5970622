// A relay's candidates, where its block leaves it to the DNS to name them.
#pragma once

#include <vector>

#include "deliver/candidates.h"
#include "dns/resolver.h"
#include "net/loop.h"

namespace sidegate::deliver {

// kNotFound: the domain has no such records; temporary kinds as dns::Resolver has them. Without mx or srv at once.
net::Awaitable<Result<std::vector<Candidate>>> find_candidates(net::Loop& loop, dns::Resolver& resolver,
                                                               RelaySettings settings, std::uint32_t random);

}  // namespace sidegate::deliver
