// As whom a message goes out by one way: the sender of each recipient's transaction, and the header. Pure. It is made
// for each attempt from the message as it was accepted, so another way with another rule begins anew. Where the way
// changes nothing, nothing is copied and nothing is looked at.
//
// The order: canonical_out, masquerade_domains, generic (rewrite/rules.h); SRS of what is forwarded; the identity rule;
// then the message is signed (signature.h).
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "deliver/settings.h"
#include "queue/content_cache.h"
#include "rewrite/identity.h"

namespace sidegate::deliver {

// What rewrites addresses on this way; null: nothing does.
const rewrite::Outgoing* rules_of(const RelaySettings& way, const DeliverSettings& settings);

// Whether the header of any message is changed on any way.
bool rewrites_headers(const DeliverSettings& settings);

// Whether the way's account may send as `address`, by its identity rule.
bool may_send_as(const RelaySettings& way, std::string_view address);

// Where reports about a recipient go: the reverse-path, or what an alias put in its place. RFC 5321 section 4.5.5: a
// null one stays null.
const std::string& return_address(const mail::Envelope& envelope, const mail::Recipient& recipient);

// The reverse-path with which a recipient leaves by this way.
std::string sender_for(const RelaySettings& way, const DeliverSettings& settings, const mail::Envelope& envelope,
                       const mail::Recipient& recipient, WallTime now);

// As the account of this way, or (one that has none) as our postmaster: who a report is from that needs a sender.
rewrite::Account reporter(const RelaySettings& way, const DeliverSettings& settings);

class Guise {
 public:
  Guise() = default;  // of nothing
  Guise(const queue::Content& content, const RelaySettings& way, const DeliverSettings& settings, WallTime now);
  // Once more, as the account: for a relay that has refused the sender.
  static Guise of_account(const queue::Content& content, const RelaySettings& way, const DeliverSettings& settings,
                          WallTime now);
  // For a relay that takes nothing from <>: a report as a message with a sender (rewrite::as_wrapped_report).
  static Guise wrapped(const queue::Content& content, const rewrite::Account& account);

  const std::string& sender(std::size_t recipient) const { return senders_.empty() ? sender_ : senders_[recipient]; }
  // The recipient's address on this way; empty: as it is in the envelope.
  std::string_view recipient(std::size_t n) const { return recipients_.empty() ? std::string_view() : recipients_[n]; }
  const queue::Content& content() const { return content_; }
  std::uint64_t size() const { return content_.header->size() + content_.message->body_size; }
  void end_header() { put_on(*content_.header + "\r\n"); }  // with the empty line that the body does not begin with
  bool ascii_senders() const;                               // or they have an ASCII form (wire_address)
  bool is_null() const { return senders_.empty() && sender_.empty(); }

  bool from_unread() const { return from_unread_; }            // a From that was replaced as a whole
  bool breaks_signature() const { return breaks_signature_; }  // of somebody else
  bool is_wrapped() const { return wrapped_; }

 private:
  void put_on(rewrite::RewrittenHeader header);
  void put_on(std::string header);
  void apply(const rewrite::Outgoing& rules);

  queue::Content content_;
  std::string sender_;                   // of all recipients
  std::vector<std::string> senders_;     // of each in the envelope, where they differ
  std::vector<std::string> recipients_;  // of each, where a rule changes some
  bool from_unread_ = false, breaks_signature_ = false, wrapped_ = false;
};

}  // namespace sidegate::deliver
