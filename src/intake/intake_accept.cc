// What is committed: the header as it will be kept, the envelope, the rows of the classes; and why what is held is
// held.
#include <algorithm>
#include <unordered_map>

#include "base/text.h"
#include "intake/intake.h"
#include "intake/own_fields.h"
#include "intake/priority.h"
#include "intake/recipients.h"
#include "mail/address_list.h"
#include "mail/header.h"
#include "net/socket.h"
#include "queue/await_commit.h"
#include "rewrite/address_fields.h"
#include "route/ways.h"

namespace sidegate::intake {

using mail::Reply;

std::optional<Reply> Intake::content_fault(const smtp::SessionInfo& session) const {
  // RFC 5321 section 6.3
  if (mail::count_field(incoming_->header(), "Received") > policy_->settings.smtp.max_received) {
    return Reply(554, {5, 4, 6}, "Too many hops: the message is in a loop");
  }
  const std::uint64_t octets = incoming_->header().size() + incoming_->body_size();
  if (!may_be_too_large(octets)) return std::nullopt;
  // For some recipient it has a way: the others get a report.
  const mail::Envelope& envelope = incoming_->envelope;
  const mail::Origin origin = origin_of(session, envelope.smtputf8);
  std::uint64_t largest = 0;
  for (const mail::Recipient& recipient : envelope.recipients) {
    const std::uint64_t limit = limit_of(recipient, origin);
    if (limit == 0 || octets <= limit) return std::nullopt;
    largest = std::max(largest, limit);
  }
  return no_way_takes(largest);
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

// Better now than by a report: a relay has said that it takes less. Usually all there is to look at.
bool Intake::may_be_too_large(std::uint64_t octets) const {
  const std::uint64_t smallest = context_.scheduler.smallest();
  return smallest != 0 && octets > smallest;
}

// What the largest message may have that some way to this recipient takes. 0: no bound is known.
std::uint64_t Intake::limit_of(const mail::Recipient& recipient, const mail::Origin& origin) const {
  if (!incoming_->entry_routes) return 0;
  return incoming_->entry_routes->most_octets(route::class_key(incoming_->envelope, origin, recipient));
}

Reply Intake::no_way_takes(std::uint64_t limit) {
  return Reply(552, {5, 3, 4}, "Message is larger than any way out takes: " + std::to_string(limit) + " octets");
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
  if (!incoming_->entry_routes || !incoming_->entry_routes->decision) return false;
  route::Decision said = incoming_->entry_routes->decision(key);
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

}  // namespace sidegate::intake
