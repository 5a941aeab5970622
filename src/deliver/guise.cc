#include "deliver/guise.h"

#include <algorithm>

#include "base/text.h"

namespace sidegate::deliver {
namespace {

bool as_account(const RelaySettings& way) {
  return way.identity == Identity::kAccount && !way.address.empty();
}

std::string forwarded_sender(const RelaySettings& way, const DeliverSettings& settings, const std::string& sender,
                             WallTime now) {
  switch (settings.forward_sender) {
    case ForwardSender::kKeep:
      return sender;
    case ForwardSender::kAccount:
      if (!way.address.empty()) return way.address;
      break;  // a relay without an account of its own: a sender of our domain is the next best
    case ForwardSender::kSrs:
      break;
  }
  return rewrite::srs_forward(settings.srs, sender, now);
}

bool usual(const mail::Recipient& recipient) {
  return recipient.return_path.empty() && !recipient.forwarded;
}

}  // namespace

const std::string& return_address(const mail::Envelope& envelope, const mail::Recipient& recipient) {
  bool own = !envelope.reverse_path.empty() && !recipient.return_path.empty();
  return own ? recipient.return_path : envelope.reverse_path;
}

std::string sender_for(const RelaySettings& way, const DeliverSettings& settings, const mail::Envelope& envelope,
                       const mail::Recipient& recipient, WallTime now) {
  const std::string& sender = return_address(envelope, recipient);
  if (sender.empty()) return sender;
  // The account's address first: a way with this rule takes no other, a forwarded message's neither.
  if (as_account(way)) return way.address;
  // An owner- address is ours: what it leads back to needs no rewriting.
  bool foreign = recipient.forwarded && recipient.return_path.empty();
  return foreign ? forwarded_sender(way, settings, sender, now) : sender;
}

rewrite::Account reporter(const RelaySettings& way, const DeliverSettings& settings) {
  std::string address = way.address;
  if (address.empty()) address = settings.postmaster;
  if (address.empty()) address = "postmaster@" + settings.hostname;
  return {std::move(address), settings.hostname};
}

Guise::Guise(const queue::Content& content, const RelaySettings& way, const DeliverSettings& settings, WallTime now)
    : content_(content) {
  const mail::Envelope& envelope = content_.message->envelope;
  bool account = as_account(way);
  if (account || std::ranges::all_of(envelope.recipients, usual)) {
    bool replaced = account && !envelope.reverse_path.empty();
    sender_ = replaced ? way.address : envelope.reverse_path;
  } else {
    for (const mail::Recipient& recipient : envelope.recipients)
      senders_.push_back(sender_for(way, settings, envelope, recipient, now));
  }
  if (account) put_on(rewrite::as_account(*content_.header, envelope.reverse_path, {way.address, settings.hostname}));
}

Guise Guise::wrapped(const queue::Content& content, const rewrite::Account& account) {
  Guise guise;
  guise.content_ = content;
  guise.sender_ = account.address;
  guise.wrapped_ = true;
  guise.put_on(rewrite::as_wrapped_report(*content.header, account));
  return guise;
}

void Guise::put_on(rewrite::RewrittenHeader header) {
  if (!header.changed) return;
  from_unread_ = header.unread;
  breaks_signature_ = header.breaks_signature;
  content_.header = std::make_shared<const std::string>(std::move(header.header));
}

bool Guise::ascii_senders() const {
  return is_ascii(sender_) && std::ranges::all_of(senders_, [](const std::string& sender) { return is_ascii(sender); });
}

}  // namespace sidegate::deliver
