// What was seen of the machine itself: disk, clock, certificates, queue, and who else wants to be its mail server.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "doctor/finding.h"
#include "tls/context.h"

namespace sidegate::doctor {

struct DiskSeen {
  std::string path;
  Result<std::uint64_t> free_octets;
  std::uint64_t least = 0;  // below it new mail is refused
};
Finding judge_disk(const DiskSeen& seen);

struct ClockSeen {
  WallTime now;
  std::optional<bool> synchronised;  // by the kernel; absent: it does not say
  std::int64_t error_seconds = 0;    // how far off it may be, as the kernel knows
};
Finding judge_clock(const ClockSeen& seen);

struct QueueSeen {
  bool known = false;
  bool running = false;  // the server answers
  std::string why = {};  // where it is not known
  std::uint64_t messages = 0;
  std::optional<std::int64_t> oldest_seconds = {};
  std::string oldest_id = {}, oldest_reason = {};
  std::int64_t lifetime_seconds = 0;
};
Finding judge_queue(const QueueSeen& seen);

struct CertificateSeen {
  std::string file;
  Result<std::vector<tls::CertificateFacts>> facts;
  std::vector<int> days_left;  // one for each of them
  Status verified;             // by the system's CAs, for the hostname
};
Findings judge_certificates(const std::vector<CertificateSeen>& seen, const std::string& hostname);

struct OtherMta {
  std::string sendmail = {};  // what /usr/sbin/sendmail is, links followed; empty: there is none
  bool sendmail_is_ours = false;
  bool installed = false;  // we are installed where a system's mail server is
  struct Held {
    std::string port;     // "127.0.0.1:25"
    std::string program;  // "master (1234)"; empty: not known
  };
  std::vector<Held> held = {};  // ports of our listeners that somebody else holds
};
Findings judge_other_mta(const OtherMta& seen);

}  // namespace sidegate::doctor
