// Rows to octets and back. The layouts stand in doc/queue.md; this file and codec.cc are all that knows them.
//
// Encoders return the whole value, trailer included. Decoders return kStorage for what cannot be read (later version,
// wrong checksum, octets missing or left over); they take any octets without harm.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "queue/records.h"

namespace sidegate::queue {

// The tables, in the order of their numbers on disk (the checksum covers it).
enum class Family : std::uint8_t { kMeta, kEnvelope, kRecipient, kHeader, kBody, kDue, kClass, kOpen, kAttempt, kBad };
inline constexpr std::size_t kFamilies = 10;
const char* name(Family family);

// --- keys
std::string id_key(QueueId id);  // envelope, header, open; prefix of the others
std::string body_key(QueueId id, std::uint32_t generation, std::uint32_t n);
std::string pair_key(QueueId id, std::uint32_t second);  // due, recipient
std::string attempt_key(QueueId id, std::uint64_t sequence);
std::string class_key(ClassId id);
std::string bad_key(Family family, std::string_view key);
std::string note_key(std::string_view key);
QueueId id_of_key(std::string_view key);            // the first 8 octets; 0 if there are fewer
std::uint32_t second_of_key(std::string_view key);  // octets 8..11
std::uint32_t chunk_of_key(std::string_view key);   // octets 12..15 of a body key

// --- the trailer
inline constexpr std::size_t kTrailer = 5;
std::array<char, kTrailer> trailer(Family family, std::string_view key, std::string_view payload);
Result<std::string_view> payload(Family family, std::string_view key, std::string_view value);  // without the trailer

// --- values
// The store counts the chunks itself: message.chunks is not believed.
std::string encode(std::string_view key, const Message& message, std::uint32_t chunks);
std::string encode(std::string_view key, const DueRow& row);
std::string encode(std::string_view key, const RecipientRow& row);
std::string encode(std::string_view key, const AttemptRow& row);
std::string encode(std::string_view key, const ClassRow& row);
std::string encode_open(std::string_view key, std::uint32_t generation);
std::string encode_note(std::string_view key, std::string_view value);

Result<Message> decode_message(std::string_view key, std::string_view value);
Result<DueRow> decode_due(std::string_view key, std::string_view value);
Result<RecipientRow> decode_recipient(std::string_view key, std::string_view value);
Result<AttemptRow> decode_attempt(std::string_view key, std::string_view value);
Result<ClassRow> decode_class(std::string_view key, std::string_view value);
Result<std::uint32_t> decode_open(std::string_view key, std::string_view value);

Result<std::string> decode_note(std::string_view key, std::string_view value);

// `mark`: written with every group.
struct Mark {
  std::uint64_t group = 0;     // number of the last group
  std::uint64_t sequence = 0;  // last attempt number given
  QueueId highest;
};
inline constexpr std::string_view kMarkKey = "mark";
inline constexpr std::string_view kFormatKey = "format";
inline constexpr std::string_view kNotePrefix = "note/";
inline constexpr std::uint32_t kFormat = 1;
std::string encode(std::string_view key, const Mark& mark);
Result<Mark> decode_mark(std::string_view key, std::string_view value);
std::string encode_format(std::string_view key, std::uint32_t format);
Result<std::uint32_t> decode_format(std::string_view key, std::string_view value);

}  // namespace sidegate::queue
