// The addresses of this machine, from the system.
#pragma once

#include "doctor/vantage.h"

namespace sidegate::doctor {

// Those of interfaces that are up; none where the system does not say.
std::vector<Interface> own_interfaces();

}  // namespace sidegate::doctor
