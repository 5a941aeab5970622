#include "intake/own_fields.h"

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
  if (!mail::has_field(header, "Date")) fields += "Date: " + mail::rfc5322_date(now) + "\r\n";
  if (!mail::has_field(header, "Message-ID")) fields += "Message-ID: " + mail::message_id(id, hostname) + "\r\n";
  return fields;
}

}  // namespace sidegate::intake
