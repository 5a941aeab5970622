// The rows of the queue as the program sees them. How they lie on disk: doc/queue.md and queue/codec.cc.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/queue_id.h"
#include "mail/envelope.h"

namespace sidegate::queue {

using ClassId = std::uint32_t;  // 0: none

// What routing looks at; messages wait on their class (doc/design.md, "The queue").
struct ClassKey {
  std::string recipient_domain;  // lower case
  std::string sender_key;        // whom fairness counts: the authenticated user, else the reverse-path, lower case
  std::string user;
  std::string listener;
  std::string sender = {};                        // the reverse-path, lower case; without a user sender_key is the same
  mail::TlsDemand tls = mail::TlsDemand::kUsual;  // a destination with another demand is another one
  bool operator==(const ClassKey&) const = default;
};
struct ClassRow {
  ClassId id = 0;
  ClassKey key;
};

// `envelope`: written once, when the message is accepted.
struct Message {
  QueueId id;
  mail::Envelope envelope;
  mail::Origin origin;
  std::vector<ClassId> classes;                      // one a recipient, same order
  std::uint64_t header_size = 0;                     // octets
  std::uint64_t body_size = 0;                       // octets, from the empty line on
  std::uint32_t generation = 0;                      // of the body
  std::uint32_t chunks = 0;                          // of the body; chunk size queue::kChunkSize but for the last
  bool eight_bit_header = false;                     // some octet >= 0x80: needs SMTPUTF8 or goes as it is
  bool eight_bit_body = false;                       // needs 8BITMIME (RFC 6152)
  std::uint32_t longest_line = 0;                    // octets without CRLF
  std::array<std::uint8_t, 32> body_hash_simple{};   // SHA-256 of the body in DKIM's two canonical forms (RFC 6376
  std::array<std::uint8_t, 32> body_hash_relaxed{};  // section 3.4); made while it streams in; all zero: not made
  std::string message_id;                            // the field's value, for the log
  bool is_report = false;                            // one of our DSNs: cannot bounce
  bool submitted = false;                            // by who may relay here, or ours: it may carry our signature
};
inline constexpr std::size_t kChunkSize = 256 * 1024;

enum class RecipientState : std::uint8_t { kPending, kDelivered, kFailed };

// `recipient`: (id, n), absent while nothing happened. Written by its own outcome alone.
struct RecipientRow {
  std::uint32_t n = 0;
  RecipientState state = RecipientState::kPending;
  std::uint16_t attempts = 0;
  bool delay_reported = false;
  bool uncertain = false;  // an attempt ended without a final reply: it may have been delivered
  std::string last_reply;  // "550 5.1.1 no such user" or our own words
  std::string last_host;   // who said it
  WallTime last_at{};
};

// Which mail goes first. The numbers lie on disk.
enum class Priority : std::uint8_t { kUsual = 0, kAlarm = 1, kBulk = 2 };
// Their order: the least goes first.
constexpr std::uint8_t order_of(std::uint8_t priority) {
  switch (static_cast<Priority>(priority)) {
    case Priority::kAlarm:
      return 0;
    case Priority::kUsual:
      return 1;
    case Priority::kBulk:
      return 2;
  }
  return 3;
}

// `due`: (id, class). All that start-up reads, tens of octets.
struct DueRow {
  QueueId id;
  ClassId class_id = 0;
  WallTime due{};
  std::uint16_t attempts = 0;
  std::uint8_t priority = 0;  // one of Priority
  bool held = false;          // by the operator or as poison; not tried until released
  std::uint64_t epoch = 0;    // fencing token of the claim (0 on RocksDB)
};

// `attempt`: (id, sequence): what `queue show` tells.
struct AttemptRow {
  WallTime at{};
  std::string way, address, phase;  // "isp", "192.0.2.1:587", "rcpt"
  std::string reply;                // the peer's words or our error
  std::string meaning;              // what we made of it
  std::string tls = {};             // how the peer was known: "verified:dane-ee TLSv1.3 ..."; empty: no connection
  bool uncertain = false;
  std::optional<WallTime> next;  // nullopt: ended
  std::vector<std::uint32_t> recipients;
};

}  // namespace sidegate::queue
