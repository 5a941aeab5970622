#include "deliver/call_forward.h"

#include <algorithm>

#include "deliver/relay_connection.h"

namespace sidegate::deliver {
namespace {

// The same server with less patience: a client waits for its reply to RCPT.
void hurry(Timeouts& t, Duration patience) {
  for (Duration* one : {&t.connect, &t.greeting, &t.helo, &t.mail, &t.rcpt, &t.starttls, &t.auth})
    *one = std::min(*one, patience);
}

net::Awaitable<RecipientAnswer> ask(smtp::ClientSession& session, std::string address, Duration patience) {
  // RFC 5321 section 4.5.5: from <>, as whoever bounces to it would.
  auto mail = co_await session.command(smtp::Phase::kMail, "MAIL FROM:<>", patience);
  if (!mail || !mail->positive()) co_return RecipientAnswer::kNone;
  auto rcpt = co_await session.command(smtp::Phase::kRcpt, "RCPT TO:<" + address + ">", patience);
  if (!rcpt) {
    const bool refused = rcpt.error().reply && rcpt.error().reply->permanent();
    co_return refused ? RecipientAnswer::kRefuses : RecipientAnswer::kNone;
  }
  if (rcpt->positive()) co_return RecipientAnswer::kTakes;
  co_return rcpt->permanent() ? RecipientAnswer::kRefuses : RecipientAnswer::kNone;
}

}  // namespace

net::Awaitable<RecipientAnswer> ask_about(net::Loop& loop, dns::Resolver& resolver, std::shared_ptr<const Ways> ways,
                                          std::string domain, std::string address, Duration patience) {
  auto at = std::ranges::find(ways->list, next_hop_name(domain), [](const auto& way) { return way->settings.name; });
  if (at == ways->list.end() || (*at)->retired) co_return RecipientAnswer::kNone;
  Way asked;  // of its own: what it meets is no trouble of the way that delivers
  asked.id = (*at)->id;
  asked.settings = (*at)->settings;
  asked.tls = (*at)->tls;
  asked.tls_broken = (*at)->tls_broken.load();
  hurry(asked.settings.timeouts, patience);
  RelayOpening opening(loop, resolver, asked, ways->settings);
  auto opened = co_await opening.run();
  if (!opened) co_return RecipientAnswer::kNone;
  RelayConnection& connection = **opened;
  RecipientAnswer answer = co_await ask(*connection.session, std::move(address), patience);
  co_await connection.session->quit();
  connection.close();
  co_return answer;
}

}  // namespace sidegate::deliver
