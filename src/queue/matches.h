// Does a message pass a filter of `queue list`? Pure.
#pragma once

#include "queue/store.h"

namespace sidegate::queue {

bool matches(const Filter& filter, const Message& message);

// wanted: part of an address, case ignored; "@domain" matches its end; "<>", as lists show it, is the null sender.
bool address_matches(std::string_view address, std::string_view wanted);

}  // namespace sidegate::queue
