#include "dsn/advice.h"

namespace sidegate::dsn {
namespace {

struct Row {
  std::uint16_t subject, detail;  // RFC 3463 section 3
  std::string_view words;
};
constexpr Row kRows[] = {
    {1, 1, "Check the part of the address before the @ for mistakes, then send the message again."},
    {1, 2, "Check the part of the address after the @ for mistakes, then send the message again."},
    {1, 3, "Check how the address is written, then send the message again."},
    {1, 6, "The recipient has moved and left no new address. Ask for it by another way."},
    {1, 8, "Your own sender address was refused. Check it in your mail program's account settings."},
    {1, 10, "This domain takes no mail at all. Ask the recipient for another address."},
    {2, 1, "The recipient's mailbox is switched off. Reach the recipient by another way."},
    {2, 2, "The recipient's mailbox is full. Send the message again later, or reach the recipient by another way."},
    {2, 3, "Make the message smaller: large attachments can be sent as a link. Then send it again."},
    {3, 4, "Make the message smaller: large attachments can be sent as a link. Then send it again."},
    {4, 4,
     "Check the part of the address after the @ for mistakes. If it is right, tell the recipient that the domain "
     "cannot be reached."},
    {4, 6, "The message went round in circles between servers. Show this report to your postmaster."},
    {4, 7, "Send the message again when the recipient's server can be reached, or use another way."},
    {6, 7, "The recipient's server takes only plain ASCII addresses. Ask the recipient for one."},
    {7, 0, "A server on the way refused the message by its rules. Show this report to your postmaster."},
    {7, 1, "A server on the way refused the message by its rules. Show this report to your postmaster."},
    {7, 25, "The receiving side does not trust the sending server. Show this report to your postmaster."},
    {7, 26, "The sender could not be verified (SPF, DKIM or DMARC). Show this report to your postmaster."},
    {7, 60, "The server may not send with this sender address. Check it in your mail program's account settings."},
};

}  // namespace

std::string_view advice(Action action, const mail::EnhancedCode& status) {
  if (action == Action::kDelayed) return "You need not do anything: the message is tried again by itself.";
  if (action != Action::kFailed) return {};
  for (const Row& row : kRows) {
    if (row.subject == status.subject && row.detail == status.detail) return row.words;
  }
  return {};
}

}  // namespace sidegate::dsn
