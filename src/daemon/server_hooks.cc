#include "daemon/server_parts.h"
#include "deliver/call_forward.h"
#include "intake/notice.h"

namespace sidegate::daemon {

// What the server behind a relay domain says, in intake's words.
net::Awaitable<intake::Known> Server::Parts::call_forward(unsigned loop, std::string domain, std::string address) {
  constexpr unsigned kMost = 50;  // at a time: who guesses names does not open a connection for each
  if (asking.fetch_add(1) >= kMost) {
    --asking;
    co_return intake::Known::kCannotTell;
  }
  struct Done {
    std::atomic<unsigned>& count;
    ~Done() { --count; }
  } done{asking};
  std::shared_ptr<const deliver::Ways> now;
  {
    std::lock_guard lock(reload_mutex);
    now = ways;
  }
  auto answer =
      co_await deliver::ask_about(loops[loop], resolver, std::move(now), std::move(domain), std::move(address));
  co_return answer == deliver::RecipientAnswer::kTakes ? intake::Known::kExists
  : answer == deliver::RecipientAnswer::kRefuses       ? intake::Known::kUnknown
                                                       : intake::Known::kCannotTell;
}

// A filter's name is looked up for each connection; the resolver keeps what it has learnt.
net::Awaitable<Result<std::unique_ptr<net::Stream>>> Server::Parts::dial_filter(unsigned loop, milter::Address to,
                                                                                Duration timeout) {
  std::vector<net::Endpoint> places;
  if (!to.path.empty()) {
    places.push_back({to.path, 0});
  } else {
    auto found = co_await resolver.addresses(loops[loop], to.host);
    if (!found) co_return std::unexpected(found.error());
    for (std::string& address : found->list) places.push_back({std::move(address), to.port});
  }
  co_return co_await milter::connect_one_of(loops[loop], std::move(places), timeout);
}

net::Awaitable<void> Server::Parts::tell_postmaster() {
  telling = true;
  struct Done {
    Parts& parts;
    ~Done() {
      parts.telling = false;
      if (parts.told) parts.told();
    }
  } done{*this};
  config::Settings now;
  {
    std::lock_guard lock(reload_mutex);
    now = loaded.settings;
  }
  auto policy = submit_policy(now);
  if (!policy) co_return;
  const std::string configured = now.deliver.postmaster;
  const std::string to = configured.empty() ? "postmaster@" + now.hostname : configured;
  for (const auto& [user, stop] : intake->users.untold()) {
    intake::Notice notice = intake::suspension_notice(to, user, stop, now.hostname);
    Status posted = co_await intake::post_notice(*intake, policy, 0, std::move(notice));
    // Nobody takes it there: the log and `status` say it. Anything else may go better in a while, and is said once.
    if (!posted && not_told.insert(user).second)
      log.error("postmaster_not_told", {{"user", user}, {"to", to}, {"error", posted.error().text}});
    if (posted) not_told.erase(user);
    if (posted || posted.error().kind == ErrorKind::kNotFound) intake->users.told(user);
  }
}

}  // namespace sidegate::daemon
