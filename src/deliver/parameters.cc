#include "deliver/parameters.h"

#include <algorithm>

#include "base/text.h"
#include "mail/idna.h"

namespace sidegate::deliver {
namespace {

bool offers_size(const smtp::Capabilities& offered) {
  if (offered.size) return true;  // a number; "SIZE" and "SIZE 0" take the parameter too (RFC 1870 section 5)
  return std::ranges::any_of(offered.raw, [](const std::string& line) {
    return istarts_with(line, "SIZE") && (line.size() == 4 || line[4] == ' ');
  });
}

// What cannot be sent without SMTPUTF8: a local part, a header.
bool has_no_ascii_form(const queue::Message& message, bool sender_utf8) {
  const mail::Envelope& envelope = message.envelope;
  if (sender_utf8 || (envelope.smtputf8 && message.eight_bit_header)) return true;
  return std::ranges::any_of(envelope.recipients, [](const mail::Recipient& recipient) {
    return !is_ascii(wire_address(recipient.address, false));
  });
}

}  // namespace

bool needs_smtputf8(const queue::Message& message, bool sender_utf8) {
  const mail::Envelope& envelope = message.envelope;
  if (sender_utf8) return true;
  for (const mail::Recipient& recipient : envelope.recipients) {
    if (!is_ascii(recipient.address)) return true;
  }
  // Raw octets in a header without the client asking for SMTPUTF8 (RFC 6531) are old local habits: they pass as they
  // are.
  return envelope.smtputf8 && message.eight_bit_header;
}

std::string wire_address(std::string_view address, bool smtputf8) {
  const std::size_t at = address.rfind('@');
  if (smtputf8 || is_ascii(address) || at == std::string_view::npos || !is_ascii(address.substr(0, at)))
    return std::string(address);
  auto domain = mail::to_ascii(address.substr(at + 1));
  return domain ? std::string(address.substr(0, at + 1)) + *domain : std::string(address);
}

bool needs_eight_bit(const queue::Message& message) {
  return message.eight_bit_body || message.envelope.body == mail::BodyType::k8bitMime;
}

std::string mail_parameters(const smtp::Capabilities& offered, const queue::Message& message, std::uint64_t size,
                            bool sender_utf8, bool proven) {
  const mail::Envelope& envelope = message.envelope;
  std::string text;
  if (offers_size(offered)) {  // RFC 1870 section 6
    text += " SIZE=";
    text += std::to_string(size);
  }
  if (offered.eight_bit && needs_eight_bit(message)) text += " BODY=8BITMIME";        // RFC 6152 section 3
  if (offered.smtputf8 && needs_smtputf8(message, sender_utf8)) text += " SMTPUTF8";  // RFC 6531 section 3.4
  if (offered.requiretls && proven && envelope.tls == mail::TlsDemand::kRequired)
    text += " REQUIRETLS";  // RFC 8689 section 4.2.1
  if (!offered.dsn) return text;
  if (envelope.ret != mail::Ret::kUnspecified) text += envelope.ret == mail::Ret::kFull ? " RET=FULL" : " RET=HDRS";
  if (!envelope.envid.empty()) text += " ENVID=" + envelope.envid;
  return text;
}

std::string rcpt_parameters(const smtp::Capabilities& offered, const mail::Recipient& recipient) {
  if (!offered.dsn) return {};
  std::string text;
  // RFC 6533 section 3: with octets beyond ASCII it may be sent with SMTPUTF8 alone.
  const bool told = !recipient.orcpt.empty() && (offered.smtputf8 || is_ascii(recipient.orcpt));
  if (recipient.notify.specified()) text += " NOTIFY=" + mail::notify_words(recipient.notify);
  if (told) text += " ORCPT=" + recipient.orcpt;
  return text;
}

std::optional<Verdict> lack(const smtp::Capabilities& offered, const RelaySettings& way, const queue::Message& message,
                            std::uint64_t size, bool sender_utf8, bool proven) {
  // RFC 8689 section 4.2.1. LMTP is the end of the way, inside the house; a report is not lost for it (section 5).
  const bool required = message.envelope.tls == mail::TlsDemand::kRequired && !message.envelope.reverse_path.empty() &&
                        leads_out(way.protocol);
  if (required && !(proven && offered.requiretls)) return verdict_requiretls_lacking(proven);
  if (!offered.smtputf8 && has_no_ascii_form(message, sender_utf8)) return verdict_smtputf8_lacking();
  if (offered.size && size > *offered.size) return verdict_size_lacking();
  bool eight_bit_lacks = !offered.eight_bit && message.eight_bit_body;
  if (eight_bit_lacks && way.eight_bit == EightBit::kBounce) return verdict_eight_bit_refused();
  return std::nullopt;
}

}  // namespace sidegate::deliver
