#include "quota/row.h"

#include <algorithm>

namespace sidegate::quota {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kStopped = 1, kByItself = 2, kTold = 4, kSent = 8, kProgram = 16;  // flags
constexpr std::int64_t kLongest = std::int64_t{400} * 24 * 3600 * 1000;                   // more is as much

std::uint64_t number_of(WallTime at) {
  return static_cast<std::uint64_t>(at.time_since_epoch().count());
}
WallTime time_of(std::uint64_t number) {
  return WallTime(Duration(static_cast<std::int64_t>(number)));
}

std::uint8_t flags_of(const Row& row) {
  const unsigned program = row.program ? kProgram : 0;
  if (!row.stop) return static_cast<std::uint8_t>(program);
  return static_cast<std::uint8_t>(program | kStopped | (row.stop->by_itself ? kByItself : 0) |
                                   (row.stop->told ? kTold : 0) | (row.stop->sent != 0 ? kSent : 0));
}

}  // namespace

std::string encode(const Row& row, SteadyTime now, WallTime wall) {
  std::string text;
  OctetWriter out(text);
  out.octet(kVersion);
  out.fixed64(number_of(wall));
  out.fixed64(number_of(row.last_used));
  row.counters.encode(out, now);
  row.usual.encode(out, now);
  out.octet(flags_of(row));
  if (!row.stop) return text;
  out.fixed64(number_of(row.stop->since));
  out.string(row.stop->reason);
  if (row.stop->sent != 0) out.number(row.stop->sent);
  return text;
}

Result<Row> decode(std::string_view text, std::span<const Kind> plan, SteadyTime now, WallTime wall) {
  const auto malformed = [] { return fail(ErrorKind::kStorage, "unreadable quota row"); };
  OctetReader in(text);
  if (in.octet() != kVersion) return malformed();
  Row row(plan);
  const std::uint64_t written = in.fixed64();
  const std::int64_t read_at = wall.time_since_epoch().count(), written_at = static_cast<std::int64_t>(written);
  const std::int64_t away = read_at <= written_at ? 0
                            : written_at < 0      ? kLongest
                                                  : std::min(read_at - written_at, kLongest);
  row.last_used = time_of(in.fixed64());
  if (!row.counters.decode(in, now, Duration(away))) return malformed();
  row.usual = Usual::decode(in, now, Duration(away));
  const std::uint8_t flags = in.octet();
  row.program = flags & kProgram;
  if (flags & kStopped) {
    Stop stop;
    stop.since = time_of(in.fixed64());
    stop.by_itself = flags & kByItself;
    stop.told = flags & kTold;
    stop.reason = in.string();
    if (flags & kSent) stop.sent = in.number();
    row.stop = std::move(stop);
  }
  if (!in.done() || flags != flags_of(row)) return malformed();
  return row;
}

}  // namespace sidegate::quota
