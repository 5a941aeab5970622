// What the checks ask of the DNS: an interface, so that tests answer from a table.
#pragma once

#include <string>
#include <vector>

#include "dns/resolver.h"
#include "net/loop.h"

namespace sidegate::screen {

// kNotFound: there is none, for certain; any other kind: nobody can say now.
using Found = Result<std::vector<std::string>>;

class Asker {  // thread-safe; the answer comes on the loop it was asked from
 public:
  virtual ~Asker() = default;
  virtual net::Awaitable<Found> records(net::Loop& loop, std::string name, dns::RecordType type, Duration limit) = 0;
  virtual net::Awaitable<Found> names(net::Loop& loop, std::string address, Duration limit) = 0;  // PTR, or /etc/hosts
};

class ResolverAsker final : public Asker {
 public:
  explicit ResolverAsker(dns::Resolver& resolver) : resolver_(resolver) {}
  net::Awaitable<Found> records(net::Loop& loop, std::string name, dns::RecordType type, Duration limit) override {
    return resolver_.records(loop, std::move(name), type, limit);
  }
  net::Awaitable<Found> names(net::Loop& loop, std::string address, Duration limit) override {
    return resolver_.names(loop, std::move(address), limit);
  }

 private:
  dns::Resolver& resolver_;
};

// Nobody can say, for certain or not: the difference between an answer and trouble.
inline bool is_absent(const Found& found) {
  return !found && found.error().kind == ErrorKind::kNotFound;
}

}  // namespace sidegate::screen
