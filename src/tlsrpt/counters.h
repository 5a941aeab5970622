// Sessions by UTC day and domain (RFC 8460 section 4). Every domain is counted, whether or not it asks for reports (a
// record at _smtp._tls): who begins to ask gets a whole day, and nobody is asked at a delivery.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace sidegate::tlsrpt {

enum class PolicyType : std::uint8_t { kNoPolicyFound, kTlsa, kSts };
const char* name(PolicyType type);  // "no-policy-found": RFC 8460 section 4.4

// RFC 8460 section 4.3.
enum class ResultType : std::uint8_t {
  kStartTlsNotSupported,
  kCertificateHostMismatch,
  kCertificateExpired,
  kCertificateNotTrusted,
  kValidationFailure,
  kTlsaInvalid,
  kDnssecInvalid,
  kDaneRequired,
  kStsPolicyFetchError,
  kStsPolicyInvalid,
  kStsWebpkiInvalid,
};
inline constexpr std::uint8_t kResultTypes = 11;
const char* name(ResultType type);  // "starttls-not-supported"

// What held for a session, as it is told to the domain.
struct Policy {
  PolicyType type = PolicyType::kNoPolicyFound;
  std::vector<std::string> text;  // of kSts the lines of the policy, of kTlsa the records
  std::vector<std::string> mx;    // of kSts its patterns, of kTlsa the host
  bool operator==(const Policy&) const = default;
};

struct Session {
  std::string domain;  // whose mail it is
  Policy policy;
  std::optional<ResultType> failure;                             // none: it was as it had to be
  std::string sending_address = {}, mx_host = {}, address = {};  // ours, the name in the MX record, theirs
  std::string reason = {};                                       // of a failure, in words
};

struct Failure {
  ResultType type = ResultType::kValidationFailure;
  std::string sending_address, mx_host, address, reason;
  std::uint64_t sessions = 0;
};

struct PolicyCount {
  Policy policy;
  std::uint64_t good = 0, bad = 0;
  std::vector<Failure> failures;   // at most kMostFailures
  std::uint64_t not_detailed = 0;  // of bad: those for which there was no room among them
};

struct Day {           // of one domain
  std::string date;    // "2026-11-22", UTC
  std::string domain;  // lower case
  std::vector<PolicyCount> policies;
};

inline constexpr std::size_t kMostDomains = 2000;  // a day; further ones are not counted
inline constexpr std::size_t kMostPolicies = 4;    // a domain and day
inline constexpr std::size_t kMostFailures = 50;   // a policy
inline constexpr std::size_t kMostLines = 100;     // of a policy's text
inline constexpr int kDaysKept = 8;                // today's among them: reports go out on the day after

std::string date_of(WallTime at);

class Counters {  // thread-safe
 public:
  void note(const Session& session, WallTime now);
  // What has changed since the last call: keys "2026-11-22/example.org" and rows to write; empty rows to remove.
  std::vector<std::pair<std::string, std::string>> take_changes();
  void forget_old(WallTime now);
  // A row as it was written. False: it cannot be read, or its day is long over; it can go.
  bool restore(std::string_view key, std::string_view row, WallTime now);
  std::vector<Day> days(std::string_view domain = {}) const;  // in order of date and domain; empty: all
  std::uint64_t not_counted() const;                          // sessions of domains for which there was no room

 private:
  using Key = std::pair<std::string, std::string>;  // date, domain
  mutable std::mutex mutex_;
  std::map<Key, Day> days_;
  std::set<Key> changed_;
  std::map<std::string, std::size_t> domains_;  // of each date
  std::uint64_t not_counted_ = 0;
};

}  // namespace sidegate::tlsrpt
