// Our own failures as a peer sees them: the one place where that is decided.
#pragma once

#include "base/queue_id.h"
#include "base/result.h"
#include "mail/reply.h"

namespace sidegate::intake {

// Always 4yz: when we are confused, it is temporary. id: of the message, where it has one; causes go to the log.
mail::Reply reply_for(const Error& error, QueueId id = {});

}  // namespace sidegate::intake
