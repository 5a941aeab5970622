#include "deliver/local_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <list>

#include "base/text.h"
#include "deliver/attempt.h"
#include "deliver/local_head.h"
#include "deliver/parking.h"
#include "helper/client.h"
#include "mail/tag.h"
#include "net/socket_stream.h"
#include "net/worker_pool.h"

namespace sidegate::deliver {
namespace {

using helper::Verb;

constexpr std::size_t kAtOnce = 4;         // recipients of one message
constexpr Duration kFilePatience = 10min;  // of a delivery to a mailbox or file, all in all
constexpr Duration kBeyondPatience = 90s;  // the helper ends what takes too long; this is for a helper that hangs
constexpr Duration kHelperBusy = 250ms;
constexpr unsigned kMostBusy = 240;
constexpr Duration kHelperGone = 30s;

mail::Destination destination_of(const LocalSettings& settings, const mail::Recipient& recipient) {
  using mail::Destination;
  if (recipient.destination == Destination::kFile && recipient.target == "/dev/null") return Destination::kDiscard;
  bool mailbox = recipient.destination == Destination::kMailbox;
  if (mailbox && settings.delivery == MailboxDelivery::kDiscard) return Destination::kDiscard;
  if (mailbox && settings.delivery == MailboxDelivery::kCommand) return Destination::kPipe;
  return recipient.destination;
}

}  // namespace

std::vector<std::string> mailboxes_of(std::string_view address, std::string_view delimiters) {
  const std::string_view local = address.substr(0, address.rfind('@'));
  std::vector<std::string> names;
  const auto add = [&](std::string_view name) {
    for (std::string one : {lower(name), std::string(name)}) {
      if (helper::is_user_name(one) && std::ranges::find(names, one) == names.end()) names.push_back(std::move(one));
    }
  };
  add(local);
  if (auto begins = mail::tag_begins(local, delimiters)) add(local.substr(0, *begins));
  return names;
}

std::optional<helper::Request> local_request(const LocalSettings& settings, const queue::Message& message,
                                             const mail::Recipient& recipient, WallTime now) {
  using mail::Destination;
  Destination to = destination_of(settings, recipient);
  if (to == Destination::kDiscard) return std::nullopt;
  bool mailbox = recipient.destination == Destination::kMailbox;
  helper::Request r;
  r.instead = settings.default_user;
  r.user = mailbox ? recipient.target : recipient.as_user.empty() ? settings.default_user : recipient.as_user;
  r.place = mailbox ? settings.command : recipient.target;
  r.patience = static_cast<std::uint32_t>(kFilePatience.count());
  if (to == Destination::kPipe) {
    r.verb = Verb::kCommand;
    r.patience =
        static_cast<std::uint32_t>(std::min<Duration::rep>(settings.command_timeout.count(), helper::kMaxPatience));
    r.environment = command_environment(message, recipient);
    if (r.place.starts_with('|')) r.place.erase(0, 1);
  } else if (to == Destination::kFile) {
    r.verb = r.place.ends_with('/') ? Verb::kMaildir : Verb::kFile;  // as Postfix: a folder is a Maildir
  } else if (settings.delivery == MailboxDelivery::kMaildir) {
    r.verb = Verb::kMaildir;
    r.place = settings.maildir;
  } else {
    r.verb = settings.mbox.ends_with('/') ? Verb::kMaildir : Verb::kMbox;
    r.place = settings.mbox;
  }
  if (r.verb != Verb::kMaildir) r.head = from_line(message, recipient, now);
  r.head += final_fields(message, recipient);
  r.size = message.header_size + message.body_size;
  return r;
}

struct LocalConnection::Round {
  explicit Round(Attempt& a) : attempt(a) {}
  Attempt& attempt;
  std::vector<std::size_t> order;  // of the attempt's targets: commands last
  std::size_t next = 0, workers = 0;
  Parking ended;
  std::list<net::Stream*> streams;
  bool cancelled = false;
};

// However a worker ends, it is counted.
struct LocalConnection::Working {
  explicit Working(std::shared_ptr<Round> r) : round(std::move(r)) {}
  ~Working() {
    if (--round->workers == 0) round->ended.call();
  }
  Working(const Working&) = delete;
  std::shared_ptr<Round> round;
};

LocalConnection::LocalConnection() {
  host = kLocalWay;
}
LocalConnection::~LocalConnection() = default;

void LocalConnection::cancel() {
  if (!round_) return;
  round_->cancelled = true;
  for (net::Stream* stream : round_->streams) stream->cancel();
}

net::Awaitable<void> LocalConnection::carry(Attempt& attempt) {
  auto round = std::make_shared<Round>(attempt);
  round_ = round;
  const mail::Envelope& envelope = attempt.content_.message->envelope;
  for (bool commands : {false, true}) {
    for (std::size_t i = 0; i < attempt.targets_.size(); ++i) {
      const mail::Recipient& recipient = envelope.recipients[attempt.targets_[i].n];
      bool command = destination_of(attempt.ways_.settings.local, recipient) == mail::Destination::kPipe;
      if (command == commands) round->order.push_back(i);
    }
  }
  // One is done right here; more at a time have coroutines of their own.
  std::size_t workers = std::min(kAtOnce, round->order.size());
  round->workers = workers;
  for (std::size_t i = 1; i < workers; ++i) attempt.parts_.loop.spawn("local delivery", work(round));
  co_await work(round);
  while (round->workers > 0) co_await round->ended.wait(attempt.parts_.loop, kBeyondPatience);
  round_.reset();
}

net::Awaitable<void> LocalConnection::work(std::shared_ptr<Round> round) {
  Working working(round);
  Attempt& attempt = round->attempt;
  while (round->next < round->order.size()) {
    const std::size_t i = round->order[round->next++];
    Target& target = attempt.targets_[i];
    LocalEnd end = co_await deliver(round, target);
    bool delivered = end.verdict.action == Action::kDelivered;
    attempt.result_.answered |= end.verdict.action != Action::kHoldWay;
    attempt.set(target, end.verdict, smtp::Phase::kFinal, std::move(end.words), false);
    attempt.note_trouble(target);
    if (delivered && attempt.targets_.size() > 1) attempt.write_delivered({{i}});
  }
}

net::Awaitable<LocalEnd> LocalConnection::deliver(std::shared_ptr<Round> round, Target& target) {
  Attempt& attempt = round->attempt;
  const queue::Message& message = *attempt.content_.message;
  mail::Recipient recipient = message.envelope.recipients[target.n];
  const LocalSettings& settings = attempt.ways_.settings.local;
  if (went_round(*attempt.content_.header, recipient)) co_return judge_loop(recipient.address);
  if (recipient.destination == mail::Destination::kRoute) {
    auto not_found = co_await find_mailbox(attempt, recipient);
    if (not_found) co_return std::move(*not_found);
  }
  net::Loop& loop = attempt.parts_.loop;
  auto request = local_request(settings, message, recipient, loop.clock().wall());
  if (!request) co_return judge_discarded(recipient);
  if (request->verb != Verb::kCommand) co_return co_await hand_over(round, std::move(*request));
  // A quarter of the places for one command, whoever it runs as.
  const std::string key = request->user + " " + request->place;
  Busy& busy = attempt.way_.busy;
  SteadyTime began = loop.clock().steady();
  unsigned most = std::max(1u, attempt.way_.settings.connections / 4);
  if (auto wait = busy.enter(key, attempt.lease_.id, most, began)) co_return judge_busy(*wait);
  LocalEnd end = co_await hand_over(round, std::move(*request));
  SteadyTime now = loop.clock().steady();
  busy.leave(key, std::chrono::duration_cast<Duration>(now - began), now);
  co_return end;
}

// Whom a route brings here the helper is asked for by name: that there is nobody is no fault of a configuration.
net::Awaitable<std::optional<LocalEnd>> LocalConnection::find_mailbox(Attempt& attempt, mail::Recipient& recipient) {
  const Parts& parts = attempt.parts_;
  static const helper::Client kNone(-1);
  const helper::Client& client = parts.helper ? *parts.helper : kNone;
  for (std::string& name : mailboxes_of(recipient.address, attempt.ways_.settings.recipient_delimiter)) {
    auto ask = [&client, &name] { return client.find_user(name); };
    auto asked = co_await net::on_worker(parts.workers, std::move(ask));
    auto found = asked ? std::move(*asked) : Result<helper::UnixUser>(std::unexpected(asked.error()));
    if (!found && found.error().kind == ErrorKind::kNotFound) continue;
    if (!found)
      co_return judge_local(helper::Verb::kMbox, {.cause = helper::Cause::kUnavailable, .text = found.error().text},
                            {});
    recipient.destination = mail::Destination::kMailbox;
    recipient.target = found->name;
    co_return std::nullopt;
  }
  const std::string local = recipient.address.substr(0, recipient.address.rfind('@'));
  co_return judge_local(helper::Verb::kMbox, {.cause = helper::Cause::kNoUser, .text = printable(local, 100)}, {});
}

net::Awaitable<LocalEnd> LocalConnection::hand_over(std::shared_ptr<Round> round, helper::Request request) {
  Attempt& attempt = round->attempt;
  const Parts& parts = attempt.parts_;
  static const helper::Client kNone(-1);
  const helper::Client& client = parts.helper ? *parts.helper : kNone;
  Result<int> begun = client.begin(request);
  for (unsigned i = 0; !begun && begun.error().kind == ErrorKind::kOverload && i < kMostBusy; ++i) {
    co_await parts.loop.sleep(kHelperBusy);
    begun = client.begin(request);
  }
  if (!begun) {
    LocalEnd end = judge_no_answer(begun.error(), false);
    if (begun.error().kind != ErrorKind::kUnreachable) co_return end;
    end.verdict.action = Action::kHoldWay;  // the helper is gone: every message waits, none is to blame
    end.verdict.scope = Scope::kWay;
    end.verdict.hold = kHelperGone;
    co_return end;
  }
  net::SocketStream stream(parts.loop, *begun, AF_UNIX, net::Peer{.address = "the helper", .is_unix = true});
  auto at = round->streams.insert(round->streams.end(), &stream);
  if (round->cancelled) stream.cancel();
  stream.expires_after(Duration(request.patience) + kBeyondPatience);
  MessageSource source(parts.store, parts.workers, attempt.content_);
  Status sent;
  bool all_sent = false;
  while (sent && !all_sent) {
    Result<std::string_view> piece = co_await source.next();
    if (!piece) {
      round->streams.erase(at);
      co_return LocalEnd{verdict_our_trouble(), piece.error().text};  // the helper keeps nothing of half a message
    }
    all_sent = piece->empty();
    if (!all_sent) sent = co_await stream.write(*piece);
  }
  std::string bytes;
  Error why{ErrorKind::kClosed, "the helper ended without an answer"};
  while (bytes.size() <= helper::kMaxAnswer) {
    auto some = co_await stream.read_some();
    if (!some) {
      if (some.error().kind != ErrorKind::kClosed) why = some.error();
      break;
    }
    bytes += *some;
    stream.consume(some->size());
  }
  round->streams.erase(at);
  auto answer = helper::decode_answer(bytes);
  if (!answer) co_return judge_no_answer(why, all_sent);
  co_return judge_local(request.verb, *answer, request.place);
}

}  // namespace sidegate::deliver
