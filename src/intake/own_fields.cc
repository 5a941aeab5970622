#include "intake/own_fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "mail/address_list.h"
#include "rewrite/address_fields.h"
#include "rewrite/address_list.h"

namespace sidegate::intake {

std::string protocol_keyword(bool esmtp, bool tls, bool authenticated, bool smtputf8) {
  if (!esmtp) return "SMTP";
  std::string keyword = smtputf8 ? "UTF8SMTP" : "ESMTP";
  if (tls) keyword += 'S';
  if (authenticated) keyword += 'A';
  return keyword;
}

std::string missing_fields(std::string_view header, WallTime now, QueueId id, std::string_view hostname) {
  std::string fields;
  const bool is_signed = mail::has_field(header, "DKIM-Signature");
  auto add = [&](std::string_view name, auto value) {
    if (mail::has_field(header, name)) return;
    std::string field = fmt::format("{}: {}\r\n", name, value());
    // RFC 6376 section 5.4.2: a signature may say of a field that there is none.
    if (!is_signed || !rewrite::breaks_signature(header, std::string(header) + field)) fields += field;
  };
  add("Date", [&] { return mail::rfc5322_date(now); });
  add("Message-ID", [&] { return mail::message_id(id, hostname); });
  return fields;
}

std::string missing_from(std::string_view header, std::string_view reverse_path, std::string_view hostname) {
  if (mail::has_field(header, "From")) return {};
  std::string field("From: ");
  if (reverse_path.empty()) {
    field.append("MAILER-DAEMON@").append(hostname);
  } else {
    field.append(reverse_path);
  }
  return field.append("\r\n");
}

namespace {

// The block without the fields that drop(name) says.
template <typename Fn>
std::string without(std::string_view header, Fn drop) {
  std::string kept;
  kept.reserve(header.size());
  std::size_t end = 0;  // of what is decided
  mail::for_each_field(header, [&](const mail::Field& field) {
    const std::size_t begin = static_cast<std::size_t>(field.name.data() - header.data());
    const std::size_t after = static_cast<std::size_t>(field.value.data() - header.data()) + field.value.size() + 2;
    kept.append(header.substr(end, begin - end));
    if (!drop(field.name)) kept.append(header.substr(begin, after - begin));
    end = std::min(after, header.size());
    return true;
  });
  return kept.append(header.substr(end));
}

bool names(std::string_view list, std::string_view identity) {
  for (const mail::ListedAddress& one : mail::parse_address_list(list)) {
    if (iequals(one.address, identity)) return true;
  }
  return false;
}

}  // namespace

std::string with_whole_addresses(std::string header, std::string_view hostname) {
  auto made = rewrite::replace_addresses(
      header, [&](std::string_view address, rewrite::FieldClass) -> std::optional<std::string> {
        if (!rewrite::domain_part(address).empty()) return std::nullopt;
        return std::string(address).append("@").append(hostname);
      });
  return made ? std::move(*made) : header;
}

std::string without_private_fields(std::string_view header) {
  return without(header, [](std::string_view name) {
    return iequals(name, "Bcc") || iequals(name, "Resent-Bcc") || iequals(name, "Return-Path");
  });
}

std::string without_field(std::string_view header, std::string_view field) {
  return without(header, [field](std::string_view name) { return iequals(name, field); });
}

std::string with_sender(std::string header, std::string_view identity) {
  if (names(mail::field_value(header, "From"), identity)) return header;
  if (names(mail::field_value(header, "Sender"), identity) && mail::count_field(header, "Sender") == 1) return header;
  std::string out = without(header, [](std::string_view name) { return iequals(name, "Sender"); });
  return out.append("Sender: ").append(identity).append("\r\n");
}

}  // namespace sidegate::intake
