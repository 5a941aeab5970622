#include "dns/message.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sidegate::dns {

namespace {

constexpr std::size_t kHeaderSize = 12, kNameLimit = 255, kLabelLimit = 63;
constexpr unsigned kJumpLimit = 64, kRecordLimit = 256, kCnameLimit = 16;

void append_16(std::string& out, unsigned value) {
  out += {static_cast<char>(value >> 8), static_cast<char>(value)};
}

// Reads from a message; `good` turns false at the first octet that is not there.
struct Reader {
  std::string_view message;
  std::size_t at = 0;
  bool good = true;

  unsigned octet() {
    if (at >= message.size()) {
      good = false;
      return 0;
    }
    return static_cast<unsigned char>(message[at++]);
  }
  unsigned number_16() {
    unsigned high = octet();
    return high << 8 | octet();
  }
  std::uint32_t number_32() {
    std::uint32_t high = number_16();
    return high << 16 | number_16();
  }
  std::string name();
};

// A name in lower case with dots, "" for the root. RFC 1035 section 4.1.4: a pointer goes back, and we follow only so
// many.
std::string Reader::name() {
  std::string out;
  std::size_t resume = 0;
  for (unsigned jumps = 0; good;) {
    unsigned length = octet();
    if ((length & 0xc0) == 0xc0) {
      std::size_t target = (length & 0x3f) << 8 | octet();
      if (resume == 0) resume = at;
      if (++jumps > kJumpLimit || target >= at) good = false;
      at = target;
    } else if (length == 0) {
      break;
    } else if (length > kLabelLimit || out.size() + length + 1 > kNameLimit || at + length > message.size()) {
      good = false;
    } else {
      if (!out.empty()) out += '.';
      out += lower(message.substr(at, length));
      at += length;
    }
  }
  if (resume != 0) at = resume;
  return out;
}

struct Record {
  std::string owner;
  unsigned type = 0;
  std::uint32_t ttl = 0;
  std::string data;  // as record_text(), or the name a CNAME points to
};

std::string address_text(int family, std::string_view octets) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family, octets.data(), text.data(), text.size());
  return text.data();
}

// RFC 1035 section 3.3.14: strings with their lengths before them. What ends too early is malformed.
std::optional<std::string> joined_strings(std::string_view data) {
  std::string out;
  while (!data.empty()) {
    auto length = static_cast<unsigned char>(data.front());
    if (length >= data.size()) return std::nullopt;
    out += data.substr(1, length);
    data.remove_prefix(length + 1u);
  }
  return out;
}

// The reader stands at the data, which is `size` octets; a name in it may point back into the message.
std::optional<std::string> read_data(Reader& reader, RecordType type, std::size_t size) {
  const std::size_t end = reader.at + size;
  std::string_view data = reader.message.substr(reader.at, size);
  std::string text;
  switch (type) {
    case RecordType::kA:
      if (size != 4) return std::nullopt;
      return address_text(AF_INET, data);
    case RecordType::kAaaa:
      if (size != 16) return std::nullopt;
      return address_text(AF_INET6, data);
    case RecordType::kTxt:
      return joined_strings(data);
    case RecordType::kTlsa: {
      if (size < 4) return std::nullopt;
      for (char field : data.substr(0, 3)) text += std::to_string(static_cast<unsigned char>(field)) + ' ';
      for (unsigned char octet : data.substr(3)) text += fmt::format("{:02x}", octet);
      return text;
    }
    case RecordType::kSrv:
      for (int i = 0; i < 2; ++i) text += std::to_string(reader.number_16()) + ' ';
      [[fallthrough]];
    case RecordType::kMx:
      text += std::to_string(reader.number_16()) + ' ';
      [[fallthrough]];
    case RecordType::kNs:
    case RecordType::kCname:
    case RecordType::kPtr: {
      std::string name = reader.name();
      if (!reader.good || reader.at != end) return std::nullopt;
      if (name.empty() && type != RecordType::kCname) name = ".";
      return text + name;
    }
  }
  return std::nullopt;
}

Record read_record(Reader& reader) {
  Record record;
  record.owner = reader.name();
  record.type = reader.number_16();
  unsigned cls = reader.number_16();
  record.ttl = reader.number_32();
  std::size_t size = reader.number_16();
  std::size_t end = reader.at + size;
  if (!reader.good || end > reader.message.size()) {
    reader.good = false;
    return record;
  }
  Reader inner = reader;
  auto text = cls == 1 ? read_data(inner, static_cast<RecordType>(record.type), size) : std::nullopt;
  if (text) {
    record.data = std::move(*text);
  } else {
    record.type = 0;  // none of ours, or malformed: passed over
  }
  reader.at = end;
  return record;
}

// The records of `name`, by its aliases (RFC 1034 section 3.6.2), whatever the order of the records.
void follow(const std::vector<Record>& records, std::string name, RecordType type, Answer& answer) {
  answer.ttl = UINT32_MAX;
  for (unsigned aliases = 0; aliases <= kCnameLimit; ++aliases) {
    const Record* alias = nullptr;
    for (const Record& record : records) {
      if (record.owner != name) continue;
      if (record.type == static_cast<unsigned>(type)) {
        answer.list.push_back(record.data);
        answer.ttl = std::min(answer.ttl, record.ttl);
      } else if (record.type == static_cast<unsigned>(RecordType::kCname)) {
        alias = &record;
      }
    }
    if (!answer.list.empty() || alias == nullptr) break;
    answer.ttl = std::min(answer.ttl, alias->ttl);
    name = alias->data;
  }
  if (answer.list.empty()) answer.ttl = 0;
}

}  // namespace

std::optional<std::string> make_question(std::uint16_t id, std::string_view name, RecordType type) {
  if (name.empty() || name.size() > kNameLimit - 2) return std::nullopt;
  std::string out;
  append_16(out, id);
  append_16(out, 0x0100);  // recursion desired
  append_16(out, 1);
  out.append(6, '\0');
  if (name == ".") name = {};
  for (std::string_view label : name.empty() ? std::vector<std::string_view>() : split(name, '.')) {
    if (label.empty() || label.size() > kLabelLimit) return std::nullopt;
    out += static_cast<char>(label.size());
    out += label;
  }
  out += '\0';
  append_16(out, static_cast<unsigned>(type));
  append_16(out, 1);  // IN
  return out;
}

std::optional<Answer> read_answer(std::string_view message, std::uint16_t id, std::string_view name, RecordType type) {
  Reader reader{message};
  bool mine = reader.number_16() == id;
  unsigned flags = reader.number_16();
  unsigned questions = reader.number_16();
  unsigned count = std::min(reader.number_16(), kRecordLimit);
  if (!reader.good || !mine || (flags & 0xf800) != 0x8000) return std::nullopt;  // a response to a standard query
  unsigned rcode = flags & 15;
  bool truncated = (flags & 0x0200) != 0;
  reader.at = kHeaderSize;
  Answer answer;
  // Servers that understand nothing may leave the question out (FORMERR, NOTIMP).
  bool asked = questions == 1 && reader.name() == (name == "." ? "" : lower(name)) &&
               reader.number_16() == static_cast<unsigned>(type);
  reader.number_16();
  if ((!asked || !reader.good) && (rcode == 0 || rcode == 3)) return std::nullopt;
  if (rcode == 3) {
    answer.verdict = Verdict::kNoName;
    return answer;
  }
  if (rcode != 0) {
    answer.verdict = Verdict::kFailed;
    answer.why = rcode == 2 ? "SERVFAIL" : rcode == 5 ? "REFUSED" : "rcode " + std::to_string(rcode);
    return answer;
  }
  std::vector<Record> records;
  while (count-- > 0) {
    Record record = read_record(reader);
    if (!reader.good) break;  // truncated in the middle, or malformed: what was whole counts
    records.push_back(std::move(record));
  }
  follow(records, name == "." ? "" : lower(name), type, answer);
  bool whole = reader.good && !truncated;
  answer.verdict = !answer.list.empty() ? Verdict::kFound : whole ? Verdict::kNoData : Verdict::kFailed;
  if (answer.verdict == Verdict::kFailed) answer.why = truncated ? "truncated answer" : "malformed answer";
  return answer;
}

std::optional<std::string> record_text(RecordType type, std::string_view data) {
  Reader reader{data};
  auto text = read_data(reader, type, data.size());
  return reader.good ? text : std::nullopt;
}

}  // namespace sidegate::dns
