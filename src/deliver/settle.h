// From verdicts to what is written: recipients' rows, the classes' next due times, what is reported to whom. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "deliver/outcome.h"
#include "dsn/report.h"
#include "queue/scheduler.h"
#include "queue/settings.h"
#include "queue/store.h"
#include "route/ways.h"

namespace sidegate::deliver {

// One recipient of a lease.
struct Target {
  std::uint32_t n = 0;  // index in the envelope
  queue::ClassId class_id = 0;
  queue::RecipientRow row;  // as it was before
  Verdict verdict;
  smtp::Phase phase = smtp::Phase::kConnect;
  std::string reply;     // the peer's words, or ours
  bool by_peer = false;  // reply is the peer's
};

struct Circumstances {
  const queue::Message* message = nullptr;
  const queue::Lease* lease = nullptr;
  const queue::ScheduleSettings* schedule = nullptr;
  const route::Table* routes = nullptr;
  std::optional<queue::WayId> way_id = {};  // as the table knows it; the lease's own where it is no family's member
  WallTime now{};
  WallTime arrived{};  // of the message, on the same scale (Scheduler::arrived)
  double random = 0;
  bool others_ended = true;    // no recipient outside this lease is pending
  bool is_final = false;       // the recipient's mailbox is where it was brought to
  bool relay_reports = false;  // the relay took our DSN parameters: success is its to report
  bool blame_way_only =
      true;                // a trouble of the way on a connection that worked: the lease goes back at once, unchanged
  std::string postmaster;  // of the settings
  std::string way, host, address;  // "isp", "smtp.isp.example", "192.0.2.1:587"
  std::string tls;                 // Connection::how
};

// What a report says about one target.
struct Reported {
  std::size_t target = 0;
  dsn::Action action = dsn::Action::kFailed;
};

// One report to one address: the reverse-path, what takes its place for a recipient, or the postmaster.
struct PlannedReport {
  std::string to;
  std::vector<Reported> about;
  bool returns_whole = false;  // the report is all that remains of the message: return it as a whole
};

struct Settled {
  queue::Outcome outcome;  // but for the reports
  std::vector<queue::ClassResult> results;
  std::vector<PlannedReport> reports;  // usually one at most
  std::vector<std::uint32_t> held;     // recipients whose failure can be told to nobody: they stay, held
  bool ask_again = false;              // others were pending when last seen: look again after the commit
  bool changes = false;                // the outcome says something: it must be written
};

// Targets' verdicts are brought to what they came to (next way or not, expired or not) on the way.
Settled settle(const Circumstances& c, std::span<Target> targets);

}  // namespace sidegate::deliver
