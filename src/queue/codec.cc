#include "queue/codec.h"

#include <limits>

#include "base/octets.h"
#include "queue/crc32c.h"

namespace sidegate::queue {
namespace {

constexpr std::uint8_t kVersion = 1;

std::string sealed(Family family, std::string_view key, std::string value) {
  auto end = trailer(family, key, value);
  value.append(end.data(), end.size());
  return value;
}

std::unexpected<Error> unreadable(Family family, std::string_view why) {
  return fail(ErrorKind::kStorage, std::string("unreadable ") + name(family) + " row: " + std::string(why));
}

void put_time(OctetWriter& out, WallTime at) {
  out.fixed64(static_cast<std::uint64_t>(at.time_since_epoch().count()));
}
WallTime get_time(OctetReader& in) {
  return WallTime(Duration(static_cast<std::int64_t>(in.fixed64())));
}

std::uint8_t bits(std::initializer_list<bool> flags) {
  std::uint8_t v = 0, bit = 1;
  for (bool flag : flags) {
    if (flag) v |= bit;
    bit = static_cast<std::uint8_t>(bit << 1);
  }
  return v;
}

template <typename E>
E get_enum(OctetReader& in, E highest, bool& ok) {
  std::uint8_t v = in.octet();
  if (v > static_cast<std::uint8_t>(highest)) ok = false;
  return static_cast<E>(v);
}

bool through_alias(const mail::Recipient& r) {
  mail::Recipient plain;
  plain.address = r.address;
  plain.notify = r.notify;
  plain.orcpt = r.orcpt;
  return plain != r;
}

void put_recipient(OctetWriter& out, const mail::Recipient& r) {
  bool more = through_alias(r);
  out.string(r.address);
  out.octet(bits({r.notify.never, r.notify.success, r.notify.failure, r.notify.delay, more, r.forwarded}));
  out.string(r.orcpt);
  if (!more) return;
  out.octet(static_cast<std::uint8_t>(r.destination));
  for (const auto* text : {&r.target, &r.as_user, &r.original, &r.return_path}) out.string(*text);
}

mail::Recipient get_recipient(OctetReader& in, bool& ok) {
  mail::Recipient r;
  r.address = in.string();
  std::uint8_t flags = in.octet();
  r.notify = {(flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0, (flags & 8) != 0};
  r.orcpt = in.string();
  if (!(flags & 16)) return r;
  r.forwarded = flags & 32;
  r.destination = get_enum(in, mail::Destination::kDiscard, ok);
  for (auto* text : {&r.target, &r.as_user, &r.original, &r.return_path}) *text = in.string();
  return r;
}

bool any(const std::array<std::uint8_t, 32>& hash) {
  for (auto octet : hash) {
    if (octet) return true;
  }
  return false;
}

std::string_view hash_octets(const std::array<std::uint8_t, 32>& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

}  // namespace

const char* name(Family family) {
  static constexpr const char* kNames[kFamilies] = {"default", "envelope", "recipient", "header",  "body",
                                                    "due",     "class",    "open",      "attempt", "bad"};
  return kNames[static_cast<std::size_t>(family)];
}

std::string id_key(QueueId id) {
  std::string key;
  put_big64(key, id.value);
  return key;
}
std::string pair_key(QueueId id, std::uint32_t second) {
  std::string key;
  put_big64(key, id.value);
  put_big32(key, second);
  return key;
}
std::string body_key(QueueId id, std::uint32_t generation, std::uint32_t n) {
  std::string key;
  key.reserve(16);
  put_big64(key, id.value);
  put_big32(key, generation);
  put_big32(key, n);
  return key;
}
std::string attempt_key(QueueId id, std::uint64_t sequence) {
  std::string key;
  key.reserve(16);
  put_big64(key, id.value);
  put_big64(key, sequence);
  return key;
}
std::string class_key(ClassId id) {
  std::string key;
  put_big32(key, id);
  return key;
}
std::string bad_key(Family family, std::string_view key) {
  return std::string(1, static_cast<char>(family)) + std::string(key);
}
std::string note_key(std::string_view key) {
  return std::string(kNotePrefix).append(key);
}
QueueId id_of_key(std::string_view key) {
  return key.size() < 8 ? QueueId{} : QueueId{get_big(key.substr(0, 8))};
}
std::uint32_t second_of_key(std::string_view key) {
  return key.size() < 12 ? 0 : static_cast<std::uint32_t>(get_big(key.substr(8, 4)));
}
std::uint32_t chunk_of_key(std::string_view key) {
  return key.size() < 16 ? 0 : static_cast<std::uint32_t>(get_big(key.substr(12, 4)));
}

std::array<char, kTrailer> trailer(Family family, std::string_view key, std::string_view payload) {
  const char before = static_cast<char>(family);
  const char version = static_cast<char>(kVersion);
  std::uint32_t crc = crc32c(0, {&before, 1});
  crc = crc32c(crc, key);
  crc = crc32c(crc, payload);
  crc = crc32c(crc, {&version, 1});
  return {version, static_cast<char>(crc), static_cast<char>(crc >> 8), static_cast<char>(crc >> 16),
          static_cast<char>(crc >> 24)};
}

Result<std::string_view> payload(Family family, std::string_view key, std::string_view value) {
  if (value.size() < kTrailer) return unreadable(family, "too short");
  std::string_view inside = value.substr(0, value.size() - kTrailer);
  std::string_view end = value.substr(inside.size());
  if (end[0] != static_cast<char>(kVersion)) return unreadable(family, "unknown version");
  auto expected = trailer(family, key, inside);
  if (end != std::string_view(expected.data(), expected.size())) return unreadable(family, "wrong checksum");
  return inside;
}

std::string encode(std::string_view key, const Message& m, std::uint32_t chunks) {
  std::string value;
  value.reserve(256);
  OctetWriter out(value);
  const bool hashes = any(m.body_hash_simple) || any(m.body_hash_relaxed);
  out.string(m.envelope.reverse_path);
  out.number(m.envelope.recipients.size());
  for (const auto& r : m.envelope.recipients) put_recipient(out, r);
  out.octet(static_cast<std::uint8_t>(m.envelope.body));
  out.octet(static_cast<std::uint8_t>(m.envelope.ret));
  out.string(m.envelope.envid);
  out.octet(bits({m.envelope.smtputf8, m.eight_bit_header, m.eight_bit_body, m.is_report, hashes, m.submitted,
                  m.envelope.tls == mail::TlsDemand::kRequired, m.envelope.tls == mail::TlsDemand::kOptional}));
  for (const auto* text :
       {&m.origin.listener, &m.origin.peer_address, &m.origin.helo, &m.origin.user, &m.origin.protocol}) {
    out.string(*text);
  }
  out.number(m.classes.size());
  for (ClassId id : m.classes) out.number(id);
  out.number(m.header_size);
  out.number(m.body_size);
  out.number(m.generation);
  out.number(chunks);
  out.number(m.longest_line);
  out.string(m.message_id);
  if (hashes) {
    out.raw(hash_octets(m.body_hash_simple));
    out.raw(hash_octets(m.body_hash_relaxed));
  }
  return sealed(Family::kEnvelope, key, std::move(value));
}

Result<Message> decode_message(std::string_view key, std::string_view value) {
  auto inside = payload(Family::kEnvelope, key, value);
  if (!inside) return std::unexpected(inside.error());
  OctetReader in(*inside);
  Message m;
  bool ok = true;
  m.id = id_of_key(key);
  m.envelope.reverse_path = in.string();
  for (std::size_t n = in.count(); n > 0 && in.ok(); --n) m.envelope.recipients.push_back(get_recipient(in, ok));
  m.envelope.body = get_enum(in, mail::BodyType::k8bitMime, ok);
  m.envelope.ret = get_enum(in, mail::Ret::kHeaders, ok);
  m.envelope.envid = in.string();
  std::uint8_t flags = in.octet();
  m.envelope.smtputf8 = flags & 1;
  m.eight_bit_header = flags & 2;
  m.eight_bit_body = flags & 4;
  m.is_report = flags & 8;
  m.submitted = flags & 32;
  if (flags & 64) m.envelope.tls = mail::TlsDemand::kRequired;
  if (flags & 128) m.envelope.tls = mail::TlsDemand::kOptional;
  for (auto* text : {&m.origin.listener, &m.origin.peer_address, &m.origin.helo, &m.origin.user, &m.origin.protocol}) {
    *text = in.string();
  }
  for (std::size_t n = in.count(); n > 0 && in.ok(); --n) m.classes.push_back(in.number_as<ClassId>());
  m.header_size = in.number();
  m.body_size = in.number();
  m.generation = in.number_as<std::uint32_t>();
  m.chunks = in.number_as<std::uint32_t>();
  m.longest_line = in.number_as<std::uint32_t>();
  m.message_id = in.string();
  if (flags & 16) {
    for (auto* hash : {&m.body_hash_simple, &m.body_hash_relaxed}) {
      std::string_view bytes = in.raw(hash->size());
      if (!bytes.empty()) std::memcpy(hash->data(), bytes.data(), hash->size());
    }
  }
  if (!ok || !in.done() || flags >= 192) return unreadable(Family::kEnvelope, "malformed");
  return m;
}

std::string encode(std::string_view key, const DueRow& row) {
  std::string value;
  OctetWriter out(value);
  put_time(out, row.due);
  out.number(row.attempts);
  out.octet(row.priority);
  out.octet(bits({row.held}));
  return sealed(Family::kDue, key, std::move(value));
}

Result<DueRow> decode_due(std::string_view key, std::string_view value) {
  auto inside = payload(Family::kDue, key, value);
  if (!inside) return std::unexpected(inside.error());
  OctetReader in(*inside);
  DueRow row;
  row.id = id_of_key(key);
  row.class_id = second_of_key(key);
  row.due = get_time(in);
  row.attempts = in.number_as<std::uint16_t>();
  row.priority = in.octet();
  std::uint8_t flags = in.octet();
  row.held = flags & 1;
  if (!in.done() || flags > 1 || key.size() != 12) return unreadable(Family::kDue, "malformed");
  return row;
}

std::string encode(std::string_view key, const RecipientRow& row) {
  std::string value;
  OctetWriter out(value);
  out.octet(static_cast<std::uint8_t>(row.state));
  out.number(row.attempts);
  out.octet(bits({row.delay_reported, row.uncertain}));
  out.string(row.last_reply);
  out.string(row.last_host);
  put_time(out, row.last_at);
  return sealed(Family::kRecipient, key, std::move(value));
}

Result<RecipientRow> decode_recipient(std::string_view key, std::string_view value) {
  auto inside = payload(Family::kRecipient, key, value);
  if (!inside) return std::unexpected(inside.error());
  OctetReader in(*inside);
  RecipientRow row;
  bool ok = true;
  row.n = second_of_key(key);
  row.state = get_enum(in, RecipientState::kFailed, ok);
  row.attempts = in.number_as<std::uint16_t>();
  std::uint8_t flags = in.octet();
  row.delay_reported = flags & 1;
  row.uncertain = flags & 2;
  row.last_reply = in.string();
  row.last_host = in.string();
  row.last_at = get_time(in);
  if (!ok || !in.done() || flags > 3 || key.size() != 12) return unreadable(Family::kRecipient, "malformed");
  return row;
}

std::string encode(std::string_view key, const AttemptRow& row) {
  std::string value;
  OctetWriter out(value);
  put_time(out, row.at);
  for (const auto* text : {&row.way, &row.address, &row.phase, &row.reply, &row.meaning}) out.string(*text);
  out.octet(bits({row.uncertain, row.next.has_value(), !row.tls.empty()}));
  if (row.next) put_time(out, *row.next);
  out.number(row.recipients.size());
  for (auto n : row.recipients) out.number(n);
  if (!row.tls.empty()) out.string(row.tls);
  return sealed(Family::kAttempt, key, std::move(value));
}

Result<AttemptRow> decode_attempt(std::string_view key, std::string_view value) {
  auto inside = payload(Family::kAttempt, key, value);
  if (!inside) return std::unexpected(inside.error());
  OctetReader in(*inside);
  AttemptRow row;
  row.at = get_time(in);
  for (auto* text : {&row.way, &row.address, &row.phase, &row.reply, &row.meaning}) *text = in.string();
  std::uint8_t flags = in.octet();
  row.uncertain = flags & 1;
  if (flags & 2) row.next = get_time(in);
  for (std::size_t n = in.count(); n > 0 && in.ok(); --n) row.recipients.push_back(in.number_as<std::uint32_t>());
  if (flags & 4) row.tls = in.string();
  if (!in.done() || flags > 7) return unreadable(Family::kAttempt, "malformed");
  return row;
}

std::string encode(std::string_view key, const ClassRow& row) {
  std::string value;
  OctetWriter out(value);
  for (const auto* text : {&row.key.recipient_domain, &row.key.sender_key, &row.key.user, &row.key.listener}) {
    out.string(*text);
  }
  if (!row.key.user.empty()) out.string(row.key.sender);  // else it is the sender_key
  if (row.key.tls != mail::TlsDemand::kUsual) out.octet(static_cast<std::uint8_t>(row.key.tls));
  return sealed(Family::kClass, key, std::move(value));
}

Result<ClassRow> decode_class(std::string_view key, std::string_view value) {
  auto inside = payload(Family::kClass, key, value);
  if (!inside) return std::unexpected(inside.error());
  OctetReader in(*inside);
  ClassRow row;
  for (auto* text : {&row.key.recipient_domain, &row.key.sender_key, &row.key.user, &row.key.listener})
    *text = in.string();
  // Rows of before the sender was part of a class end here.
  if (row.key.user.empty())
    row.key.sender = row.key.sender_key;
  else if (!in.done())
    row.key.sender = in.string();
  bool ok = true;
  if (in.ok() && !in.done()) row.key.tls = get_enum(in, mail::TlsDemand::kOptional, ok);
  if (!ok || !in.done() || key.size() != 4) return unreadable(Family::kClass, "malformed");
  row.id = static_cast<ClassId>(get_big(key));
  return row;
}

std::string encode_open(std::string_view key, std::uint32_t generation) {
  std::string value;
  OctetWriter(value).number(generation);
  return sealed(Family::kOpen, key, std::move(value));
}

Result<std::uint32_t> decode_open(std::string_view key, std::string_view value) {
  auto inside = payload(Family::kOpen, key, value);
  if (!inside) return std::unexpected(inside.error());
  OctetReader in(*inside);
  auto generation = in.number_as<std::uint32_t>();
  if (!in.done()) return unreadable(Family::kOpen, "malformed");
  return generation;
}

std::string encode_note(std::string_view key, std::string_view value) {
  return sealed(Family::kMeta, key, std::string(value));
}

Result<std::string> decode_note(std::string_view key, std::string_view value) {
  auto inside = payload(Family::kMeta, key, value);
  if (!inside) return std::unexpected(inside.error());
  return std::string(*inside);
}

std::string encode(std::string_view key, const Mark& mark) {
  std::string value;
  OctetWriter out(value);
  out.fixed64(mark.group);
  out.fixed64(mark.sequence);
  out.fixed64(mark.highest.value);
  return sealed(Family::kMeta, key, std::move(value));
}

Result<Mark> decode_mark(std::string_view key, std::string_view value) {
  auto inside = payload(Family::kMeta, key, value);
  if (!inside) return std::unexpected(inside.error());
  OctetReader in(*inside);
  Mark mark;
  mark.group = in.fixed64();
  mark.sequence = in.fixed64();
  mark.highest = QueueId{in.fixed64()};
  if (!in.done()) return unreadable(Family::kMeta, "malformed");
  return mark;
}

std::string encode_format(std::string_view key, std::uint32_t format) {
  std::string value;
  OctetWriter(value).number(format);
  return sealed(Family::kMeta, key, std::move(value));
}

Result<std::uint32_t> decode_format(std::string_view key, std::string_view value) {
  auto inside = payload(Family::kMeta, key, value);
  if (!inside) return std::unexpected(inside.error());
  OctetReader in(*inside);
  auto format = in.number_as<std::uint32_t>();
  if (!in.done()) return unreadable(Family::kMeta, "malformed");
  return format;
}

}  // namespace sidegate::queue
