// Looks at the machine itself: everything here is quick, and asks nobody outside.
#pragma once

#include <string>
#include <vector>

#include "doctor/judge_machine.h"

namespace sidegate::doctor {

DiskSeen look_at_disk(const std::string& path, std::uint64_t least);
ClockSeen look_at_clock(WallTime now);
CertificateSeen look_at_certificate(const tls::Identity& identity, const std::string& hostname, WallTime now);

// Who /usr/sbin/sendmail is, and whether our own program is installed. `root` stands before the paths, for tests.
OtherMta look_at_sendmail(const std::string& root = {});
// The program that listens there, from /proc, as far as we may look: "master (1234)"; empty: not known.
std::string program_on_port(std::uint16_t port);

}  // namespace sidegate::doctor
