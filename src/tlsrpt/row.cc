#include "tlsrpt/row.h"

#include "base/octets.h"

namespace sidegate::tlsrpt {
namespace {

constexpr std::uint64_t kVersion = 1;

void put(OctetWriter& write, const std::vector<std::string>& list) {
  write.number(list.size());
  for (const std::string& one : list) write.string(one);
}

bool take(OctetReader& read, std::vector<std::string>& list) {
  const std::size_t count = read.count();
  if (count > kMostLines) return false;
  for (std::size_t i = 0; i < count && read.ok(); ++i) list.push_back(read.string());
  return read.ok();
}

void put(OctetWriter& write, const Failure& failure) {
  write.number(static_cast<std::uint64_t>(failure.type));
  write.string(failure.sending_address);
  write.string(failure.mx_host);
  write.string(failure.address);
  write.string(failure.reason);
  write.number(failure.sessions);
}

bool take(OctetReader& read, Failure& failure) {
  const std::uint64_t type = read.number();
  if (type >= kResultTypes) return false;
  failure.type = static_cast<ResultType>(type);
  failure.sending_address = read.string();
  failure.mx_host = read.string();
  failure.address = read.string();
  failure.reason = read.string();
  failure.sessions = read.number();
  return read.ok();
}

bool take(OctetReader& read, PolicyCount& count) {
  const std::uint64_t type = read.number();
  if (type > static_cast<std::uint64_t>(PolicyType::kSts)) return false;
  count.policy.type = static_cast<PolicyType>(type);
  if (!take(read, count.policy.text) || !take(read, count.policy.mx)) return false;
  count.good = read.number();
  count.bad = read.number();
  count.not_detailed = read.number();
  const std::size_t failures = read.count();
  if (failures > kMostFailures) return false;
  for (std::size_t i = 0; i < failures; ++i) {
    if (!take(read, count.failures.emplace_back())) return false;
  }
  return read.ok();
}

}  // namespace

std::string encode(const Day& day) {
  std::string out;
  OctetWriter write(out);
  write.number(kVersion);
  write.number(day.policies.size());
  for (const PolicyCount& one : day.policies) {
    write.number(static_cast<std::uint64_t>(one.policy.type));
    put(write, one.policy.text);
    put(write, one.policy.mx);
    write.number(one.good);
    write.number(one.bad);
    write.number(one.not_detailed);
    write.number(one.failures.size());
    for (const Failure& failure : one.failures) put(write, failure);
  }
  return out;
}

std::optional<Day> decode(std::string_view row) {
  OctetReader read(row);
  if (read.number() != kVersion) return std::nullopt;
  const std::size_t count = read.count();
  if (count > kMostPolicies) return std::nullopt;
  Day day;
  for (std::size_t i = 0; i < count; ++i) {
    if (!take(read, day.policies.emplace_back())) return std::nullopt;
  }
  if (!read.done()) return std::nullopt;
  return day;
}

}  // namespace sidegate::tlsrpt
