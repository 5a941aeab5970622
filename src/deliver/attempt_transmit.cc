// The part of an attempt that speaks: one transaction for each sender, as many recipients as every server takes.
#include <algorithm>

#include "base/text.h"
#include "deliver/attempt.h"
#include "deliver/parameters.h"
#include "deliver/sender_story.h"
#include "deliver/signature.h"
#include "rewrite/address_list.h"

namespace sidegate::deliver {
namespace {

using smtp::Phase;

constexpr std::size_t kMostRecipients = 100;  // RFC 5321 section 4.5.3.1.8: every server takes as many
constexpr std::string_view kEndOfHeader = "\r\n";
constexpr std::uint64_t kMostBdat = 256 * 1024;  // whole message in memory and in one write

bool is_too_many_recipients(const mail::Reply& reply) {
  bool status = reply.status && reply.status->subject == 5 && reply.status->detail == 3;
  return status || (reply.code == 452 && reply.text().find("oo many recipients") != std::string::npos);
}

// A relay that offered CHUNKING and does not know BDAT.
bool refuses_bdat(const smtp::Transmitted& sent) {
  if (!sent.final) return false;
  int code = sent.final->code;
  return code == 500 || code == 501 || code == 502 || code == 503 || code == 504 || code == 555;
}

// The connection, not the relay: closed, or its path died while it was idle (a new address of ours, a router started
// anew).
bool is_gone(ErrorKind kind) {
  return kind == ErrorKind::kClosed || kind == ErrorKind::kTimeout || kind == ErrorKind::kUnreachable;
}

std::string refusal_of(const smtp::Transmitted& sent) {
  if (sent.mail && !sent.mail->positive()) return printable(sent.mail->line());
  if (sent.final) return printable(sent.final->line());
  for (const auto& reply : sent.recipients) {
    if (reply && !reply->positive()) return printable(reply->line());
  }
  return {};
}

std::string words_of(const smtp::Trouble& trouble) {
  return trouble.reply ? printable(trouble.reply->line()) : printable(trouble.error.text);
}

}  // namespace

net::Awaitable<void> RelayConnection::carry(Attempt& attempt) {
  return attempt.transmit(*this);
}

net::Awaitable<void> Attempt::transmit(RelayConnection& connection) {
  Guise guise(content_, way_.settings, ways_.settings, taken_);
  co_await put_on(std::move(guise));
  auto lacking = lack(connection.session->capabilities(), way_.settings, *content_.message, guise_.size(),
                      !guise_.ascii_senders(), connection.proven);
  if (lacking) {
    std::string words(lacking->explanation);
    if (lacking->status == mail::EnhancedCode{5, 3, 4}) {
      words = fmt::format("the message has {} octets, {} takes {}", guise_.size(), way_.settings.name,
                          connection.session->capabilities().size.value_or(0));
    }
    judge_all(*lacking, Phase::kMail, words, false);
    co_return;
  }
  log_guise();
  std::vector<std::size_t> todo(std::min(targets_.size(), with_room_));
  for (std::size_t i = 0; i < todo.size(); ++i) todo[i] = i;
  bool known_to_refuse = guise_.is_null() && way_.null_sender.refused(parts_.loop.clock().steady());
  if (!known_to_refuse) todo = co_await transmit_as(connection, guise_, std::move(todo));
  if (!todo.empty()) co_await send_without_null(connection, std::move(todo));
  for (std::size_t i = with_room_; no_room_ && i < targets_.size(); ++i)
    set(targets_[i], *no_room_, Phase::kRcpt, "no room within the limits of " + way_.settings.name, false);
  if (as_account_.empty()) co_return;
  went_as_account_ = true;
  Guise of_account = Guise::of_account(content_, way_.settings, ways_.settings, taken_);
  co_await put_on(std::move(of_account));
  log_guise();
  todo = std::exchange(as_account_, {});
  co_await transmit_as(connection, guise_, std::move(todo));
}

// The fields to put before the message; empty: none. Nothing: its body cannot be read just now.
net::Awaitable<std::optional<std::string>> Attempt::sign(const Guise& guise, smtp::ContentSource& source,
                                                         bool converted) {
  auto fields = co_await signature_fields(parts_.workers, ways_.settings, guise, source, converted, taken_);
  if (fields) co_return std::move(*fields);
  const std::string id = lease_.id.text();
  if (fields.error().kind == ErrorKind::kBadInput) {  // the message's own fault: it goes as it is
    parts_.loop.log().warning("not_signed", {{"id", id}, {"error", fields.error().text}});
    co_return std::string();
  }
  parts_.loop.log().error("not_signed", {{"id", id}, {"error", fields.error().text}});
  if (fields.error().kind == ErrorKind::kInternal) co_return std::string();
  co_return std::nullopt;
}

net::Awaitable<std::vector<std::size_t>> Attempt::transmit_as(RelayConnection& connection, const Guise& guise,
                                                              std::vector<std::size_t> todo) {
  MessageSource stored(parts_.store, parts_.workers, guise.content());
  std::optional<ConvertedSource> converted;
  bool offered = connection.session->capabilities().eight_bit;
  if (!offered && content_.message->eight_bit_body && way_.settings.eight_bit == EightBit::kConvert) {
    converted.emplace(stored);
    Status can = co_await converted->survey();
    if (!can) {
      Verdict verdict = can.error().kind == ErrorKind::kConflict ? verdict_eight_bit_refused() : verdict_our_trouble();
      judge_all(verdict, Phase::kMail, can.error().text, false);
      co_return std::vector<std::size_t>();
    }
  }
  smtp::ContentSource& plain = converted ? static_cast<smtp::ContentSource&>(*converted) : stored;
  std::optional<SignedSource> with_signature;
  if (may_sign(way_.settings, ways_.settings, *content_.message)) {
    auto fields = co_await sign(guise, plain, converted.has_value());
    if (!fields) {
      judge_all(verdict_our_trouble(), Phase::kMail, "the message could not be read to be signed", false);
      co_return std::vector<std::size_t>();
    }
    if (!fields->empty()) with_signature.emplace(plain, std::move(*fields));
  }
  smtp::ContentSource& source = with_signature ? static_cast<smtp::ContentSource&>(*with_signature) : plain;
  while (!todo.empty()) {
    std::vector<std::size_t> batch = take_batch(guise, todo);
    const std::string sender = guise.sender(targets_[batch.front()].n);
    smtp::Transmission transmission_now = transmission(connection, guise, batch, source);
    smtp::Transmitted sent = co_await connection.session->send(transmission_now);
    if (transmission_now.bdat && refuses_bdat(sent)) {
      way_.bdat_broken.store(true, std::memory_order_relaxed);
      parts_.loop.log().warning("bdat_refused",
                                {{"relay", way_.settings.name}, {"reply", printable(sent.final->line())}});
      if (sent.usable && !sent.broken) {
        todo.insert(todo.begin(), batch.begin(), batch.end());
        continue;
      }
    }
    if (transmission_now.bdat && sent.uncertain) way_.bdat_broken.store(true, std::memory_order_relaxed);
    bool died_idle = sent.broken && reused_ && !sent.mail && !sent.uncertain && !sent.broken->reply &&
                     sent.broken->phase == Phase::kMail && is_gone(sent.broken->error.kind);
    if (died_idle && !result_.answered) {
      result_.fate = Attempted::Fate::kDiedIdle;
      result_.usable = false;
      co_return std::vector<std::size_t>();
    }
    bool usable = sent.usable && !sent.broken;
    if (guise.is_null() && !connection.lmtp && is_null_refused(connection, sent, batch)) {
      note_null_refused(sent);
      todo.insert(todo.begin(), batch.begin(), batch.end());
      if (usable) co_return todo;
      result_.usable = false;  // by the next connection
      Verdict later = verdict_null_sender_refused(Action::kDefer);
      for (std::size_t i : todo) set(targets_[i], later, Phase::kMail, refusal_of(sent), true);
      co_return std::vector<std::size_t>();
    }
    std::vector<std::size_t> again;
    absorb(connection, guise, sent, batch, again);
    todo.insert(todo.begin(), again.begin(), again.end());
    result_.usable = usable;
    if (!todo.empty()) write_delivered(batch);
    // Those not reached: what stopped the others stops them too; a refused sender stops those of the same one.
    bool sender_refused = sent.mail && !sent.mail->positive();
    bool all_stop = !result_.usable || result_.trouble;
    if (!all_stop && !sender_refused) continue;
    if (!all_stop && !as_account_.empty()) {  // its other recipients go with those
      std::erase_if(todo, [&](std::size_t i) {
        bool same = guise.sender(targets_[i].n) == sender;
        if (same) as_account_.push_back(i);
        return same;
      });
      continue;
    }
    const Target told = targets_[batch.front()];
    Verdict verdict = told.verdict;
    if (!result_.trouble && result_.usable == false && verdict.action == Action::kDelivered)
      verdict = verdict_our_trouble();
    std::erase_if(todo, [&](std::size_t i) {
      bool same = guise.sender(targets_[i].n) == sender;
      if (all_stop || same) set(targets_[i], verdict, told.phase, told.reply, told.by_peer);
      return all_stop || same;
    });
  }
  co_return std::vector<std::size_t>();
}

// The next transaction's recipients: one sender, and no more than every server takes.
std::vector<std::size_t> Attempt::take_batch(const Guise& guise, std::vector<std::size_t>& todo) const {
  const std::string& sender = guise.sender(targets_[todo.front()].n);
  std::vector<std::size_t> batch;
  std::erase_if(todo, [&](std::size_t i) {
    bool taken = batch.size() < kMostRecipients && guise.sender(targets_[i].n) == sender;
    if (taken) batch.push_back(i);
    return taken;
  });
  return batch;
}

// --- a relay that does not take this sender

// It did not go out as the account already.
bool Attempt::may_go_as_account(const Guise& guise, std::size_t target) const {
  if (went_as_account_ || guise.is_null() || guise.is_wrapped()) return false;
  return sent_again_as_account(way_.settings, ways_.settings, guise.sender(targets_[target].n));
}

void Attempt::note_sender_refused(const Guise& guise, std::size_t target, const mail::Reply& reply) const {
  const std::string id = lease_.id.text(), line = printable(reply.line());
  const std::string& sender = guise.sender(targets_[target].n);
  const char* then = may_go_as_account(guise, target) ? "sent again as the account"
                     : reply.transient()              ? "later"
                                                      : name(way_.settings.on_sender_refused);
  parts_.loop.log().warning("sender_refused",
                            {{"id", id},
                             {"relay", way_.settings.name},
                             {"from", sender},
                             {"reply", line},
                             {"then", then},
                             {"next", rule_for_refused_sender(way_.settings, sender, went_as_account_)}});
}

Verdict Attempt::judged(const Event& event) const {
  Verdict verdict = judge(way_.settings, event);
  return refuses_sender(way_.settings, event) ? verdict_sender_refused(way_.settings, std::move(verdict)) : verdict;
}

// --- a relay that takes nothing from <>

bool Attempt::is_null_refused(const RelayConnection& connection, const smtp::Transmitted& sent,
                              std::span<const std::size_t> batch) const {
  Event event{.phase = Phase::kMail, .authenticated = connection.authenticated, .tls = connection.tls};
  if (sent.mail && !sent.mail->positive()) {
    event.reply = &*sent.mail;
    return refuses_null_sender(way_.settings, event);
  }
  if (sent.final) {  // nobody has it: one transaction, one answer
    event.phase = Phase::kFinal;
    event.reply = &*sent.final;
    return refuses_null_sender(way_.settings, event);
  }
  event.phase = Phase::kRcpt;  // many servers say at RCPT what they think of the sender
  return std::ranges::all_of(sent.recipients, [&](const auto& reply) {
    if (!reply) return false;
    event.reply = &*reply;
    return refuses_null_sender(way_.settings, event);
  });
}

void Attempt::note_null_refused(const smtp::Transmitted& sent) {
  result_.answered = true;
  if (!way_.null_sender.learn(parts_.loop.clock().steady())) return;
  std::string reply = refusal_of(sent);
  parts_.loop.log().warning("null_sender_refused", {{"relay", way_.settings.name}, {"reply", reply}});
}

bool Attempt::takes_null_elsewhere() const {
  const queue::Message& message = *content_.message;
  SteadyTime now = parts_.loop.clock().steady();
  for (const Target& target : targets_) {
    auto key = route::class_key(message.envelope, message.origin, message.envelope.recipients[target.n]);
    auto next = ways_.table.after(key, way_.table_id());
    auto takes = [&](queue::WayId id) {
      const auto state = parts_.scheduler.way(id);
      return state && state->up && !ways_.list[id]->null_sender.refused(now);
    };
    while (next && !takes(*next)) next = ways_.table.after(key, *next);
    if (!next) return false;
  }
  return true;
}

// By another way that takes it; else from the account (or postmaster), once: a report that comes back about such a one
// ends with the postmaster or as a dead letter, by settle().
net::Awaitable<void> Attempt::send_without_null(RelayConnection& connection, std::vector<std::size_t> todo) {
  constexpr std::size_t kLookFor = 64 * 1024;
  Verdict verdict = verdict_null_sender_refused(Action::kFail);
  if (takes_null_elsewhere()) {
    verdict.action = Action::kNextWay;
  } else {
    rewrite::Account account = reporter(way_.settings, ways_.settings);
    auto beginning = co_await read_body(parts_.store, parts_.workers, content_, kLookFor);
    bool twice = !beginning || rewrite::is_wrapped_report(*content_.header, *beginning, account);
    if (!twice) {
      Guise wrapped = Guise::wrapped(content_, account);
      co_await put_on(std::move(wrapped));
      log_guise();
      co_await transmit_as(connection, guise_, std::move(todo));
      co_return;
    }
  }
  for (std::size_t i : todo)
    set(targets_[i], verdict, Phase::kMail, "mail from <> is refused by " + way_.settings.name, false);
}

// A changed header says by our reading whom the mail is from: where a line that is no field ends it (a stranger's,
// whose octets were kept), the empty line that was missing makes it everybody's.
net::Awaitable<void> Attempt::put_on(Guise guise) {
  guise_ = std::move(guise);
  if (guise_.content().header == content_.header || content_.message->body_size == 0) co_return;
  auto start = co_await read_body(parts_.store, parts_.workers, content_, kEndOfHeader.size());
  if (start && !start->starts_with(kEndOfHeader)) guise_.end_header();
}

void Attempt::log_guise() const {
  Log& log = parts_.loop.log();
  if (!guise_.from_unread() && !guise_.breaks_signature() && !guise_.is_wrapped()) return;
  std::string id = lease_.id.text();
  const std::string& relay = way_.settings.name;
  if (guise_.is_wrapped()) log.info("report_wrapped", {{"id", id}, {"relay", relay}, {"from", guise_.sender(0)}});
  if (guise_.from_unread()) {
    log.warning("from_replaced", {{"id", id},
                                  {"relay", relay},
                                  {"explanation", "From is no list of addresses; the original is in X-Original-From"}});
  }
  if (guise_.breaks_signature() && way_.broken_signatures.first(lease_.id)) {
    log.info("signature_broken",
             {{"id", id}, {"relay", relay}, {"explanation", "an address that it signs was rewritten for this way"}});
  }
}

// Between two transactions of one message: what was delivered is written down at once, so that a crash before the end
// repeats no more than one transaction (promise 3).
void Attempt::write_delivered(std::span<const std::size_t> batch) {
  queue::Outcome outcome;
  outcome.id = lease_.id;
  for (std::size_t i : batch) {
    const Target& target = targets_[i];
    if (target.verdict.action != Action::kDelivered) continue;
    queue::RecipientRow row = target.row;
    row.n = target.n;
    row.state = queue::RecipientState::kDelivered;
    row.last_reply = target.reply;
    row.last_host = way_.settings.host;
    row.last_at = parts_.loop.clock().wall();
    outcome.recipients.push_back(std::move(row));
  }
  if (outcome.recipients.empty()) return;
  // What has rows leaves memory: the next attempt must read them, also where this one does not count (load()).
  if (parts_.forget) parts_.forget(lease_.id);
  parts_.store.commit(std::move(outcome), [](Status) {});
}

smtp::Transmission Attempt::transmission(const RelayConnection& connection, const Guise& guise,
                                         std::span<const std::size_t> batch, smtp::ContentSource& source) const {
  const smtp::Capabilities& offered = connection.session->capabilities();
  const mail::Envelope& envelope = content_.message->envelope;
  smtp::Transmission t;
  t.reverse_path = wire_address(guise.sender(targets_[batch.front()].n), offered.smtputf8);
  t.parameters =
      mail_parameters(offered, *content_.message, source.size(), !is_ascii(t.reverse_path), connection.proven);
  t.recipients.reserve(batch.size());
  for (std::size_t i : batch) {
    const mail::Recipient& recipient = envelope.recipients[targets_[i].n];
    const std::string_view other = guise.recipient(targets_[i].n);
    t.recipients.push_back({wire_address(other.empty() ? recipient.address : other, offered.smtputf8),
                            rcpt_parameters(offered, recipient)});
  }
  t.content = &source;
  t.bdat = offered.chunking && source.size() <= kMostBdat && !way_.bdat_broken.load(std::memory_order_relaxed);
  return t;
}

void Attempt::set(Target& target, const Verdict& verdict, Phase phase, std::string words, bool by_peer) {
  target.verdict = verdict;
  target.phase = phase;
  target.reply = std::move(words);
  target.by_peer = by_peer;
}

void Attempt::judge_all(const Verdict& verdict, Phase phase, const std::string& words, bool by_peer) {
  for (Target& target : targets_) set(target, verdict, phase, words, by_peer);
}

void Attempt::note_trouble(const Target& target) {
  result_.put_off |= target.by_peer && target.verdict.action == Action::kDefer;
  // A destination that refuses us, and the message goes on by the next way.
  const bool closes = target.verdict.action == Action::kNextWay && target.verdict.scope == Scope::kWay;
  if ((target.verdict.action != Action::kHoldWay && !closes) || result_.trouble) return;
  result_.trouble =
      WayTrouble{target.verdict, target.phase, fmt::format("{}: {}", smtp::name(target.phase), target.reply)};
  if (!closes) return;
  const mail::Envelope& envelope = content_.message->envelope;
  auto key = route::class_key(envelope, content_.message->origin, envelope.recipients[target.n]);
  if (!ways_.table.after(key, way_.table_id())) result_.trouble->verdict.hold = kRefusedAlone;
}

// What was answered, for each of the batch: its own refusal, else what ended the transaction.
void Attempt::absorb(const RelayConnection& connection, const Guise& guise, const smtp::Transmitted& sent,
                     std::span<const std::size_t> batch, std::vector<std::size_t>& again) {
  const bool direct = way_.settings.protocol == Protocol::kDirect;
  Event common{.phase = Phase::kFinal,
               .uncertain = sent.uncertain,
               .authenticated = connection.authenticated,
               .tls = connection.tls,
               .direct = direct,
               .final_hop = connection.lmtp};
  std::string words;
  bool by_peer = true;
  auto reply_is = [&](Phase phase, const mail::Reply& reply) {
    common.phase = phase;
    common.reply = &reply;
    words = printable(reply.line());
  };
  if (sent.mail && !sent.mail->positive()) {
    reply_is(Phase::kMail, *sent.mail);
  } else if (sent.final) {
    reply_is(Phase::kFinal, *sent.final);
  } else if (sent.data && sent.data->code != 354) {
    reply_is(Phase::kData, *sent.data);
  } else if (sent.broken) {
    common.phase = sent.broken->phase;
    common.error = &sent.broken->error;
    if (sent.broken->reply) common.reply = &*sent.broken->reply;
    words = words_of(*sent.broken);
    by_peer = sent.broken->reply.has_value();
  }
  bool some_accepted = std::ranges::any_of(sent.recipients, [](const auto& r) { return r && r->positive(); });
  result_.answered |= sent.final.has_value() || !sent.finals.empty() ||
                      std::ranges::any_of(sent.recipients, [](const auto& r) { return r && !r->positive(); });
  std::optional<Verdict> verdict;
  if (common.reply || common.error) verdict = judged(common);
  const bool usable = sent.usable && !sent.broken;
  bool told = false;
  // True: the sender was refused, and this recipient gets it from the account.
  auto sender_refused = [&](std::size_t i, const Event& event) {
    if (!names_sender(way_.settings, event)) return false;
    if (!std::exchange(told, true)) note_sender_refused(guise, i, *event.reply);
    if (!usable || !may_go_as_account(guise, i)) return false;
    as_account_.push_back(i);
    return true;
  };
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Target& target = targets_[batch[i]];
    const auto& own = sent.recipients[i];
    if (own && !own->positive()) {
      if (some_accepted && is_too_many_recipients(*own)) {  // RFC 5321 section 4.5.3.1.10: the rest, in a further one
        again.push_back(batch[i]);
        continue;
      }
      Event event = common;
      event.phase = Phase::kRcpt;
      event.reply = &*own;
      event.error = nullptr;
      event.uncertain = false;
      if (sender_refused(batch[i], event)) continue;
      set(target, judged(event), Phase::kRcpt, printable(own->line()), true);
    } else if (i < sent.finals.size() && sent.finals[i]) {  // RFC 2033: each recipient has a reply of its own
      Event event = common;
      event.phase = Phase::kFinal;
      event.reply = &*sent.finals[i];
      event.error = nullptr;
      event.uncertain = false;
      set(target, judge(way_.settings, event), Phase::kFinal, printable(sent.finals[i]->line()), true);
    } else if (verdict) {
      if (sender_refused(batch[i], common)) continue;
      set(target, *verdict, common.phase, words, by_peer);
    } else {  // accepted, and then nothing: not to be had from a ClientSession
      set(target, verdict_our_trouble(), Phase::kFinal, "no reply", false);
    }
    note_trouble(target);
  }
}

}  // namespace sidegate::deliver
