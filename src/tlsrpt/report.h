// A day of a domain as JSON, in the words of a report (RFC 8460 section 4.4). Pure.
#pragma once

#include <string>

#include "tlsrpt/counters.h"

namespace sidegate::tlsrpt {

// {"date":..,"domain":..,"policies":[{"policy":{..},"summary":{..},"failure-details":[..]}]}: `policies` is what a
// report has under that name.
std::string json(const Day& day);

}  // namespace sidegate::tlsrpt
