#include "intake/pickup.h"

#include <algorithm>

#include "base/text.h"
#include "dsn/report.h"
#include "intake/intake.h"
#include "mail/address_list.h"
#include "smtp/content_check.h"

namespace sidegate::intake {
namespace {

using mail::Reply;

constexpr Duration kLook{1000};
constexpr Duration kAgain{5000};      // after 4yz
constexpr Duration kLongest{60'000};  // of one file, again and again
constexpr std::size_t kPiece = 256 * 1024;

Reply cannot_read() {
  return {451, {4, 3, 0}, "The dropped message cannot be read now"};
}

bool too_many(const Reply& reply) {
  return reply.code == 452 && reply.status == mail::EnhancedCode{4, 5, 3};
}

// What was refused for its lines may stand in a report all the same.
std::string with_crlf(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 64);
  for (char c : text) {
    if (c == '\0' || c == '\r') continue;
    if (c == '\n') out += '\r';
    out += c;
  }
  return out;
}

smtp::SessionInfo session_of(const LocalUser& user, const std::string& listener) {
  smtp::SessionInfo session;
  session.peer.address = "unix";
  session.peer.is_unix = true;
  session.peer.uid = user.uid;
  session.listener = listener;
  return session;
}

}  // namespace

class Pickup::Source {
 public:
  Source(net::WorkerPool& workers, const DropFile& file)
      : workers_(workers), file_(&file), size_(file.heading.message_size) {}
  Source(net::WorkerPool& workers, std::string text) : workers_(workers), text_(std::move(text)), size_(text_.size()) {}

  std::uint64_t size() const { return size_; }
  void rewind() { at_ = 0; }
  // The next octets; none: the end.
  net::Awaitable<Result<std::string>> next() {
    const std::size_t take = static_cast<std::size_t>(std::min<std::uint64_t>(size_ - at_, kPiece));
    if (take == 0) co_return std::string();
    if (file_ == nullptr) {
      std::string piece = text_.substr(at_, take);
      at_ += take;
      co_return piece;
    }
    auto read = [file = file_, at = file_->heading.message_at + at_, take] {
      return DropFolder::read(*file, at, take);
    };
    auto bytes = co_await net::on_worker(workers_, read);
    if (!bytes) co_return std::unexpected(bytes.error());
    if (!*bytes) co_return std::unexpected(bytes->error());
    if ((*bytes)->size() != take) co_return fail(ErrorKind::kBadInput, "it was cut short while it was read");
    at_ += take;
    co_return std::move(**bytes);
  }

 private:
  net::WorkerPool& workers_;
  const DropFile* file_ = nullptr;
  std::string text_;
  std::uint64_t size_ = 0, at_ = 0;
};

Pickup::Pickup(net::Loop& loop, IntakeContext& context, net::WorkerPool& workers, std::string directory,
               std::shared_ptr<const ListenerPolicy> policy)
    : loop_(loop),
      context_(context),
      workers_(workers),
      directory_(directory),
      folder_(std::move(directory)),
      policy_(std::move(policy)) {}

void Pickup::start() {
  running_ = true;
  loop_.spawn("pickup of dropped messages", run());
}

void Pickup::stop(std::function<void()> ended) {
  stopping_ = true;
  if (current_ != nullptr) current_->cancel();  // filters are not waited for; the file stays
  if (!running_) return ended();
  ended_ = std::move(ended);
}

net::Awaitable<void> Pickup::run() {
  while (!stopping_) {
    co_await once();
    for (Duration waited{}; waited < kLook && !stopping_; waited += net::Loop::kTick)
      co_await loop_.sleep(net::Loop::kTick);
  }
  running_ = false;
  if (ended_) ended_();
}

net::Awaitable<void> Pickup::once() {
  if (loop_.clock().steady() < all_wait_) co_return;
  using Names = std::vector<std::string>;
  auto look = [this]() -> Result<Names> {
    if (Status opened = folder_.open(); !opened) return std::unexpected(opened.error());
    return folder_.list();
  };
  auto asked = co_await net::on_worker(workers_, look);
  Result<Names> names = asked ? std::move(*asked) : std::unexpected(asked.error());
  if (!names) {
    if (trouble_ != names.error().text) {
      context_.log.warning(
          "drop_directory",
          {{"error", names.error().text}, {"next", "mail that programs send while the server is down is not kept"}});
    }
    trouble_ = names.error().text;
    co_return;
  }
  trouble_.clear();
  forget_others(*names);
  for (std::string& name : *names) {
    if (stopping_ || loop_.clock().steady() < all_wait_) break;
    if (!stuck_.contains(name) && !waits(name)) co_await pick(std::move(name));
  }
}

bool Pickup::waits(const std::string& name) const {
  auto parsed = parse_drop_name(name);
  auto at = parsed ? later_.find(parsed->base) : later_.end();
  return at != later_.end() && loop_.clock().steady() < at->second.until;
}

// What is known of files that are gone.
void Pickup::forget_others(const std::vector<std::string>& names) {
  if (later_.empty()) return;
  std::set<std::string> there;
  for (const std::string& name : names) {
    if (auto parsed = parse_drop_name(name)) there.insert(parsed->base);
  }
  std::erase_if(later_, [&](const auto& one) { return !there.contains(one.first); });
}

net::Awaitable<void> Pickup::pick(std::string name) {
  auto taken = co_await net::on_worker(workers_, [this, &name] { return folder_.take(name); });
  Result<DropFile> file = taken ? std::move(*taken) : std::unexpected(taken.error());
  if (!file) {
    if (file.error().kind != ErrorKind::kBadInput) co_return;
    auto moved = co_await net::on_worker(workers_, [this, &name] { return folder_.set_aside(name); });
    told_aside(name, file.error().text, moved ? *moved : std::unexpected(moved.error()));
    co_return;
  }
  const unsigned uid = file->heading.uid;
  if (auto waits = wait_.find(uid); waits != wait_.end()) {
    if (loop_.clock().steady() < waits->second) {
      co_await net::on_worker(workers_, [this, &file] {
        folder_.put_back(*file);
        return 0;
      });
      co_return;
    }
    wait_.erase(waits);
  }
  auto found = co_await net::on_worker(workers_, [uid] { return local_user(uid); });
  LocalUser user = found ? std::move(*found) : LocalUser{uid, "uid" + std::to_string(uid)};
  user.dropped = true;
  Given given = co_await give(*file, std::move(user));
  co_await settle(std::move(*file), std::move(given));
}

// --- Into the queue

net::Awaitable<Pickup::Given> Pickup::give(DropFile& file, LocalUser user) {
  Given given;
  mail::Envelope envelope = file.heading.envelope;
  const std::string& host = policy_->settings.smtp.hostname;
  envelope.reverse_path = mail::qualified(envelope.reverse_path, host);
  for (mail::Recipient& to : envelope.recipients) to.address = mail::qualified(to.address, host);
  const std::set<std::size_t>& done = done_[file.parsed.base];
  std::vector<std::size_t> left;
  for (std::size_t n = 0; n < envelope.recipients.size(); ++n) {
    if (!done.contains(n)) left.push_back(n);
  }
  Source source(workers_, file);
  const auto age = context_.clock.wall() - WallTime(std::chrono::seconds(file.heading.time));
  const bool last_time = age > lifetime_;
  // RFC 5321 section 4.5.3.1.10: what is too much for one transaction goes in the next one.
  while (!left.empty()) {
    const std::vector<std::size_t> asked = left;
    source.rewind();
    Said said = co_await transaction(envelope, left, source, user, last_time, given.refused);
    given.reply = std::move(said.reply);
    given.of_file = said.of_file;
    if (!given.reply.positive()) break;
    for (std::size_t n : asked) {
      if (std::ranges::find(left, n) == left.end()) done_[file.parsed.base].insert(n);
    }
  }
  co_return given;
}

// Takes out of `left` what it has dealt with. A reply of 4yz: nothing of what is left is in the queue.
net::Awaitable<Pickup::Said> Pickup::transaction(const mail::Envelope& envelope, std::vector<std::size_t>& left,
                                                 Source& source, LocalUser user, bool last_time,
                                                 std::vector<Refused>& refused) {
  Intake intake(context_, policy_, loop_.index(), user);
  struct Current {
    Intake*& place;
    ~Current() { place = nullptr; }
  } current{current_};
  current_ = &intake;
  Said said = co_await transaction_of(intake, envelope, left, source, user, last_time, refused);
  co_await intake.ended();
  co_return said;
}

net::Awaitable<Pickup::Said> Pickup::transaction_of(Intake& intake, const mail::Envelope& envelope,
                                                    std::vector<std::size_t>& left, Source& source,
                                                    const LocalUser& user, bool last_time,
                                                    std::vector<Refused>& refused) {
  const smtp::SessionInfo session = session_of(user, policy_->settings.name);
  const smtp::ServerSettings& limits = policy_->settings.smtp;
  smtp::MailCommand from;
  from.size = source.size();
  from.body = envelope.body;
  from.ret = envelope.ret;
  from.envid = envelope.envid;
  from.smtputf8 = envelope.smtputf8;
  from.path.is_null = envelope.reverse_path.empty();
  if (!from.path.is_null) {
    auto mailbox = mail::Mailbox::parse(envelope.reverse_path, true);
    if (!mailbox) co_return Said{Reply(553, {5, 1, 7}, "Bad sender address syntax")};
    from.path.mailbox = std::move(*mailbox);
  }
  if (limits.max_message_size != 0 && source.size() > limits.max_message_size)
    co_return Said{
        Reply(552, {5, 3, 4}, "Message is larger than " + std::to_string(limits.max_message_size) + " octets")};
  Reply reply = co_await intake.mail(session, std::move(from));
  if (!reply.positive()) co_return Said{std::move(reply)};

  std::vector<Refused> bad;
  std::vector<std::size_t> later;
  std::size_t accepted = 0;
  for (std::size_t n : left) {
    const mail::Recipient& recipient = envelope.recipients[n];
    if (accepted >= limits.max_recipients) {
      later.push_back(n);
      continue;
    }
    auto mailbox = mail::Mailbox::parse(recipient.address, true);
    Reply said(553, {5, 1, 3}, "Bad recipient address syntax");
    if (mailbox) {
      smtp::RcptCommand to;
      to.path.mailbox = std::move(*mailbox);
      to.notify = recipient.notify;
      to.orcpt = recipient.orcpt;
      said = co_await intake.rcpt(session, std::move(to));
    }
    if (said.positive()) {
      ++accepted;
    } else if (said.permanent()) {
      intake.refused(session, {"RCPT", envelope.reverse_path, recipient.address, said});
      bad.push_back({n, std::move(said)});
    } else if (too_many(said) && accepted > 0) {
      later.push_back(n);
    } else if (last_time) {
      // RFC 3463 section 3.5: delivery time expired.
      Reply late(said.code, {4, 4, 7}, "Not taken for too long: " + said.line());
      intake.refused(session, {"RCPT", envelope.reverse_path, recipient.address, late});
      bad.push_back({n, std::move(late)});
    } else {
      intake.abort();
      co_return Said{std::move(said), true};
    }
  }
  if (accepted == 0) {
    intake.abort();
  } else {
    Said said = co_await content(intake, session, source);
    if (!said.reply.positive()) co_return said;
  }
  for (Refused& one : bad) refused.push_back(std::move(one));
  left = std::move(later);
  co_return Said{Reply(250, {2, 0, 0}, "Ok")};
}

// The same rules as on the wire: the file is a user's, whatever sidegate-drop was given.
net::Awaitable<Pickup::Said> Pickup::content(Intake& intake, const smtp::SessionInfo& session, Source& source) {
  Reply begun = co_await intake.begin(session);
  if (!begun.positive()) co_return Said{std::move(begun)};
  smtp::ContentCheck check(policy_->settings.smtp.max_long_line);
  for (;;) {
    auto piece = co_await source.next();
    if (!piece) {
      intake.abort();
      co_return Said{cannot_read(), true};
    }
    if (piece->empty()) break;
    check.push(*piece);
    co_await intake.content(*piece);
  }
  check.finish();
  if (check.fault() != smtp::ContentFault::kNone) {
    intake.abort();
    co_return Said{Reply(554, {5, 6, 0}, "Its lines do not end with CR LF, are too long, or hold NUL")};
  }
  const smtp::ContentFacts facts{check.eight_bit(), static_cast<std::uint32_t>(check.longest_line())};
  co_return Said{co_await intake.end(session, facts)};
}

// --- What became of it

net::Awaitable<void> Pickup::settle(DropFile file, Given given) {
  const std::string base = file.parsed.base;
  if (given.reply.transient()) put_off(file, given);
  if (!given.reply.positive() && !given.reply.transient()) {
    const std::set<std::size_t>& done = done_[base];
    given.refused.clear();
    for (std::size_t n = 0; n < file.heading.envelope.recipients.size(); ++n) {
      if (!done.contains(n)) given.refused.push_back({n, given.reply});
    }
  }
  std::erase_if(given.refused,
                [&](const Refused& one) { return file.heading.envelope.recipients[one.n].notify.never; });
  bool told = true;
  if (!given.refused.empty()) told = co_await report(file, given.refused);
  // The report is in the queue: those recipients are not asked for again.
  if (told) {
    for (const Refused& one : given.refused) done_[base].insert(one.n);
  }
  if (given.reply.transient()) {
    co_await net::on_worker(workers_, [this, &file] {
      folder_.put_back(file);
      return 0;
    });
    co_return;
  }
  done_.erase(base);
  if (!told) {
    std::string why = "it was refused, and so was the report: " + given.refused.front().reply.line();
    co_await set_aside(std::move(file), std::move(why));
    co_return;
  }
  // Durable: from here on the file is one too many.
  auto removed = co_await net::on_worker(workers_, [this, &file] { return folder_.remove(file); });
  Status status = removed ? *removed : std::unexpected(removed.error());
  if (!status) {
    stuck_.insert(file.name);
    context_.log.error("drop_directory", {{"file", file.name}, {"error", status.error().text}});
  }
}

void Pickup::put_off(const DropFile& file, const Given& given) {
  const SteadyTime now = loop_.clock().steady();
  // 4.7.x is the user's own limit; anything else concerns all.
  const bool own = given.reply.status && given.reply.status->subject == 7;
  if (given.of_file) {
    Later& later = later_[file.parsed.base];
    later.pause = later.pause == Duration{} ? kAgain : std::min(later.pause * 2, kLongest);
    later.until = now + later.pause;
  } else {
    (own ? wait_[file.heading.uid] : all_wait_) = now + kAgain;
  }
  context_.log.info("drop_waits",
                    {{"file", file.parsed.base}, {"uid", file.heading.uid}, {"reply", given.reply.line()}});
}

net::Awaitable<bool> Pickup::report(const DropFile& file, const std::vector<Refused>& refused) {
  const mail::Envelope& original = file.heading.envelope;
  if (original.reverse_path.empty()) co_return false;
  const std::string& host = policy_->settings.smtp.hostname;
  mail::Envelope qualified = original;
  qualified.reverse_path = mail::qualified(original.reverse_path, host);
  Source whole(workers_, file);
  auto start = co_await whole.next();
  if (!start) co_return false;
  const std::string original_text = with_crlf(*start);
  const std::size_t end = original_text.find("\r\n\r\n");
  dsn::Report report;
  report.id = report.original_id = context_.ids.next();
  report.reporting_host = host;
  report.now = context_.clock.wall();
  report.arrived = WallTime(std::chrono::seconds(file.heading.time));
  report.envelope = &qualified;
  report.original_header = std::string_view(original_text).substr(0, end == std::string::npos ? end : end + 2);
  report.original_body = std::string_view(original_text).substr(report.original_header.size());
  report.return_full = original.ret != mail::Ret::kHeaders && file.heading.message_size <= start->size();
  for (const Refused& one : refused) {
    dsn::RecipientReport line;
    line.recipient = original.recipients[one.n];
    line.recipient.address = mail::qualified(line.recipient.address, host);
    line.status = one.reply.status.value_or(mail::EnhancedCode{5, 0, 0});
    line.remote_host = host;
    line.diagnostic = one.reply.line();
    line.last_attempt = report.now;
    report.recipients.push_back(std::move(line));
  }
  dsn::Made made = dsn::make_report(report);
  mail::Envelope envelope;
  envelope.recipients.emplace_back().address = qualified.reverse_path;
  envelope.smtputf8 = made.smtputf8;
  std::vector<std::size_t> left{0};
  std::vector<Refused> none;
  Source text(workers_, made.header + made.body);
  LocalUser ours{0, "", true};
  Said said = co_await transaction(envelope, left, text, std::move(ours), false, none);
  co_return said.reply.positive() && none.empty();
}

net::Awaitable<void> Pickup::set_aside(DropFile file, std::string why) {
  auto moved = co_await net::on_worker(workers_, [this, &file] { return folder_.set_aside(file); });
  told_aside(file.name, why, moved ? *moved : std::unexpected(moved.error()));
}

void Pickup::told_aside(const std::string& name, const std::string& why, const Status& moved) {
  if (!moved) stuck_.insert(name);
  context_.log.error("drop_set_aside", {{"file", printable(name, 200)},
                                        {"reason", why},
                                        {"error", moved ? std::string() : moved.error().text},
                                        {"next", "it is kept in " + directory_ + "/bad; look at it, then remove it"}});
}

}  // namespace sidegate::intake
