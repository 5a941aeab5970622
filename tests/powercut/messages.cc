#include "messages.h"

#include <algorithm>
#include <cstring>

namespace sidegate::tests {
namespace {

constexpr std::uint64_t kBase = 1'700'000'000'000ull << 22;

std::string octets(std::uint64_t seed, std::size_t n) {
  std::string text(n, '\0');
  for (std::size_t i = 0; i < n; i += 8) {
    std::uint64_t v = mix(seed + i);
    std::memcpy(&text[i], &v, std::min<std::size_t>(8, n - i));
  }
  return text;
}

}  // namespace

std::uint64_t mix(std::uint64_t v) {  // splitmix64
  v += 0x9E3779B97F4A7C15ull;
  v = (v ^ (v >> 30)) * 0xBF58476D1CE4E5B9ull;
  v = (v ^ (v >> 27)) * 0x94D049BB133111EBull;
  return v ^ (v >> 31);
}

QueueId id_of(std::uint64_t n) {
  return QueueId{kBase + n};
}
std::uint64_t number_of(QueueId id) {
  return id.value - kBase;
}

bool is_streamed(std::uint64_t n) {
  return mix(n) % 40 == 0;
}
bool is_refused(std::uint64_t n) {
  return mix(n) % 40 == 1;
}
bool will_finish(std::uint64_t n) {
  return mix(n * 3) % 4 != 0;
}

queue::Accept message(std::uint64_t n) {
  queue::Accept accept;
  const std::uint64_t r = mix(n + 77);
  accept.header = "Subject: " + std::to_string(n) + "\r\n" + octets(n, r % 600);
  accept.body = octets(~n, is_streamed(n) ? queue::kChunkSize + r % queue::kChunkSize : r % 9000);
  auto message = std::make_shared<queue::Message>();
  message->id = id_of(n);
  message->envelope.reverse_path = "s" + std::to_string(n) + "@example.org";
  for (std::uint64_t i = 0; i <= r % 3; ++i) {
    message->envelope.recipients.push_back({"u" + std::to_string(i) + "@example.com", {}, ""});
    message->classes.push_back(static_cast<queue::ClassId>(i + 1));
    queue::DueRow due;
    due.id = message->id;
    due.class_id = static_cast<queue::ClassId>(i + 1);
    accept.due.push_back(due);
  }
  message->header_size = accept.header.size();
  message->body_size = accept.body.size();
  accept.message = std::move(message);
  return accept;
}

char look(queue::Store& store, std::uint64_t n) {
  const queue::Accept expected = message(n);
  auto found = store.message(id_of(n));
  auto header = store.header(id_of(n));
  if (!found && found.error().kind == ErrorKind::kNotFound) return header ? 'D' : 'A';
  if (!found || !header || *header != expected.header || found->envelope != expected.message->envelope) return 'D';
  std::string body;
  for (std::uint32_t i = 0; i < found->chunks; ++i) {
    auto chunk = store.body_chunk(id_of(n), found->generation, i);
    if (!chunk) return 'D';
    body += *chunk;
  }
  return body == expected.body ? 'W' : 'D';
}

}  // namespace sidegate::tests
