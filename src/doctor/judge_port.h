// What was seen at a port, as findings. Pure.
#pragma once

#include "doctor/finding.h"
#include "doctor/port_seen.h"

namespace sidegate::doctor {

Findings judge(const PortSeen& seen);

// The parts of it, in the order in which they are told. Each adds what it has found.
void judge_dialogue(const PortSeen& seen, Findings& out);    // reached, greeted; VRFY, EXPN, ETRN
void judge_tls(const PortSeen& seen, Findings& out);         // offered, versions, certificate, STARTTLS
void judge_login(const PortSeen& seen, Findings& out);       // AUTH where it belongs, and nothing without it
void judge_recipients(const PortSeen& seen, Findings& out);  // 25 takes local recipients
void judge_relaying(const PortSeen& seen, Findings& out);    // the tricks

}  // namespace sidegate::doctor
