// A report: a multipart/report (RFC 6522) of three parts: for people, for programs, and what comes back of the message.
#include "dsn/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "dsn/encode.h"
#include "dsn/status_part.h"
#include "dsn/text_part.h"
#include "mail/header.h"

namespace sidegate::dsn {
namespace {

constexpr std::size_t kMaxReturnedHeader = 64 * 1024;  // of the original, where its body is not returned
constexpr std::size_t kLongestLine = 998;              // RFC 5321 section 4.5.3.1.6

struct Part {
  std::string type;  // the value of Content-Type
  std::string description;
  std::string encoding;  // empty: 7bit
  std::string content;
};

// RFC 6533: a report needs SMTPUTF8 where one of its addresses does.
bool needs_utf8(const Report& report) {
  const auto high = [](const RecipientReport& r) {
    return !is_ascii(r.recipient.address) || !is_ascii(r.recipient.orcpt);
  };
  return !is_ascii(report.envelope->reverse_path) || std::ranges::any_of(report.recipients, high);
}

std::string eight_bit_if(bool needed) {
  return needed ? "8bit" : "";
}

Part people_part(const Report& report) {
  Part part{.type = "text/plain; charset=us-ascii",
            .description = "Notification",
            .encoding = "",
            .content = text_part(report)};
  const auto fits = [](std::string_view line) { return line.size() <= kLongestLine; };
  if (is_ascii(part.content) && std::ranges::all_of(split(part.content, '\n'), fits)) return part;
  // Seven bits whatever a server said: the report travels where 8BITMIME is not offered.
  part.type = "text/plain; charset=utf-8";
  part.encoding = "quoted-printable";
  part.content = quoted_printable(part.content);
  return part;
}

Part program_part(const Report& report, bool utf8) {
  std::string content = status_part(report, utf8);
  return {.type = utf8 ? "message/global-delivery-status" : "message/delivery-status",
          .description = "Delivery report",
          .encoding = eight_bit_if(!is_ascii(content)),
          .content = std::move(content)};
}

// At most kMaxReturnedHeader octets of the block, cut between fields.
std::string_view bounded_header(std::string_view block) {
  if (block.size() <= kMaxReturnedHeader) return block;
  std::size_t end = block.rfind("\r\n", kMaxReturnedHeader - 2);
  while (end != block.npos && (block[end + 2] == ' ' || block[end + 2] == '\t')) {  // within a folded field
    end = end == 0 ? block.npos : block.rfind("\r\n", end - 1);
  }
  return end == block.npos ? std::string_view{} : block.substr(0, end + 2);
}

// RFC 3461 section 4.3: RET=FULL counts for failures alone; other reports return the header.
bool returns_body(const Report& report) {
  const auto failed = [](const RecipientReport& r) { return r.action == Action::kFailed; };
  return report.return_full && std::ranges::any_of(report.recipients, failed);
}

Part returned_part(const Report& report) {
  const bool global = report.envelope->smtputf8 && !is_ascii(report.original_header);  // RFC 6533 section 6
  if (!returns_body(report)) {
    const std::string_view header = bounded_header(report.original_header);
    return {.type = global ? "message/global-headers" : "text/rfc822-headers",
            .description = "Header of the message",
            .encoding = eight_bit_if(!is_ascii(header)),
            .content = std::string(header)};
  }
  std::string content(report.original_header);
  content += report.original_body.empty() ? std::string_view("\r\n") : report.original_body;
  return {.type = global ? "message/global" : "message/rfc822",
          .description = "The message",
          .encoding = eight_bit_if(!is_ascii(content)),
          .content = std::move(content)};
}

// A boundary that no part contains, whatever the original holds (RFC 2046 section 5.1.1).
std::string boundary_for(const Report& report, const std::vector<Part>& parts) {
  for (unsigned n = 1;; ++n) {
    std::string boundary = fmt::format("=_{}.{}", report.id ? report.id.text() : report.original_id.text(), n);
    const auto holds = [&](const Part& part) { return part.content.find("--" + boundary) != part.content.npos; };
    if (std::ranges::none_of(parts, holds)) return boundary;
  }
}

std::string assemble(const std::vector<Part>& parts, const std::string& boundary) {
  std::string body = "\r\nThis is a delivery report in MIME format (RFC 3464).\r\n";
  for (const Part& part : parts) {
    body += fmt::format("\r\n--{}\r\n", boundary);
    body += field("Content-Type", part.type);
    body += field("Content-Description", part.description);
    if (!part.encoding.empty()) body += field("Content-Transfer-Encoding", part.encoding);
    body += "\r\n";
    body += part.content;
  }
  return body + fmt::format("\r\n--{}--\r\n", boundary);
}

// The original's Message-ID, where it is one: the report then stands beside the message in a mail program.
std::string reply_fields(std::string_view original_header) {
  const std::string id = mail::field_value(original_header, "Message-ID");
  const auto plain = [](char c) { return c > 0x20 && c < 0x7f; };
  if (id.size() < 3 || id.size() > 250 || id.front() != '<' || id.back() != '>' || !std::ranges::all_of(id, plain))
    return {};
  return field("In-Reply-To", id) + field("References", id);
}

std::string header_block(const Report& report, const std::string& boundary, bool eight_bit) {
  const std::string host = clean(report.reporting_host, false, 300);
  const QueueId id = report.id ? report.id : report.original_id;
  std::string out = field("Date", mail::rfc5322_date(report.now));
  out += field("From", fmt::format("Mail Delivery System <MAILER-DAEMON@{}>", host));
  out += field("To", fmt::format("<{}>", clean(report.envelope->reverse_path, true)));
  out += field("Subject", subject(report));
  out += field("Message-ID", fmt::format("<{}.report@{}>", id.text(), host));
  out += reply_fields(report.original_header);
  out += field("Auto-Submitted", "auto-replied");  // RFC 3834 section 5
  out += field("MIME-Version", "1.0");
  out += field("Content-Type", fmt::format("multipart/report; report-type=delivery-status; boundary=\"{}\"", boundary));
  if (eight_bit) out += field("Content-Transfer-Encoding", "8bit");
  return out;
}

}  // namespace

Made make_report(const Report& report) {
  const bool utf8 = needs_utf8(report);
  const std::vector<Part> parts{people_part(report), program_part(report, utf8), returned_part(report)};
  const std::string boundary = boundary_for(report, parts);
  const bool eight_bit = std::ranges::any_of(parts, [](const Part& part) { return part.encoding == "8bit"; });
  return {.header = header_block(report, boundary, eight_bit), .body = assemble(parts, boundary), .smtputf8 = utf8};
}

bool wants(const mail::Notify& notify, Action action) {
  if (notify.never) return false;  // RFC 3461 section 4.1: NEVER stands alone
  switch (action) {
    case Action::kFailed:
      return !notify.specified() || notify.failure;
    // RFC 3461 section 4.1: without NOTIFY a report of delay is our choice: we send it.
    case Action::kDelayed:
      return !notify.specified() || notify.delay;
    // RFC 3461 sections 5.2.2 to 5.2.7: what tells of success is sent only where success was asked for.
    case Action::kDelivered:
    case Action::kRelayed:
    case Action::kExpanded:
      return notify.success;
  }
  return false;
}

}  // namespace sidegate::dsn
