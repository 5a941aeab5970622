// Names to addresses (and addresses to names, and other records) through the system's resolvers and /etc/hosts (the
// *plain* context of doc/design.md: no validation, so that a router's poor forwarder stops nothing). A thread of its
// own asks (lookup_thread.h), started by the first name that needs a server; results come back on the caller's loop.
// Names may be internationalised: they are asked for in their ASCII form (mail/idna.h), and a name that has none is not
// found.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "dns/exchangers.h"
#include "dns/record_questions.h"
#include "dns/settings.h"
#include "dns/validation.h"
#include "net/loop.h"

namespace sidegate::dns {

struct Addresses {
  std::vector<std::string> list;  // numeric, IPv6 and IPv4 interleaved, IPv6 first (RFC 8305 spirit)
  bool stale = false;             // the last good answer, because the lookup failed temporarily
};

class Resolver {  // thread-safe; ends before the loops it is used from do: what waits is then told "shutting down"
 public:
  explicit Resolver(ResolverSettings settings, Clock& clock);
  ~Resolver();
  // A literal ("192.0.2.1", "[2001:db8::1]") is itself; "localhost" and names of /etc/hosts need no server.
  // kNotFound: NXDOMAIN or no address; kTimeout or kUnreachable: temporary.
  net::Awaitable<Result<Addresses>> addresses(net::Loop& loop, std::string host);

  // For what is asked about strangers: one type of record, nothing from a search list, and never the last good answer.
  // At most 2,000 such questions are under way at a time (kOverload), so that those about our own ways are always
  // heard. Addresses come from /etc/hosts where it has the name. kNotFound as above; kTimeout, kUnreachable, kOverload:
  // temporary.
  net::Awaitable<Result<Records>> records(net::Loop& loop, std::string name, RecordType type, Duration limit);
  // The names of a numeric address: its PTR records, or what /etc/hosts says.
  net::Awaitable<Result<Records>> names(net::Loop& loop, std::string address, Duration limit);

  // Where mail for `domain` goes (RFC 5321 section 5.1), as many hosts as are worth trying; equal preferences shuffled
  // with `random`. kNotFound: there is no such domain, or nothing in it that takes mail, and the servers who say so do
  // know what there is elsewhere; everything else is temporary.
  net::Awaitable<Result<Exchangers>> exchangers(net::Loop& loop, std::string domain, std::uint32_t random);
  // Whether the servers answer at this moment, and know names that exist: the root, or the domain above `domain`. Past
  // what was remembered here; the finding stands for some seconds. A server that denies every name is in trouble, and
  // what it says is nothing to bounce mail for.
  net::Awaitable<bool> can_tell(net::Loop& loop, std::string domain);

  // What must be proven: asked of libunbound's validator, past /etc/hosts and everything remembered here. Its `secure`
  // says whether it is, also of what is not there; `bogus`, and every other failure, is temporary.
  net::Awaitable<Answer> validated(net::Loop& loop, std::string name, RecordType type, Duration limit);
  // Whether that can be had on this line at all (validation.h). Asked of the root, and the finding stands for minutes.
  net::Awaitable<Validates> can_validate(net::Loop& loop);
  // The last finding, for people; nullopt: nobody has asked yet.
  struct Validating {
    Validates state = Validates::kNo;
    std::string why;  // of kNo and kNotNow
  };
  std::optional<Validating> validating() const;

 private:
  net::Awaitable<bool> knows(net::Loop& loop, std::string name);
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sidegate::dns
