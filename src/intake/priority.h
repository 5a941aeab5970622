// Which mail goes first: a machine's alarms before people's mail, mass mail after it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "intake/user_rules.h"
#include "queue/records.h"

namespace sidegate::intake {

// local_uid: of the Unix user who submitted it here, as the kernel says; nobody else can make mail an alarm.
queue::Priority priority_of(std::string_view header, PriorityRule rule, std::optional<unsigned> local_uid);

}  // namespace sidegate::intake
