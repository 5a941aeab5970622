#include "deliver/probe_message.h"

#include "base/text.h"
#include "mail/header.h"

namespace sidegate::deliver {

std::string test_message_text(const TestMessageWords& words) {
  return fmt::format(
      "Date: {}\r\n"
      "From: <{}>\r\n"
      "To: <{}>\r\n"
      "Message-ID: <{}@{}>\r\n"
      "Subject: Sidegate relay test\r\n"
      "Auto-Submitted: auto-generated\r\n"
      "MIME-Version: 1.0\r\n"
      "Content-Type: text/plain; charset=us-ascii\r\n"
      "\r\n"
      "This is the test message that was asked for with\r\n"
      "sidegate relay test --send-to, on {}.\r\n"
      "It left by {}; that you read it shows that mail arrives this way.\r\n",
      mail::rfc5322_date(words.at), words.from, words.to, words.id, words.hostname, words.hostname, words.relay);
}

}  // namespace sidegate::deliver
