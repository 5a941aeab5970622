#include "deliver/attempt.h"

#include <algorithm>

#include "base/text.h"
#include "deliver/parameters.h"
#include "deliver/reports.h"
#include "queue/retry.h"

namespace sidegate::deliver {
namespace {

using smtp::Phase;

}  // namespace

net::Awaitable<Attempted> Attempt::run(Connection& connection, bool reused) {
  reused_ = reused;
  host_ = connection.host;
  address_ = connection.address;
  tls_ = connection.how;
  setup_ = reused ? Duration(0) : connection.took;
  dsn_ = connection.takes_reports();
  final_ = connection.is_final();
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
  if (with_room_ > targets_.size()) keep_to_limits();
  if (targets_.empty()) {
    result_.fate = Attempted::Fate::kEnded;
    co_return std::move(result_);
  }
  co_await connection.carry(*this);
  if (result_.fate == Attempted::Fate::kDiedIdle) co_return std::move(result_);
  co_await settle_all();
  co_return std::move(result_);
}

net::Awaitable<Attempted> Attempt::give(Verdict verdict, std::string words) {
  taken_ = parts_.loop.clock().wall();
  began_ = parts_.loop.clock().steady();
  auto loaded = co_await load();
  if (!loaded || targets_.empty()) {
    using enum Attempted::Fate;
    result_.fate = loaded ? kEnded : loaded.error().kind == ErrorKind::kNotFound ? kGone : kUnread;
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
  // A first attempt at everything: no row is there yet. (A delay report, or a transaction before the attempt broke off,
  // writes rows without counting; it takes the message out of memory.)
  std::size_t mine = std::ranges::count_if(content_.message->classes, [&](queue::ClassId id) {
    return std::ranges::find(lease_.classes, id) != lease_.classes.end();
  });
  bool all = mine == content_.message->classes.size();
  if (from_memory && all && lease_.attempts == 0) {
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

void Attempt::keep_to_limits() {
  with_room_ = targets_.size();
  if (lease_.charged == 0 || targets_.size() <= lease_.charged) return;
  const auto more = static_cast<std::uint32_t>(targets_.size()) - lease_.charged;
  Duration room_in{};
  const std::uint32_t granted = parts_.scheduler.charge_more(lease_, more, &room_in);
  lease_.charged += granted;
  if (granted == more) return;
  with_room_ = lease_.charged;
  no_room_ = verdict_no_room(way_.settings.when_full == WhenFull::kNext, room_in);
}

// --- settle

net::Awaitable<void> Attempt::settle_all() {
  Circumstances c;
  c.message = content_.message.get();
  c.lease = &lease_;
  c.schedule = &parts_.schedule;
  c.routes = &ways_.table;
  c.way_id = way_.table_id();
  c.now = parts_.loop.clock().wall();
  c.arrived = parts_.scheduler.arrived(lease_.id);  // after `now`: a jump between the two makes it younger, not older
  c.random = random_;
  c.others_ended = others_ended_;
  c.relay_reports = dsn_;
  c.is_final = final_;
  c.blame_way_only = reused_;
  c.postmaster = ways_.settings.postmaster;
  c.way = way_.settings.name;
  c.host = host_.empty() ? way_.settings.host : host_;
  c.address = address_;
  c.tls = tls_;
  result_.settled = settle(c, targets_);
  for (std::size_t i = 0; i < result_.settled.reports.size(); ++i) co_await add_report(c, i);
  log_deliveries(c);
}

net::Awaitable<void> Attempt::add_report(const Circumstances& c, std::size_t i) {
  const PlannedReport& plan = result_.settled.reports[i];
  ReportInput input;
  input.circumstances = &c;
  input.plan = &plan;
  input.targets = targets_;
  input.hostname = ways_.settings.hostname;
  input.id = parts_.ids.next();
  std::string body;
  if (returns_full(c, plan)) {
    auto read = co_await read_body(parts_.store, parts_.workers, content_, kMostReturned);
    if (read) body = std::move(*read);  // a report without the body is better than none
  }
  input.original_header = *content_.header;
  input.original_body = body;
  co_await address_report(input);
  result_.settled.outcome.reports.push_back(make_report_message(input));
}

// Whom the report goes to, and their classes, which are written in order before the outcome.
net::Awaitable<void> Attempt::address_report(ReportInput& input) {
  std::string address = input.plan->to;
  if (parts_.resolve) input.recipients = co_await parts_.resolve(address);
  if (input.recipients.empty()) {
    mail::Recipient as_it_stands;
    as_it_stands.address = address;
    input.recipients.push_back(std::move(as_it_stands));
  }
  for (const mail::Recipient& recipient : input.recipients) {
    queue::ClassRow row{.id = 0, .key = report_class(recipient)};
    bool fresh = false;
    row.id = parts_.scheduler.intern(row.key, &fresh);
    input.classes.push_back(row.id);
    if (fresh) parts_.store.commit(queue::Intern{{std::move(row)}}, [](Status) {});
  }
}

// --- log

// The sender it went out with, where that is not the reverse-path.
std::string_view Attempt::sent_as(const Target& target) const {
  if (!guise_.content().message) return {};
  const std::string& sender = guise_.sender(target.n);
  return sender == content_.message->envelope.reverse_path ? std::string_view() : sender;
}

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
  if (c.address.empty()) relay = c.host;  // "local"
  double delay = static_cast<double>((c.now - c.arrived).count()) / 1000;
  std::string id = lease_.id.text();
  for (const Target& t : targets_) {
    bool sent = t.verdict.action == Action::kDelivered;
    bool held = std::ranges::find(settled.held, t.n) != settled.held.end() || t.verdict.action == Action::kHold;
    bool bounced = t.verdict.action == Action::kFail && !held;
    LogWeight weight = sent || bounced || held ? LogWeight::kStory : LogWeight::kSession;
    LogLevel level = held ? LogLevel::kWarning : LogLevel::kInfo;
    const char* status = sent ? "sent" : bounced ? "bounced" : held ? "held" : "deferred";
    const mail::Recipient& recipient = content_.message->envelope.recipients[t.n];
    parts_.loop.log().write(level, weight, "delivery",
                            {{"id", id},
                             {"to", recipient.address},
                             {"orig_to", recipient.original},
                             {"from", content_.message->envelope.reverse_path},
                             {"sent_as", sent_as(t)},
                             {"relay", relay},
                             {"way", c.way},
                             {"transport", name(way_.settings.protocol)},
                             {"delay", delay},
                             {"delays", all_delays},
                             {"dsn", t.verdict.status.text()},
                             {"status", status},
                             {"reply", t.reply},
                             {"meaning", t.verdict.meaning},
                             {"tls", c.tls},
                             {"uncertain", t.verdict.uncertain}});
  }
}

}  // namespace sidegate::deliver
