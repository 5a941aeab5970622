// Rows as they may lie on a damaged disk: any octets under any key. What decodes must encode to what decodes the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "queue/codec.h"
#include "quota/row.h"

namespace {

using namespace sidegate;
using namespace sidegate::queue;

std::string sealed(Family family, std::string_view key, std::string_view inside) {
  auto end = trailer(family, key, inside);
  return std::string(inside) + std::string(end.data(), end.size());
}

void must(bool holds) {
  if (!holds) __builtin_trap();
}

// A user's counters: whatever was read is written so that it reads the same.
void must_keep_quota(std::string_view bytes) {
  using namespace quota;
  static constexpr Kind kPlan[] = {
      {Measure::kMessages, Span::kMinute}, {Measure::kRecipients, Span::kHour}, {Measure::kOctets, Span::kDay}};
  const SteadyTime now(std::chrono::hours(1));
  const WallTime wall(std::chrono::seconds(1'700'000'000));
  auto row = quota::decode(bytes, kPlan, now, wall);
  if (!row) return;
  const std::string again = quota::encode(*row, now, wall);
  auto back = quota::decode(again, kPlan, now, wall);
  must(back && quota::encode(*back, now, wall) == again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string id = id_key(QueueId{0x0123456789abcdef}), pair = pair_key(QueueId{7}, 9), cls = class_key(3);
  // As it is: the checksum refuses nearly all. Then with a right checksum, so that the fields themselves are reached.
  (void)decode_message(id, bytes);
  (void)decode_due(pair, bytes);
  if (auto m = decode_message(id, sealed(Family::kEnvelope, id, bytes))) {
    std::string again = encode(id, *m, m->chunks);
    auto back = decode_message(id, again);
    must(back && back->envelope == m->envelope && back->classes == m->classes &&
         encode(id, *back, back->chunks) == again);
  }
  if (auto row = decode_due(pair, sealed(Family::kDue, pair, bytes))) {
    must(decode_due(pair, encode(pair, *row)).has_value());
  }
  if (auto row = decode_recipient(pair, sealed(Family::kRecipient, pair, bytes))) {
    must(decode_recipient(pair, encode(pair, *row)).has_value());
  }
  if (auto row = decode_attempt(pair, sealed(Family::kAttempt, pair, bytes))) {
    must(decode_attempt(pair, encode(pair, *row)).has_value());
  }
  if (auto row = decode_class(cls, sealed(Family::kClass, cls, bytes))) {
    must(decode_class(cls, encode(cls, *row)).has_value());
  }
  (void)decode_open(id, sealed(Family::kOpen, id, bytes));
  (void)decode_note(kMarkKey, sealed(Family::kMeta, kMarkKey, bytes));
  must_keep_quota(bytes);
  (void)decode_mark(kMarkKey, sealed(Family::kMeta, kMarkKey, bytes));
  return 0;
}
