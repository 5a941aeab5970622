// A message of the server's own to a person, from the null reverse-path, through the same intake as everything else.
#pragma once

#include <memory>
#include <string>

#include "intake/context.h"
#include "intake/policy.h"

namespace sidegate::intake {

struct Notice {
  std::string to;       // "postmaster@gate.example"
  std::string subject;  // ASCII
  std::string text;     // lines that end with CR LF
};

// Durable when it is well. kNotFound: nobody takes it there; anything else may go better later.
net::Awaitable<Status> post_notice(IntakeContext& context, std::shared_ptr<const ListenerPolicy> policy, unsigned loop,
                                   Notice notice);

// What the postmaster reads of a user whom the server has suspended.
Notice suspension_notice(std::string to, const std::string& user, const quota::Stop& stop, const std::string& host);

}  // namespace sidegate::intake
