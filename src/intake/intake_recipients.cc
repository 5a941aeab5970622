// Recipients: ours are resolved here and now, so that who is not there is refused here and now.
#include "alias/address.h"
#include "base/text.h"
#include "intake/intake.h"
#include "intake/recipients.h"
#include "route/ways.h"

namespace sidegate::intake {

using mail::Reply;

// A return address that we gave to forwarded mail leads back to who sent it. An empty answer: the address is none.
Result<std::optional<mail::Mailbox>> Intake::led_back(const mail::Mailbox& mailbox) const {
  if (!rewrite::is_srs(mailbox.local())) return std::nullopt;
  auto keys = context_.return_addresses.get();
  if (!keys || !iequals(mailbox.domain(), keys->domain)) return std::nullopt;
  auto sender = rewrite::srs_reverse(*keys, mailbox.text(), context_.clock.wall());
  if (!sender) return std::unexpected(sender.error());
  auto parsed = mail::Mailbox::parse(*sender, true);
  if (!parsed) return std::unexpected(parsed.error());
  return *parsed;
}

// By a canonical map, before anybody is asked whose address it is. Nothing: it stays.
std::optional<mail::Mailbox> Intake::canonical(const mail::Mailbox& mailbox) const {
  auto rules = context_.canonical.get();
  if (!rules) return std::nullopt;
  const std::string address = mailbox.domain().empty() ? mailbox.local() : mailbox.text();
  const std::string made = rules->apply(address, rewrite::kEnvelopeRecipient);
  if (made == address) return std::nullopt;
  auto parsed = mail::Mailbox::parse(made, true);
  return parsed ? std::optional(std::move(*parsed)) : std::nullopt;
}

net::Awaitable<Reply> Intake::take_rcpt(const smtp::SessionInfo& session, smtp::RcptCommand command) {
  if (screening_.looks_at(session)) {
    std::string reverse_path = incoming_->envelope.reverse_path;
    mail::Mailbox asked_for = command.path.mailbox;
    if (auto refusal = co_await screening_.refusal(session, std::move(reverse_path), std::move(asked_for)))
      co_return std::move(*refusal);
  }
  if (auto refusal = submitter_.recipient()) co_return std::move(*refusal);
  Reply reply = co_await take_recipient(may_relay(session, *policy_), std::move(command));
  if (!reply.positive()) submitter_.recipient_refused();
  co_return reply;
}

net::Awaitable<Reply> Intake::take_recipient(bool relays, smtp::RcptCommand command) {
  auto sender = led_back(command.path.mailbox);
  if (!sender) {
    bool expired = sender.error().kind == ErrorKind::kTimeout;
    co_return expired ? Reply(550, {5, 1, 1}, "This return address has expired")
                      : Reply(550, {5, 7, 1}, "This return address was not made here");
  }
  // Where a return address leads only we could say, so everyone may send a report there.
  bool trusted = *sender || relays;
  std::optional<mail::Mailbox> other = *sender ? std::move(*sender) : canonical(command.path.mailbox);
  const mail::Mailbox& mailbox = other ? *other : command.path.mailbox;
  mail::Recipient recipient;
  recipient.address = mailbox.text();
  if (other) {
    recipient.original = command.path.mailbox.text();
    if (command.path.mailbox.domain().empty()) recipient.original += "@" + own_name();
  }
  recipient.notify = command.notify;
  recipient.orcpt = std::move(command.orcpt);
  if (mailbox.domain().empty()) {
    // RFC 5321 section 4.1.1.3: "Postmaster" needs no domain, from anybody.
    if (!trusted && !iequals(mailbox.local(), "postmaster"))
      co_return Reply(501, {5, 1, 3}, "The recipient's domain is missing");
    recipient.address += "@" + own_name();
  }
  if (context_.recipients && context_.recipients->concerns(recipient.address)) {
    co_return co_await resolve(std::move(recipient), mailbox, trusted);
  }
  auto domains = context_.relay_domains.get();
  if (!domains || !domains->find(mailbox.domain()))
    co_return pass_on(std::move(recipient), mailbox, trusted, Whose::kElsewhere);
  co_return co_await pass_on_behind(std::move(recipient), mailbox, trusted, std::move(domains));
}

// Not ours: whatever stands left of the last "@" (percent, bang, a quoted address) relays by the domain right of it,
// and only for those who may relay, or to a relay domain.
Reply Intake::pass_on(mail::Recipient given, const mail::Mailbox& mailbox, bool trusted, Whose whose) {
  if (auto refusal = refusal_of_recipient(trusted, whose, mailbox.local())) return std::move(*refusal);
  if (auto refusal = refused_by_route(given)) return std::move(*refusal);
  if (may_be_too_large(incoming_->announced)) {  // RFC 1870 section 6.1 allows it here too
    const std::uint64_t limit = limit_of(given, incoming_->origin);
    if (limit != 0 && incoming_->announced > limit) return no_way_takes(limit);
  }
  // An alias may have led there before.
  bool twice = !incoming_->ends.empty() && !incoming_->ends.insert(alias::delivery_key(given)).second;
  if (!twice) add(std::move(given));
  return {250, {2, 1, 5}, "Ok"};
}

// A route that refuses mail says so to who is there to hear it; what an alias leads to is returned later.
std::optional<Reply> Intake::refused_by_route(const mail::Recipient& recipient) const {
  if (!incoming_->entry_routes || !incoming_->entry_routes->decision) return std::nullopt;
  auto said = incoming_->entry_routes->decision(route::class_key(incoming_->envelope, incoming_->origin, recipient));
  if (said.what != route::Decision::What::kRefuse) return std::nullopt;
  return std::move(said.refusal);
}

// To a relay domain: who may not send there is told so before anybody is asked.
net::Awaitable<Reply> Intake::pass_on_behind(mail::Recipient given, mail::Mailbox mailbox, bool trusted,
                                             std::shared_ptr<const RelayDomains> domains) {
  if (auto refusal = refusal_of_recipient(trusted, Whose::kRelayDomain, mailbox.local())) co_return std::move(*refusal);
  if (auto refusal = refused_by_route(given)) co_return std::move(*refusal);
  auto unknown = co_await unknown_there(domains, domains->find(mailbox.domain()), mailbox);
  if (unknown) co_return std::move(*unknown);
  co_return pass_on(std::move(given), mailbox, trusted, Whose::kRelayDomain);
}

// Whether the server behind us would take a recipient; nullopt: it would, as far as we know. `domains` keeps *domain.
net::Awaitable<std::optional<Reply>> Intake::unknown_there(std::shared_ptr<const RelayDomains> domains,
                                                           const RelayDomain* domain, mail::Mailbox mailbox) {
  const Reply unknown(550, {5, 1, 1}, "User unknown: nobody of that name is at " + domain->domain);
  switch (domain->check) {
    case RecipientCheck::kAny:
      co_return std::nullopt;
    case RecipientCheck::kList:
      if (domains->lists(*domain, mailbox.local())) co_return std::nullopt;
      co_return unknown;
    case RecipientCheck::kCallForward:
      break;
  }
  const std::string address = mailbox.text(), key = lower(address);
  std::optional<Known> known = context_.known_recipients.fresh(key);
  if (!known && context_.call_forward) {
    known = co_await context_.call_forward(loop_, domain->domain, address);
    context_.known_recipients.learn(key, *known);
  }
  if (known == Known::kExists) co_return std::nullopt;
  if (known == Known::kUnknown) co_return unknown;
  if (context_.known_recipients.existed(key)) co_return std::nullopt;
  co_return Reply(450, {4, 4, 3}, "The next server cannot be asked about this recipient, try again later");
}

net::Awaitable<Reply> Intake::resolve(mail::Recipient given, mail::Mailbox mailbox, bool trusted) {
  bool null_sender = incoming_->envelope.reverse_path.empty();
  alias::Expansion expansion = co_await context_.recipients->resolve(given, null_sender);
  switch (expansion.fate) {
    case alias::Fate::kNotOurs: {
      auto domains = context_.relay_domains.get();
      if (!domains || !domains->find(mailbox.domain()))
        co_return pass_on(std::move(given), mailbox, trusted, Whose::kElsewhere);
      co_return co_await pass_on_behind(std::move(given), std::move(mailbox), trusted, std::move(domains));
    }
    case alias::Fate::kUnknown:
      co_return Reply(550, {5, 1, 1}, "User unknown: nobody of that name is here");
    case alias::Fate::kDeferred:  // promise 4
      co_return Reply(451, {4, 3, 0}, "Local trouble with this address, try again later");
    case alias::Fate::kResolved:
      break;
  }
  if (!given.original.empty()) {  // a canonical map had its turn before
    for (mail::Recipient& recipient : expansion.recipients) recipient.original = given.original;
  }
  co_return add_resolved(std::move(expansion.recipients));
}

// What several of a message's recipients lead to gets one copy.
Reply Intake::add_resolved(std::vector<mail::Recipient> recipients) {
  Incoming& in = *incoming_;
  if (in.envelope.recipients.size() + recipients.size() > alias::kMostRecipients)
    return Reply(452, {4, 5, 3}, "Too many recipients, send another copy");
  for (mail::Recipient& recipient : recipients) {
    std::string key = alias::delivery_key(recipient);
    if (in.ends.empty()) {  // the first: those that stand as they were given count too
      for (const mail::Recipient& before : in.envelope.recipients) in.ends.insert(alias::delivery_key(before));
    }
    if (in.ends.insert(std::move(key)).second) add(std::move(recipient));
  }
  return Reply(250, {2, 1, 5}, "Ok");
}

// What an address without a domain is qualified with.
std::string Intake::own_name() const {
  return context_.recipients ? context_.recipients->hostname() : policy_->settings.smtp.hostname;
}

void Intake::add(mail::Recipient recipient) {
  incoming_->domains.push_back(route::class_domain(recipient));
  incoming_->envelope.recipients.push_back(std::move(recipient));
}

}  // namespace sidegate::intake
