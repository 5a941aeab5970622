#include "intake/intake.h"

#include <atomic>

#include "base/text.h"
#include "intake/own_fields.h"
#include "intake/recipients.h"
#include "intake/reply_for.h"
#include "net/socket.h"
#include "queue/await_commit.h"

namespace sidegate::intake {

using mail::Reply;

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
  // RFC 1870 section 6.1: more than EHLO has offered.
  if (const std::uint64_t largest = largest_that_leaves(); largest != 0 && command.size > largest)
    co_return no_way_takes(largest);
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
  const bool asked = incoming_->entry_routes && (incoming_->entry_routes->decision || may_be_too_large(command.size));
  if (asked) incoming_->origin = origin_of(session, command.smtputf8);
  if (command.requiretls) envelope.tls = mail::TlsDemand::kRequired;
  co_return Reply(250, {2, 1, 0}, "Ok");
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
  if (!incoming_->refusal) incoming_->refusal = content_fault(session);
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
