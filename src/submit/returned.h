// The report of what the server refused for good, to whoever sent it (-oem): RFC 3464. Pure but for its Message-ID.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mail/envelope.h"
#include "mail/reply.h"
#include "submit/message.h"

namespace sidegate::submit {

struct Refused {
  mail::Recipient recipient;
  mail::Reply reply;
};

// host: the server's name. envelope: of the message; its reverse-path is not empty.
Message returned_message(const std::vector<Refused>& refused, const mail::Envelope& envelope, const Message& message,
                         const std::string& host);

}  // namespace sidegate::submit
