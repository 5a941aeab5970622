#include "intake/intake.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>

#include "alias/address.h"
#include "base/text.h"
#include "intake/own_fields.h"
#include "intake/priority.h"
#include "intake/recipients.h"
#include "intake/reply_for.h"
#include "mail/address_list.h"
#include "mail/header.h"
#include "net/socket.h"
#include "queue/await_commit.h"
#include "rewrite/address_fields.h"
#include "route/ways.h"

namespace sidegate::intake {
namespace {

using mail::Reply;

}  // namespace

Intake::~Intake() {
  abort();
}

mail::Origin Intake::origin_of(const smtp::SessionInfo& session, bool smtputf8) const {
  mail::Origin origin;
  origin.listener = session.listener;
  origin.peer_address = session.peer.address;
  origin.helo = session.helo;
  // Whom the kernel names has not logged in: RFC 3848's "A" stands for AUTH alone.
  origin.user = session.user.empty() && user_ ? user_->name : session.user;
  if (!user_ || !user_->dropped)
    origin.protocol = protocol_keyword(session.esmtp, session.tls, !session.user.empty(), smtputf8);
  return origin;
}

bool Intake::admit(const smtp::SessionInfo& session) {
  if (!std::exchange(asked_, true)) refusal_ = take_place(session);
  return !refusal_;
}

std::optional<Reply> Intake::take_place(const smtp::SessionInfo& session) {
  if (policy_->settings.submit) {
    if (auto refusal = submitter_.connected()) return refusal;
  }
  if (!screening_.takes(session, ClientDoes::kConnect))
    return Reply(421, {4, 7, 0}, "Too many connections or errors from your address, try again later");
  // All of a front's clients come from its address: whom it names is counted.
  const bool trusted = session.may_xclient || may_relay(session, *policy_);
  switch (context_.admission.enter(session.peer.address, trusted, &place_)) {
    case Admission::Verdict::kWelcome:
      return std::nullopt;
    case Admission::Verdict::kTooManyFromAddress:
      return Reply(421, {4, 7, 0}, "Too many connections from your address");
    case Admission::Verdict::kTooManyInAll:
      break;
  }
  return Reply(421, {4, 3, 2}, "Too many connections, try again later");
}

// By XCLIENT another client takes the first one's place, which is given back.
net::Awaitable<void> Intake::meet(smtp::SessionInfo& session) {
  if (std::exchange(met_, true)) {
    place_ = {};
    asked_ = false;
    refusal_.reset();
    co_await ended();  // filters meet the new one with the rest
    filtering_.reset();
  }
  co_await screening_.meet(session);
}

net::Awaitable<Reply> Intake::connected(const smtp::SessionInfo& session) {
  if (admit(session) && filters()) refusal_ = co_await filtering_->connected(session);
  if (!refusal_) co_return Reply(220, "ready");
  refused(session, {"CONNECT", {}, {}, *refusal_});
  co_return *refusal_;
}

std::optional<Reply> Intake::logged_in(const smtp::SessionInfo& session) {
  auto refusal = submitter_.logged_in(session.user);
  if (refusal) refused(session, {"AUTH", {}, {}, *refusal});
  return refusal;
}

net::Awaitable<Reply> Intake::take_mail(const smtp::SessionInfo& session, smtp::MailCommand command) {
  if (auto refusal = refusal_of_mail(session, *policy_)) co_return std::move(*refusal);
  if (auto accepting = context_.store.may_accept(command.size); !accepting) co_return reply_for(accepting.error());
  if (!screening_.takes(session, ClientDoes::kSend))
    co_return Reply(450, {4, 7, 1}, "Too many messages from your address this minute, try again later");
  if (!context_.scheduler.has_room()) co_return Reply(452, {4, 3, 1}, "Queue is full, try again later");
  std::string reverse_path;
  if (!command.path.is_null) {
    reverse_path = command.path.mailbox.text();
    if (command.path.mailbox.domain().empty()) {
      // RFC 5321 section 2.3.5: only names with a domain travel. Programs of this machine say who they are without one.
      if (!may_relay(session, *policy_)) co_return Reply(501, {5, 1, 7}, "The sender's domain is missing");
      reverse_path += "@" + own_name();
    }
  }
  if (submitter_.has_user()) {
    if (auto refusal = co_await submitter_.mail(&reverse_path, command.size, own_name())) co_return std::move(*refusal);
  }
  // After whose address it is was asked: what a user may send as is what he writes.
  if (auto rules = context_.canonical.get()) reverse_path = rules->apply(reverse_path, rewrite::kEnvelopeSender);
  incoming_ = std::make_unique<Incoming>(context_.store.expected());
  mail::Envelope& envelope = incoming_->envelope;
  incoming_->announced = command.size;
  const bool simple = context_.hash_simple.load(std::memory_order_relaxed);
  const bool relaxed = context_.hash_relaxed.load(std::memory_order_relaxed);
  if ((simple || relaxed) && may_relay(session, *policy_)) incoming_->hash_body(simple, relaxed);
  if (context_.mends.load(std::memory_order_relaxed) && may_relay(session, *policy_)) incoming_->mend_header();
  screening_.begin();
  envelope.reverse_path = std::move(reverse_path);
  envelope.body = command.body;
  envelope.ret = command.ret;
  envelope.envid = std::move(command.envid);
  envelope.smtputf8 = command.smtputf8;
  incoming_->entry_routes = context_.entry_routes.get();
  if (incoming_->entry_routes) incoming_->origin = origin_of(session, command.smtputf8);
  if (command.requiretls) envelope.tls = mail::TlsDemand::kRequired;
  co_return Reply(250, {2, 1, 0}, "Ok");
}

// --- Recipients: ours are resolved here and now, so that who is not there is refused here and now

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
  if (whose == Whose::kElsewhere) {
    if (auto refusal = refused_by_route(given)) return std::move(*refusal);
  }
  // RFC 1870 section 6.1 allows it here too.
  if (whose == Whose::kElsewhere && too_large_to_leave(incoming_->announced)) return no_way_takes();
  // An alias may have led there before.
  bool twice = !incoming_->ends.empty() && !incoming_->ends.insert(alias::delivery_key(given)).second;
  if (!twice) add(std::move(given));
  return {250, {2, 1, 5}, "Ok"};
}

// A route that refuses mail says so to who is there to hear it; what an alias leads to is returned later.
std::optional<Reply> Intake::refused_by_route(const mail::Recipient& recipient) const {
  if (!incoming_->entry_routes) return std::nullopt;
  auto said = (*incoming_->entry_routes)(route::class_key(incoming_->envelope, incoming_->origin, recipient));
  if (said.what != route::Decision::What::kRefuse) return std::nullopt;
  return std::move(said.refusal);
}

// To a relay domain: who may not send there is told so before anybody is asked.
net::Awaitable<Reply> Intake::pass_on_behind(mail::Recipient given, mail::Mailbox mailbox, bool trusted,
                                             std::shared_ptr<const RelayDomains> domains) {
  if (auto refusal = refusal_of_recipient(trusted, Whose::kRelayDomain, mailbox.local())) co_return std::move(*refusal);
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

net::Awaitable<Reply> Intake::begin(const smtp::SessionInfo& session) {
  if (auto refusal = submitter_.content_begins()) co_return std::move(*refusal);
  if (!incoming_->id) incoming_->id = context_.ids.next();
  incoming_->in_hand = queue::InHand(context_.poison, incoming_->id, session.peer.address);
  if (filtering_) {
    auto said = co_await filtering_->data(session, incoming_->envelope.recipients.size());
    if (said) co_return std::move(*said);
  }
  co_return Reply(250, {2, 0, 0}, "Ok");
}

// --- Content: the header block is kept whole, the body up to a chunk

net::Awaitable<void> Intake::content(std::string_view bytes) {
  Incoming& in = *incoming_;
  while (!bytes.empty() && !in.refusal) {
    if (in.chunk_full()) {
      co_await put_chunk();
    } else {
      bytes.remove_prefix(in.take(bytes, policy_->settings.smtp.max_header_size));
    }
  }
  if (in.refusal) discard();
}

// Waits until the store has it: that is what slows a fast client down.
net::Awaitable<void> Intake::put_chunk() {
  Incoming& in = *incoming_;
  queue::PutChunk chunk{in.id, 0, in.chunks_put++, in.take_chunk()};
  Status put = co_await queue::commit(context_.store, std::move(chunk));
  if (!put) refuse(put.error());
}

// --- The end: refused, or committed and then ours

net::Awaitable<Reply> Intake::end(const smtp::SessionInfo& session, const smtp::ContentFacts& facts) {
  incoming_->finish();
  if (!incoming_->refusal) incoming_->refusal = content_fault();
  if (!incoming_->refusal && submitter_.has_user()) {
    const std::uint64_t octets = incoming_->header().size() + incoming_->body_size();
    const bool well_formed = incoming_->well_formed() && !incoming_->broken_off();
    incoming_->refusal = co_await submitter_.content_ended(&incoming_->header(), well_formed, octets);
  }
  smtp::ContentFacts noted = facts;
  if (filtering_ && !incoming_->refusal) {
    auto said = co_await filter_content(session, noted);
    incoming_->refusal = std::move(said);
  }
  if (incoming_->refusal) {
    Reply reply = std::move(*incoming_->refusal);
    // A filter discards it: for the client it is sent, and for his limits.
    if (reply.positive()) {
      submitter_.committing();
      submitter_.taken();
    }
    abort();
    co_return reply;
  }
  std::vector<queue::ClassRow> unsaved;
  queue::Accept accept = make_accept(session, noted, unsaved);
  std::shared_ptr<const queue::Message> message = accept.message;
  std::vector<queue::DueRow> due = accept.due;
  std::optional<queue::Content> fresh = copy_for_cache(accept);
  Reply taken(250, {2, 0, 0}, "queued as " + message->id.text());
  submitter_.committing();
  Status committed = co_await commit_with_classes(std::move(accept), std::move(unsaved));
  if (!committed) {
    refuse(committed.error());
    Reply reply = std::move(*incoming_->refusal);
    abort();
    co_return reply;
  }
  Held held{std::move(incoming_->hold), "quarantine"};
  if (!held.why) held = {std::move(incoming_->held_by_route), "route"};
  incoming_.reset();
  submitter_.taken();
  // Durable from here on: only now may anybody try to deliver it, and nothing may keep that or the reply from
  // happening.
  try {
    if (fresh) context_.cache->put(std::move(*fresh));
    log_accepted(*message, session);  // before its first attempt can be told
  } catch (const std::bad_alloc&) {
    // It is read back from the store; its line is lost.
  }
  context_.scheduler.add(due, loop_);
  if (held.why) co_await write_why_held(*message, std::move(due), std::move(held));
  co_return taken;
}

// New classes go just before their message: the store applies one caller's changes in order, and both ride on one sync.
// They may be split over two syncs of which only the first fails, and a message without its class would not be routed
// after a restart: then the classes are written again, or the message is taken back.
net::Awaitable<Status> Intake::commit_with_classes(queue::Accept accept, std::vector<queue::ClassRow> classes) {
  QueueId id = accept.message->id;
  if (classes.empty()) co_return co_await queue::commit(context_.store, std::move(accept));
  auto lost = std::make_shared<std::atomic<bool>>(false);
  context_.store.commit(queue::Intern{classes}, [lost](Status saved) { lost->store(!saved); });
  Status committed = co_await queue::commit(context_.store, std::move(accept));
  if (!committed || !lost->load()) co_return committed;
  Status saved = co_await queue::commit(context_.store, queue::Intern{std::move(classes)});
  if (!saved) context_.store.commit(queue::Remove{id}, [](Status) {});
  co_return saved;
}

// What the first attempt will read: only what is in memory whole.
std::optional<queue::Content> Intake::copy_for_cache(const queue::Accept& accept) const {
  if (!context_.cache || accept.first_chunk > 0 || incoming_->hold) return std::nullopt;
  return queue::Content{accept.message, std::make_shared<const std::string>(accept.header),
                        std::make_shared<const std::string>(accept.body)};
}

std::optional<Reply> Intake::content_fault() const {
  // RFC 5321 section 6.3
  if (mail::count_field(incoming_->header(), "Received") > policy_->settings.smtp.max_received) {
    return Reply(554, {5, 4, 6}, "Too many hops: the message is in a loop");
  }
  bool leaves = std::ranges::none_of(incoming_->domains, [](const std::string& d) { return d.starts_with('.'); });
  if (leaves && too_large_to_leave(incoming_->header().size() + incoming_->body_size())) return no_way_takes();
  return std::nullopt;
}

// The header block as it is kept: mended, and its addresses as canonical maps have them. Those of other servers' mail
// stay, as in Postfix (local_header_rewrite_clients).
std::string Intake::own_header(const smtp::SessionInfo& session, const mail::Envelope& envelope, WallTime now) const {
  std::string header = mended_header(session, envelope, now);
  auto rules = context_.canonical.get();
  if (!rules || !may_relay(session, *policy_)) return header;
  auto made = rules->header(header);
  if (!made) return header;
  if (rewrite::breaks_signature(header, *made)) {
    context_.log.info("signature_broken", {{"id", incoming_->id.text()},
                                           {"explanation", "a canonical map changed an address that it signs"}});
  }
  return std::move(*made);
}

// Programs here write "root" for somebody here (local_header_rewrite_clients = permit_inet_interfaces in Postfix).
bool Intake::is_of_this_machine(const smtp::SessionInfo& session) const {
  const ListenerSettings& settings = policy_->settings;
  if (settings.profile != Profile::kLocal || !settings.add_missing_headers) return false;
  if (session.peer.loopback || session.peer.is_unix) return true;
  return session.peer.told == net::Told::kSocket && net::is_own_address(session.peer.address);
}

void Intake::log_mended() const {
  const bool broken = incoming_->broken_off();
  context_.log.warning(
      "header_mended",
      {{"id", incoming_->id.text()},
       {"explanation", broken ? "a line that is no field ended the header: an empty line was put before it"
                              : "a \"From \" line of an mbox file stood before the header: it was dropped"}});
}

// The client's header block with what is ours to mend in it.
std::string Intake::mended_header(const smtp::SessionInfo& session, const mail::Envelope& envelope,
                                  WallTime now) const {
  const Incoming& in = *incoming_;
  const ListenerSettings& settings = policy_->settings;
  const std::string& hostname = settings.smtp.hostname;
  std::string header = in.header();
  // What other servers send is not ours to touch, nor is what begins with no header at all.
  if (!may_relay(session, *policy_)) return without_forged_tags(header);
  const bool submitted = settings.submit || session.authenticated();
  if (session.authenticated()) header = without_private_fields(header);
  // RFC 6409 section 8: a submission server completes the addresses of its own users.
  if (submitted || is_of_this_machine(session)) header = with_whole_addresses(std::move(header), own_name());
  if (!in.well_formed()) return header;
  if (in.was_mended()) log_mended();
  if (settings.add_sender && session.authenticated()) {
    header = with_sender(std::move(header), mail::qualified(session.user, hostname));
  }
  if (settings.add_missing_headers) {
    std::string missing = missing_fields(header, now, in.id, hostname);
    if (session.authenticated() || in.broken_off()) missing += missing_from(header, envelope.reverse_path, hostname);
    header += missing;
  }
  return submitter_.in_own_name(std::move(header), envelope.reverse_path);
}

// To a listener for other servers mail comes that ends here.
std::uint64_t Intake::largest_that_leaves() const {
  return policy_->settings.profile == Profile::kSmtp ? 0 : context_.scheduler.largest();
}

// Better now than by a report: every relay has said what it takes at most.
bool Intake::too_large_to_leave(std::uint64_t octets) const {
  const std::uint64_t largest = context_.scheduler.largest();
  return largest != 0 && octets > largest;
}

Reply Intake::no_way_takes() const {
  return Reply(552, {5, 3, 4},
               "Message is larger than any way out takes: " + std::to_string(context_.scheduler.largest()) + " octets");
}

std::string Intake::trace_field(const smtp::SessionInfo& session, const mail::Origin& origin,
                                const mail::Envelope& envelope, WallTime now) const {
  const std::string client_name = screening_.client_name(session);
  mail::Trace trace{};
  trace.origin = &origin;
  trace.peer_name = client_name;
  trace.by = policy_->settings.smtp.hostname;
  // One recipient only: a list of them would show blind copies (RFC 5321 section 7.2).
  if (envelope.recipients.size() == 1) {
    const mail::Recipient& only = envelope.recipients[0];
    trace.for_address =
        only.original.empty() ? only.address : only.original;  // RFC 3461 section 5.2.7.3: not where it leads
  }
  if (user_ && !user_->name.empty()) trace.uid = user_->uid;
  if (session.tls_facts) trace.tls = session.tls_facts->summary;
  trace.hide_peer = session.authenticated() && policy_->settings.hide_client;
  trace.id = incoming_->id;
  trace.at = now;
  return mail::received_field(trace);
}

bool Intake::held_by_route(const queue::ClassKey& key) {
  if (!incoming_->entry_routes) return false;
  route::Decision said = (*incoming_->entry_routes)(key);
  if (said.what != route::Decision::What::kHold) return false;
  incoming_->held_by_route = std::move(said.why);
  return true;
}

queue::Accept Intake::make_accept(const smtp::SessionInfo& session, const smtp::ContentFacts& facts,
                                  std::vector<queue::ClassRow>& unsaved) {
  Incoming& in = *incoming_;
  WallTime now = context_.clock.wall();
  auto message = std::make_shared<queue::Message>();
  // RFC 8689 section 3: REQUIRETLS goes before the field.
  if (in.envelope.tls == mail::TlsDemand::kUsual && iequals(trim(mail::field_value(in.header(), "TLS-Required")), "no"))
    in.envelope.tls = mail::TlsDemand::kOptional;
  message->id = in.id;
  message->origin = origin_of(session, in.envelope.smtputf8);
  message->envelope = std::move(in.envelope);
  queue::Accept accept;
  const mail::Envelope& envelope = message->envelope;
  in.envelope = {};

  const auto uid = user_ ? std::optional<unsigned>(user_->uid) : std::nullopt;
  const auto priority = priority_of(in.header(), submitter_.priority_rule(), uid);
  const std::string& user = message->origin.user;
  const std::string sender = lower(envelope.reverse_path);
  std::string sender_key = user.empty() ? sender : lower(user);
  std::unordered_map<std::string_view, queue::ClassId> classes;
  for (const std::string& domain : in.domains) {
    auto [at, first] = classes.try_emplace(domain, 0);
    if (first) {
      bool fresh = false;
      queue::ClassKey key{domain, sender_key, user, session.listener, sender};
      if (!route::is_local(key)) key.tls = route::tls_of(envelope);
      at->second = context_.scheduler.intern(key, &fresh);
      const bool held = in.hold.has_value() || held_by_route(key);
      if (fresh) unsaved.push_back({at->second, std::move(key)});
      queue::DueRow row;
      row.id = in.id;
      row.class_id = at->second;
      row.due = now;
      row.held = held;
      row.priority = static_cast<std::uint8_t>(priority);
      accept.due.push_back(row);
    }
    message->classes.push_back(at->second);
  }

  const bool filtered = in.block.has_value();
  if (filtered) {
    accept.header = std::move(*in.block);
  } else {
    accept.header = trace_field(session, message->origin, envelope, now) + screening_.tag_field();
    accept.header += own_header(session, envelope, now);
  }
  if (const dkim::BodyHasher* hashes = in.body_hashes()) {
    message->body_hash_simple = hashes->simple();
    message->body_hash_relaxed = hashes->relaxed();
  }
  message->submitted = may_relay(session, *policy_);
  accept.body = std::move(in.body());
  accept.first_chunk = in.chunks_put;

  message->header_size = accept.header.size();
  message->body_size = in.body_size();
  message->chunks = static_cast<std::uint32_t>((in.body_size() + queue::kChunkSize - 1) / queue::kChunkSize);
  message->eight_bit_header = filtered ? !is_ascii(accept.header) : in.eight_bit_header();
  message->generation = in.generation;
  message->eight_bit_body = in.eight_bit_body(facts.eight_bit);
  message->longest_line = facts.longest_line;
  message->message_id = mail::field_value(accept.header, "Message-ID");
  message->is_report = user_ && user_->name.empty();  // our own words about what was dropped (pickup.cc)
  accept.message = std::move(message);
  return accept;
}

// What `queue show` says of a held message, which waits until an operator has looked at it.
net::Awaitable<void> Intake::write_why_held(const queue::Message& message, std::vector<queue::DueRow> due, Held held) {
  const std::string id = message.id.text();
  context_.log.warning("message_held", {{"id", id},
                                        {"from", message.envelope.reverse_path},
                                        {"reason", *held.why},
                                        {"next", "sidegate queue release " + id + " lets it go"}});
  try {
    queue::Outcome outcome;
    outcome.id = message.id;
    queue::AttemptRow& attempt = outcome.attempt.emplace();
    attempt.at = context_.clock.wall();
    attempt.reply = std::move(*held.why);
    attempt.meaning = held.meaning;
    for (std::uint32_t n = 0; n < message.envelope.recipients.size(); ++n) {
      const auto row = std::ranges::find(due, message.classes[n], &queue::DueRow::class_id);
      if (row != due.end() && row->held) attempt.recipients.push_back(n);
    }
    Status written = co_await queue::commit(context_.store, std::move(outcome));
    if (!written) context_.log.error("outcome_unwritten", {{"id", id}, {"error", written.error().text}});
  } catch (const std::bad_alloc&) {
    // It is held all the same; why, is in the log alone.
  }
}

// --- Failure and forgetting

void Intake::refuse(const Error& error) {
  context_.log.error("not_accepted",
                     {{"id", incoming_->id.text()}, {"error", name(error.kind)}, {"reason", error.text}});
  incoming_->refusal = reply_for(error, incoming_->id);
}

// Takes back what the store has of a message that will not be finished.
void Intake::discard() noexcept {
  const bool other_bodies = std::exchange(incoming_->other_bodies, false);
  const bool streamed = std::exchange(incoming_->chunks_put, 0) > 0 || other_bodies;
  incoming_->drop_content();  // first: what follows may need the memory
  if (!streamed) return;
  try {
    context_.store.commit(queue::Discard{incoming_->id}, [](Status) {});
  } catch (const std::bad_alloc&) {
    // What is under way in the store stays there until the next start, which looks for such.
  }
}

void Intake::abort() noexcept {
  submitter_.abort();
  if (!incoming_) return;
  discard();
  incoming_.reset();
}

void Intake::refused(const smtp::SessionInfo& session, const smtp::Refusal& refusal) {
  std::string protocol = protocol_keyword(session.esmtp, session.tls, !session.user.empty(), false);
  std::string reply = refusal.reply.line();
  if (refusal.reply.permanent()) screening_.takes(session, ClientDoes::kErr);
  const std::string milter = filtering_ ? filtering_->take_who_refused() : std::string();
  const std::string client_name = screening_.client_name(session);
  context_.log.info("refused", {{"client", session.peer.address},
                                {"client_name", client_name},
                                {"helo", session.helo},
                                {"protocol", protocol},
                                {"command", refusal.command},
                                {"from", refusal.from},
                                {"to", refusal.to},
                                {"reply", reply},
                                {"milter", milter}});
}

// One line a connection, as for those out.
void Intake::secured(const smtp::SessionInfo& session, const tls::Verdict& verdict) {
  if (!context_.log_tls.load(std::memory_order_relaxed)) return;
  const std::string client_name = screening_.client_name(session);
  context_.log.info("tls", {{"client", session.peer.address},
                            {"client_name", client_name},
                            {"listener", session.listener},
                            {"version", verdict.version},
                            {"cipher", verdict.cipher},
                            {"bits", verdict.bits},
                            {"verified", verdict.verified},
                            {"subject", verdict.subject},
                            {"why", verdict.why}});
}

void Intake::not_secured(const smtp::SessionInfo& session, const Error& error) {
  if (!context_.log_tls.load(std::memory_order_relaxed)) return;
  const std::string client_name = screening_.client_name(session);
  context_.log.info("tls_failed", {{"client", session.peer.address},
                                   {"client_name", client_name},
                                   {"listener", session.listener},
                                   {"reason", error.text}});
}

void Intake::log_accepted(const queue::Message& message, const smtp::SessionInfo& session) const {
  const std::string client_name = screening_.client_name(session);
  std::string id = message.id.text();
  const std::string uid = user_ && !user_->name.empty() ? std::to_string(user_->uid) : std::string();
  context_.log.info("accepted", {{"id", id},
                                 {"from", message.envelope.reverse_path},
                                 {"size", message.header_size + message.body_size},
                                 {"nrcpt", message.envelope.recipients.size()},
                                 {"client", message.origin.peer_address},
                                 {"client_name", client_name},
                                 {"helo", message.origin.helo},
                                 {"protocol", message.origin.protocol},
                                 {"msgid", message.message_id},
                                 {"user", message.origin.user},
                                 {"mechanism", session.mechanism},
                                 {"screen", screening_.words()},
                                 {"uid", uid}});
}

}  // namespace sidegate::intake
