// What a relay's probe comes to, in one line: of `relay test` for each of its hosts and ports.
#pragma once

#include <vector>

#include "deliver/probe.h"
#include "doctor/finding.h"

namespace sidegate::cli {

// steps: as deliver::probe told them; good: its result. Pure. Where several servers were tried, the one that answers is
// named; those before it that do not are worth a note, as mail goes all the same.
doctor::Finding judge_relay(const deliver::RelaySettings& relay, const std::vector<deliver::ProbeStep>& steps,
                            bool good);

}  // namespace sidegate::cli
