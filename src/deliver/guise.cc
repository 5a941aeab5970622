#include "deliver/guise.h"

#include <algorithm>

#include "base/text.h"
#include "deliver/parameters.h"
#include "rewrite/address_fields.h"
#include "rewrite/address_list.h"

namespace sidegate::deliver {
namespace {

bool as_account(const RelaySettings& way) {
  return way.identity == Identity::kAccount && !way.address.empty();
}

// Some rule looks at From.
bool has_identity(const RelaySettings& way) {
  return way.identity != Identity::kKeep && !way.address.empty();
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

const rewrite::Outgoing* rules_of(const RelaySettings& way, const DeliverSettings& settings) {
  if (!leads_out(way.protocol)) return nullptr;  // what ends here has its addresses
  const rewrite::Outgoing* rules = way.rewrite ? way.rewrite.get() : settings.rewrite.get();
  return rules && !rules->empty() ? rules : nullptr;
}

bool rewrites_headers(const DeliverSettings& settings) {
  if (settings.rewrite && !settings.rewrite->empty()) return true;
  return std::ranges::any_of(settings.relays, [&](const RelaySettings& way) {
    return rules_of(way, settings) != nullptr || has_identity(way) ||
           way.on_sender_refused == OnSenderRefused::kAccount;
  });
}

bool may_send_as(const RelaySettings& way, std::string_view address) {
  if (!has_identity(way) || rewrite::same_address(address, way.address)) return true;
  return way.identity == Identity::kAllowed && rewrite::is_listed(address, way.allowed);
}

const std::string& return_address(const mail::Envelope& envelope, const mail::Recipient& recipient) {
  bool own = !envelope.reverse_path.empty() && !recipient.return_path.empty();
  return own ? recipient.return_path : envelope.reverse_path;
}

std::string sender_for(const RelaySettings& way, const DeliverSettings& settings, const mail::Envelope& envelope,
                       const mail::Recipient& recipient, WallTime now) {
  std::string sender = return_address(envelope, recipient);
  if (sender.empty()) return sender;
  // The account's address first: a way with this rule takes no other, a forwarded message's neither.
  if (as_account(way)) return way.address;
  if (const rewrite::Outgoing* rules = rules_of(way, settings)) sender = rules->apply(sender, rewrite::kEnvelopeSender);
  // An owner- address is ours: what it leads back to needs no rewriting.
  bool foreign = recipient.forwarded && recipient.return_path.empty();
  if (foreign) sender = forwarded_sender(way, settings, sender, now);
  return may_send_as(way, sender) ? sender : way.address;
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
  const rewrite::Outgoing* rules = rules_of(way, settings);
  if (as_account(way) || std::ranges::all_of(envelope.recipients, usual)) {
    const bool as_is = (!rules && !has_identity(way)) || envelope.recipients.empty();
    sender_ = as_is ? envelope.reverse_path : sender_for(way, settings, envelope, envelope.recipients[0], now);
  } else {
    for (const mail::Recipient& recipient : envelope.recipients)
      senders_.push_back(sender_for(way, settings, envelope, recipient, now));
  }
  if (rules) apply(*rules);
  if (has_identity(way)) {
    rewrite::Account account{way.address, settings.hostname, {}};
    if (way.identity == Identity::kAllowed) account.allowed = way.allowed;
    put_on(rewrite::as_account(*content_.header, envelope.reverse_path, account));
  }
  if (content_.header != content.header)
    breaks_signature_ = rewrite::breaks_signature(*content.header, *content_.header);
}

void Guise::apply(const rewrite::Outgoing& rules) {
  const auto& recipients = content_.message->envelope.recipients;
  for (std::size_t n = 0; n < recipients.size(); ++n) {
    std::string made = rules.apply(recipients[n].address, rewrite::kEnvelopeRecipient);
    if (made == recipients[n].address) continue;
    recipients_.resize(recipients.size());
    recipients_[n] = std::move(made);
  }
  if (auto header = rules.header(*content_.header)) put_on(std::move(*header));
}

Guise Guise::of_account(const queue::Content& content, const RelaySettings& way, const DeliverSettings& settings,
                        WallTime now) {
  RelaySettings strict = way;
  strict.identity = Identity::kAccount;
  return Guise(content, strict, settings, now);
}

Guise Guise::wrapped(const queue::Content& content, const rewrite::Account& account) {
  Guise guise;
  guise.content_ = content;
  guise.sender_ = account.address;
  guise.wrapped_ = true;
  guise.put_on(rewrite::as_wrapped_report(*content.header, account));
  guise.breaks_signature_ = rewrite::breaks_signature(*content.header, *guise.content_.header);
  return guise;
}

void Guise::put_on(rewrite::RewrittenHeader header) {
  if (!header.changed) return;
  from_unread_ = header.unread;
  put_on(std::move(header.header));
}

void Guise::put_on(std::string header) {
  content_.header = std::make_shared<const std::string>(std::move(header));
}

bool Guise::ascii_senders() const {
  auto ascii = [](const std::string& sender) { return is_ascii(wire_address(sender, false)); };
  return ascii(sender_) && std::ranges::all_of(senders_, ascii);
}

}  // namespace sidegate::deliver
