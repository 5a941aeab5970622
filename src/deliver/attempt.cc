#include "deliver/attempt.h"

#include <algorithm>

#include "base/text.h"
#include "deliver/parameters.h"
#include "deliver/reports.h"
#include "queue/retry.h"

namespace sidegate::deliver {
namespace {

using smtp::Phase;

constexpr std::size_t kMostRecipients = 100;     // RFC 5321 section 4.5.3.1.8: every server takes as many
constexpr std::uint64_t kMostBdat = 256 * 1024;  // whole message in memory and in one write
constexpr Duration kOldEnoughForRows = Duration(60'000);

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

std::string words_of(const smtp::Trouble& trouble) {
  return trouble.reply ? printable(trouble.reply->line()) : printable(trouble.error.text);
}

}  // namespace

net::Awaitable<Attempted> Attempt::run(RelayConnection& connection, bool reused) {
  reused_ = reused;
  address_ = connection.address;
  setup_ = reused ? Duration(0) : connection.took;
  dsn_ = connection.session->capabilities().dsn;
  taken_ = parts_.loop.clock().wall();
  began_ = parts_.loop.clock().steady();
  result_ = {};
  if (!content_.message) {  // a second run over a new connection has it already
    auto loaded = co_await load();
    if (!loaded) {
      result_.fate = loaded.error().kind == ErrorKind::kNotFound ? Attempted::Fate::kGone : Attempted::Fate::kUnread;
      co_return std::move(result_);
    }
  }
  if (targets_.empty()) {  // ended before, and the schedule had not heard of it
    result_.fate = Attempted::Fate::kGone;
    co_return std::move(result_);
  }
  std::uint64_t size = content_.message->header_size + content_.message->body_size;
  if (auto lacking = lack(connection.session->capabilities(), way_.settings, *content_.message, size)) {
    judge_all(*lacking, Phase::kMail, std::string(lacking->explanation), false);
  } else {
    co_await transmit(connection);
    if (result_.fate == Attempted::Fate::kDiedIdle) co_return std::move(result_);
  }
  co_await settle_all();
  co_return std::move(result_);
}

net::Awaitable<Attempted> Attempt::give(Verdict verdict, std::string words) {
  taken_ = parts_.loop.clock().wall();
  began_ = parts_.loop.clock().steady();
  auto loaded = co_await load();
  if (!loaded || targets_.empty()) {
    result_.fate =
        loaded || loaded.error().kind == ErrorKind::kNotFound ? Attempted::Fate::kGone : Attempted::Fate::kUnread;
    co_return std::move(result_);
  }
  judge_all(verdict, Phase::kConnect, words, false);
  reused_ = true;  // what has not ended goes back as it was: it waits for its way
  co_await settle_all();
  co_return std::move(result_);
}

// --- load

net::Awaitable<Status> Attempt::load() {
  if (parts_.cached) {
    if (auto content = parts_.cached(lease_.id)) content_ = std::move(*content);
  }
  bool from_memory = content_.message != nullptr;  // so it came in since the process began
  if (!from_memory) {
    auto content = co_await read_content(parts_.store, parts_.workers, lease_.id);
    if (!content) co_return std::unexpected(content.error());
    content_ = std::move(*content);
  }
  // A first attempt at everything: no row is there yet. (A delay report alone writes rows without counting.)
  std::size_t mine = std::ranges::count_if(content_.message->classes, [&](queue::ClassId id) {
    return std::ranges::find(lease_.classes, id) != lease_.classes.end();
  });
  bool all = mine == content_.message->classes.size();
  bool young = taken_ - lease_.id.time() < kOldEnoughForRows;
  if (from_memory && all && young && lease_.attempts == 0) {
    take_targets({});
    co_return Status{};
  }
  co_return co_await load_rows();
}

net::Awaitable<Status> Attempt::load_rows() {
  auto read = [&store = parts_.store, id = lease_.id] { return store.recipients(id); };
  auto rows = co_await net::on_worker(parts_.workers, std::move(read));
  if (!rows) co_return std::unexpected(rows.error());
  if (!*rows) co_return std::unexpected(rows->error());
  take_targets(**rows);
  co_return Status{};
}

void Attempt::take_targets(const std::vector<queue::RecipientRow>& rows) {
  const queue::Message& message = *content_.message;
  targets_.clear();
  targets_.reserve(message.classes.size());
  others_ended_ = true;
  for (std::uint32_t n = 0; n < message.classes.size(); ++n) {
    auto row = std::ranges::find(rows, n, &queue::RecipientRow::n);
    bool pending = row == rows.end() || row->state == queue::RecipientState::kPending;
    if (!pending) continue;
    queue::ClassId id = message.classes[n];
    if (std::ranges::find(lease_.classes, id) == lease_.classes.end()) {
      others_ended_ = false;
      continue;
    }
    Target& target = targets_.emplace_back();
    target.n = n;
    target.class_id = id;
    if (row != rows.end()) target.row = *row;
  }
}

// --- transmit

net::Awaitable<void> Attempt::transmit(RelayConnection& connection) {
  MessageSource stored(parts_.store, parts_.workers, content_);
  std::optional<ConvertedSource> converted;
  bool offered = connection.session->capabilities().eight_bit;
  if (!offered && content_.message->eight_bit_body && way_.settings.eight_bit == EightBit::kConvert) {
    converted.emplace(stored);
    Status can = co_await converted->survey();
    if (!can) {
      Verdict verdict = can.error().kind == ErrorKind::kConflict ? verdict_eight_bit_refused() : verdict_our_trouble();
      judge_all(verdict, Phase::kMail, can.error().text, false);
      co_return;
    }
  }
  smtp::ContentSource& source = converted ? static_cast<smtp::ContentSource&>(*converted) : stored;
  std::vector<std::size_t> todo(targets_.size());
  for (std::size_t i = 0; i < todo.size(); ++i) todo[i] = i;
  while (!todo.empty()) {
    std::size_t count = std::min(todo.size(), kMostRecipients);
    std::vector<std::size_t> batch(todo.begin(), todo.begin() + static_cast<std::ptrdiff_t>(count));
    todo.erase(todo.begin(), todo.begin() + static_cast<std::ptrdiff_t>(count));
    smtp::Transmission transmission_now = transmission(connection, batch, source);
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
                     sent.broken->phase == Phase::kMail && sent.broken->error.kind == ErrorKind::kClosed;
    if (died_idle && !result_.answered) {
      result_.fate = Attempted::Fate::kDiedIdle;
      result_.usable = false;
      co_return;
    }
    std::vector<std::size_t> again;
    absorb(connection, sent, batch, again);
    todo.insert(todo.begin(), again.begin(), again.end());
    result_.usable = sent.usable && !sent.broken;
    bool stops = !result_.usable || result_.trouble || (sent.mail && !sent.mail->positive());
    if (!todo.empty()) write_delivered(batch);
    // Those not reached: what stopped the others stops them too.
    if (stops && !todo.empty()) {
      const Target& told = targets_[batch.front()];
      Verdict verdict = told.verdict;
      if (!result_.trouble && result_.usable == false && verdict.action == Action::kDelivered)
        verdict = verdict_our_trouble();
      for (std::size_t i : todo) set(targets_[i], verdict, told.phase, told.reply, told.by_peer);
      co_return;
    }
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
  if (!outcome.recipients.empty()) parts_.store.commit(std::move(outcome), [](Status) {});
}

smtp::Transmission Attempt::transmission(const RelayConnection& connection, std::span<const std::size_t> batch,
                                         smtp::ContentSource& source) const {
  const smtp::Capabilities& offered = connection.session->capabilities();
  const mail::Envelope& envelope = content_.message->envelope;
  smtp::Transmission t;
  t.reverse_path = envelope.reverse_path;
  t.parameters = mail_parameters(offered, *content_.message, source.size());
  t.recipients.reserve(batch.size());
  for (std::size_t i : batch) {
    const mail::Recipient& recipient = envelope.recipients[targets_[i].n];
    t.recipients.push_back({recipient.address, rcpt_parameters(offered, recipient)});
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
  if (target.verdict.action != Action::kHoldWay || result_.trouble) return;
  result_.trouble =
      WayTrouble{target.verdict, target.phase, fmt::format("{}: {}", smtp::name(target.phase), target.reply)};
}

// What was answered, for each of the batch: its own refusal, else what ended the transaction.
void Attempt::absorb(const RelayConnection& connection, const smtp::Transmitted& sent,
                     std::span<const std::size_t> batch, std::vector<std::size_t>& again) {
  Event common{.phase = Phase::kFinal,
               .uncertain = sent.uncertain,
               .authenticated = connection.authenticated,
               .tls = connection.tls};
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
  result_.answered |=
      sent.final.has_value() || std::ranges::any_of(sent.recipients, [](const auto& r) { return r && !r->positive(); });
  std::optional<Verdict> verdict;
  if (common.reply || common.error) verdict = judge(way_.settings, common);
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
      set(target, judge(way_.settings, event), Phase::kRcpt, printable(own->line()), true);
    } else if (verdict) {
      set(target, *verdict, common.phase, words, by_peer);
    } else {  // accepted, and then nothing: not to be had from a ClientSession
      set(target, verdict_our_trouble(), Phase::kFinal, "no reply", false);
    }
    note_trouble(target);
  }
}

// --- settle

net::Awaitable<void> Attempt::settle_all() {
  Circumstances c;
  c.message = content_.message.get();
  c.lease = &lease_;
  c.schedule = &parts_.schedule;
  c.routes = &ways_.table;
  c.now = parts_.loop.clock().wall();
  c.arrived = parts_.scheduler.arrived(lease_.id);  // after `now`: a jump between the two makes it younger, not older
  c.random = random_;
  c.others_ended = others_ended_;
  c.relay_reports = dsn_;
  c.blame_way_only = reused_;
  c.postmaster = ways_.settings.postmaster;
  c.way = way_.settings.name;
  c.host = way_.settings.host;
  c.address = address_;
  result_.settled = settle(c, targets_);
  if (!result_.settled.reported.empty()) co_await add_report(c);
  log_deliveries(c);
}

net::Awaitable<void> Attempt::add_report(const Circumstances& c) {
  Settled& settled = result_.settled;
  ReportInput input;
  input.circumstances = &c;
  input.settled = &settled;
  input.targets = targets_;
  input.hostname = ways_.settings.hostname;
  input.id = parts_.ids.next();
  std::string body;
  if (returns_full(c, settled)) {
    auto read = co_await read_body(parts_.store, parts_.workers, content_, kMostReturned);
    if (read) body = std::move(*read);  // a report without the body is better than none
  }
  input.original_header = *content_.header;
  input.original_body = body;
  queue::ClassRow row{.id = 0, .key = report_class(settled)};
  bool fresh = false;
  row.id = parts_.scheduler.intern(row.key, &fresh);
  if (fresh) parts_.store.commit(queue::Intern{{row}}, [](Status) {});  // in order before the outcome
  input.class_id = row.id;
  settled.outcome.report = make_report_message(input);
}

// --- log

std::string Attempt::delays(const Circumstances& c) const {
  auto seconds = [](Duration d) { return static_cast<double>(std::max<Duration::rep>(d.count(), 0)) / 1000; };
  // As Postfix: before the queue, in the queue, connection set-up, transmission. The first is not known here.
  Duration waited = taken_ - c.arrived - setup_;
  Duration sent = std::chrono::duration_cast<Duration>(parts_.loop.clock().steady() - began_);
  return fmt::format("0/{:.3g}/{:.3g}/{:.3g}", seconds(waited), seconds(setup_), seconds(sent));
}

void Attempt::log_deliveries(const Circumstances& c) const {
  const Settled& settled = result_.settled;
  if (!settled.changes) return;  // the way's trouble has a line of its own
  std::string all_delays = delays(c);
  std::string relay = fmt::format("{}[{}]", c.host, c.address);
  auto colon = c.address.rfind(':');
  if (colon != std::string::npos) {  // name[address]:port, as people's tools know it
    std::string host = c.address.substr(0, colon);
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    relay = fmt::format("{}[{}]:{}", c.host, host, c.address.substr(colon + 1));
  }
  double delay = static_cast<double>((c.now - c.arrived).count()) / 1000;
  std::string id = lease_.id.text();
  for (const Target& t : targets_) {
    bool sent = t.verdict.action == Action::kDelivered;
    bool held = std::ranges::find(settled.held, t.n) != settled.held.end();
    bool bounced = t.verdict.action == Action::kFail && !held;
    LogWeight weight = sent || bounced || held ? LogWeight::kStory : LogWeight::kSession;
    LogLevel level = held ? LogLevel::kWarning : LogLevel::kInfo;
    const char* status = sent ? "sent" : bounced ? "bounced" : held ? "held" : "deferred";
    parts_.loop.log().write(level, weight, "delivery",
                            {{"id", id},
                             {"to", content_.message->envelope.recipients[t.n].address},
                             {"from", content_.message->envelope.reverse_path},
                             {"relay", relay},
                             {"way", c.way},
                             {"delay", delay},
                             {"delays", all_delays},
                             {"dsn", t.verdict.status.text()},
                             {"status", status},
                             {"reply", t.reply},
                             {"meaning", t.verdict.meaning},
                             {"uncertain", t.verdict.uncertain}});
  }
}

}  // namespace sidegate::deliver
