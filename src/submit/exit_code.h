// What a server's refusal is as an exit code of sysexits(3). Pure.
#pragma once

#include "mail/reply.h"

namespace sidegate::submit {

int exit_code_of(const mail::Reply& reply);

}  // namespace sidegate::submit
