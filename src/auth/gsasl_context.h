#pragma once

#include <gsasl.h>

namespace sidegate::auth {

// One a process, made on first use and only read afterwards, so that all threads share it. nullptr: no memory.
Gsasl* shared_context();

}  // namespace sidegate::auth
