#include "intake/submitter.h"

#include "alias/address.h"
#include "base/text.h"
#include "intake/context.h"
#include "intake/recipients.h"
#include "intake/user_replies.h"
#include "rewrite/identity.h"
#include "rewrite/srs.h"

namespace sidegate::intake {

using mail::Reply;
using quota::Measure;

std::optional<Reply> Submitter::connected() {
  if (user_.empty()) return std::nullopt;
  const auto settings = context_.users.settings();
  if (context_.users.enter(user_, settings->of(user_, program_).connections, &place_)) return std::nullopt;
  return too_many_connections(user_, program_);
}

std::optional<Reply> Submitter::logged_in(const std::string& user) {
  abort();
  place_ = {};
  user_ = user;
  program_ = false;
  auto refusal = connected();
  resumed_ = user_.empty() ? 0 : context_.users.times_resumed(user_);
  return refusal;
}

// --- counting

std::optional<Reply> Submitter::count(Measure measure, std::uint64_t n) {
  const SteadyTime now = context_.clock.steady();
  counted_.reserve(counted_.size() + 1);  // what is counted is remembered
  if (auto over = context_.users.reserve(user_, program_, measure, n, now)) return over_limit(user_, *over);
  counted_.push_back({measure, n, now});
  return std::nullopt;
}

PriorityRule Submitter::priority_rule() const {
  return user_.empty() ? PriorityRule::kAuto : context_.users.settings()->of(user_, program_).priority;
}

void Submitter::abort() noexcept {
  for (const Counted& one : counted_) context_.users.give_back(user_, one.measure, one.n, one.when);
  counted_.clear();
  recipients_ = 0;
  rewrite_ = false;
  told_.clear();
}

std::optional<Reply> Submitter::recipient() {
  if (user_.empty()) return std::nullopt;
  auto refusal = count(Measure::kRecipients, 1);
  if (!refusal) ++recipients_;
  return refusal;
}

void Submitter::recipient_refused() {
  if (user_.empty() || counted_.empty()) return;
  const Counted last = counted_.back();
  counted_.pop_back();
  --recipients_;
  context_.users.give_back(user_, last.measure, last.n, last.when);
}

std::optional<Reply> Submitter::content_begins() {
  if (user_.empty()) return std::nullopt;
  auto stop = context_.users.too_much_at_once(user_, program_);
  if (!stop) stop = context_.users.stopped(user_);
  if (!stop) return std::nullopt;
  return is_suspended(user_, *stop);
}

void Submitter::committing() {
  if (!user_.empty()) context_.users.taken(user_, recipients_);
}

// --- MAIL

net::Awaitable<std::optional<Reply>> Submitter::mail(std::string* reverse_path, std::uint64_t size,
                                                     std::string hostname) {
  abort();
  if (auto stop = context_.users.stopped(user_)) co_return is_suspended(user_, *stop);
  // Whoever sent what he was suspended for may still be logged in, with the password of then.
  if (!program_ && context_.users.times_resumed(user_) != resumed_)
    co_return Reply(421, {4, 7, 0}, "Sending was suspended since you logged in; log in again");
  settings_ = context_.users.settings();
  hostname_ = std::move(hostname);
  domains_ = domains();
  // RFC 6409 section 3.2: a null one is no cause for refusal (mail clients' notifications have it). Its From is looked
  // at all the same.
  if (!program_ && !reverse_path->empty()) {
    std::string sender = *reverse_path;
    auto refusal = co_await look_at_sender({}, std::move(sender));
    if (refusal) co_return refusal;
    if (rewrite_) *reverse_path = OwnAddresses(settings_->of(user_, false), user_, domains_).first();
  }
  if (auto refusal = count(Measure::kMessages, 1)) co_return refusal;
  if (size == 0) co_return std::nullopt;
  auto refusal = count(Measure::kOctets, size);
  if (refusal) {
    abort();
    co_return refusal;
  }
  // Only asked: how large it really is, is counted at the end.
  const Counted announced = counted_.back();
  counted_.pop_back();
  context_.users.give_back(user_, announced.measure, announced.n, announced.when);
  co_return std::nullopt;
}

// --- whose address it is

OwnDomains Submitter::domains() const {
  OwnDomains domains{hostname_, {}, "+"};
  if (!context_.recipients) return domains;
  const alias::Settings settings = context_.recipients->settings();
  domains.local = settings.local_domains;
  domains.delimiters = settings.recipient_delimiter;
  return domains;
}

net::Awaitable<Submitter::Owns> Submitter::owns(std::string address) {
  const OwnAddresses own(settings_->of(user_, false), user_, domains_);
  if (own.has(address)) co_return Owns::kYes;
  if (rewrite::is_srs(address)) {  // one that we made leads back to whom it stands for
    auto keys = context_.return_addresses.get();
    const bool ours = keys && iequals(alias::split_address(address).domain, keys->domain);
    auto sender = ours ? rewrite::srs_reverse(*keys, address, context_.clock.wall())
                       : Result<std::string>(fail(ErrorKind::kNotFound, ""));
    co_return sender&& own.has(*sender) ? Owns::kYes : Owns::kNo;
  }
  if (!context_.recipients || !context_.recipients->concerns(address)) co_return Owns::kNo;
  if (auto known = context_.known_owners.find(user_, address)) co_return *known ? Owns::kYes : Owns::kNo;
  const Owns found = co_await leads_to_user_alone(address);
  if (found != Owns::kCannotTell) context_.known_owners.learn(user_, address, found == Owns::kYes);
  co_return found;
}

// An alias whose mail ends where the user's own does, and nowhere else.
net::Awaitable<Submitter::Owns> Submitter::leads_to_user_alone(std::string address) {
  const OwnAddresses own(settings_->of(user_, false), user_, domains_);
  mail::Recipient asked;
  asked.address = std::move(address);
  alias::Expansion ends = co_await context_.recipients->resolve(asked, true);
  if (ends.fate == alias::Fate::kDeferred) co_return Owns::kCannotTell;
  if (ends.fate != alias::Fate::kResolved || ends.recipients.size() != 1) co_return Owns::kNo;
  const mail::Recipient& end = ends.recipients.front();
  const bool stays = end.destination == mail::Destination::kMailbox;
  if (!stays && end.destination != mail::Destination::kRoute) co_return Owns::kNo;
  if (!stays && own.has(end.address)) co_return Owns::kYes;
  mail::Recipient mailbox;
  mailbox.address = own.mailbox();
  if (!context_.recipients->concerns(mailbox.address)) co_return Owns::kNo;
  alias::Expansion mine = co_await context_.recipients->resolve(mailbox, true);
  if (mine.fate == alias::Fate::kDeferred) co_return Owns::kCannotTell;
  const bool same = mine.fate == alias::Fate::kResolved && mine.recipients.size() == 1 &&
                    alias::delivery_key(mine.recipients.front()) == alias::delivery_key(end);
  co_return same ? Owns::kYes : Owns::kNo;
}

net::Awaitable<std::optional<Reply>> Submitter::look_at_sender(std::string_view field, std::string address) {
  const ForeignSender policy = settings_->of(user_, false).on_foreign_sender();
  Owns found = Owns::kNo;
  if (!address.empty()) found = co_await owns(address);
  if (found == Owns::kYes) co_return std::nullopt;
  switch (policy) {
    case ForeignSender::kWarn:
      if (std::exchange(told_, address) != address || address.empty()) tell(field, address, "warn");
      co_return std::nullopt;
    case ForeignSender::kRewrite:
      if (found == Owns::kCannotTell) break;
      rewrite_ = true;
      tell(field, address, "rewrite");
      co_return std::nullopt;
    case ForeignSender::kReject:
    case ForeignSender::kAuto:
      if (found == Owns::kCannotTell) break;
      tell(field, address, "reject");
      co_return not_own_address(user_, field, address);
  }
  // Our confusion is temporary.
  co_return Reply(451, {4, 3, 0}, "Local trouble with the sender's address, try again later");
}

void Submitter::tell(std::string_view field, const std::string& address, const char* action) {
  told_of_ = field;
  context_.log.warning("foreign_sender", {{"user", user_},
                                          {"address", address},
                                          {"field", field.empty() ? std::string_view("MAIL") : field},
                                          {"action", action}});
}

// --- the end of the content

net::Awaitable<std::optional<Reply>> Submitter::content_ended(const std::string* header, bool well_formed,
                                                              std::uint64_t octets) {
  if (!settings_) co_return std::nullopt;
  if (!program_) {
    // Behind a line that is no field others may go on reading fields, and show a From that nobody has looked at.
    if (!well_formed && settings_->of(user_, false).on_foreign_sender() != ForeignSender::kWarn) {
      tell("From", {}, "reject");
      co_return not_own_address(user_, "From", {});
    }
    rewrite_ = false;  // the envelope's is done
    told_of_ = {};
    for (NamedSender& sender : named_senders(*header, hostname_)) {
      const std::string_view field = sender.field;
      if (field == told_of_) continue;  // one foreign address of a field says all
      auto refusal = co_await look_at_sender(field, std::move(sender.address));
      if (refusal) co_return refusal;
    }
  }
  co_return count(Measure::kOctets, octets);
}

std::string Submitter::in_own_name(std::string header, const std::string& reverse_path) const {
  if (!rewrite_) return header;
  const rewrite::Account account{OwnAddresses(settings_->of(user_, false), user_, domains_).first(), hostname_};
  rewrite::RewrittenHeader made = rewrite::as_account(header, reverse_path, account);
  return made.changed ? std::move(made.header) : header;
}

}  // namespace sidegate::intake
