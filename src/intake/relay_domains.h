// Domains whose mail goes on to a server behind this one (an inside server, or the first MX we stand in for), and who
// of them exists. The world may send to them, so who does not exist is refused at RCPT: nobody gets a bounce for a
// sender that was forged.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "intake/settings.h"
#include "mail/reply.h"
#include "net/stream.h"

namespace sidegate::intake {

// One line each: an address, a local part, or "@domain" for everybody there; "#" begins a comment. What stands behind
// the first word is passed over, so that maps of other servers ("taro@example.org OK") will do.
std::unordered_set<std::string> parse_recipient_list(std::string_view text);

struct RelayDomain : RelayDomainSettings {
  std::unordered_set<std::string>
      list;  // lower case, domains as DNS has them: "taro", "taro@example.org", "@example.org" for all
};

class RelayDomains {  // immutable
 public:
  RelayDomains(std::vector<RelayDomainSettings> domains, std::string delimiters);
  const RelayDomain* find(std::string_view domain) const;
  // For kList. RFC 5321 section 4.5.1: postmaster is there, wherever mail is relayed for.
  bool lists(const RelayDomain& domain, std::string_view local_part) const;

 private:
  std::unordered_map<std::string, RelayDomain> domains_;
  std::string delimiters_;
};

// What the server behind says of a recipient. kUnknown: it refuses it for good. kCannotTell: it cannot be asked now.
enum class Known : std::uint8_t { kExists, kUnknown, kCannotTell };

// Asks it, on the loop with that index: the daemon gives intake what deliver can do.
using CallForward = std::function<net::Awaitable<Known>(unsigned loop, std::string domain, std::string address)>;

// What was answered before. A yes is good for a day, and while the server is away for a month; a no for an hour.
class KnownRecipients {  // thread-safe
 public:
  explicit KnownRecipients(Clock& clock, std::size_t most = 50'000) : clock_(clock), most_(most) {}
  std::optional<Known> fresh(const std::string& address) const;
  bool existed(const std::string& address) const;  // lately, for when nobody can tell
  void learn(const std::string& address, Known known);

 private:
  struct Entry {
    bool exists = false;
    SteadyTime at{};
  };
  Clock& clock_;
  std::size_t most_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace sidegate::intake
