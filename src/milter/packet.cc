#include "milter/packet.h"

#include "base/text.h"

namespace sidegate::milter {

void put_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
}

std::uint32_t get_u32(std::string_view four) {
  std::uint32_t value = 0;
  for (char c : four.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

void put_string(std::string& out, std::string_view text) {
  for (char c : text) {
    if (c != '\0') out.push_back(c);
  }
  out.push_back('\0');
}

std::optional<std::vector<std::string>> take_strings(std::string_view data) {
  std::vector<std::string> strings;
  while (!data.empty()) {
    std::size_t end = data.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    strings.emplace_back(data.substr(0, end));
    data.remove_prefix(end + 1);
  }
  return strings;
}

std::string encode(Command command, std::string_view data) {
  std::string out;
  out.reserve(5 + data.size());
  put_u32(out, static_cast<std::uint32_t>(1 + data.size()));
  out.push_back(static_cast<char>(command));
  out.append(data);
  return out;
}

std::string encode(const Packet& packet) {
  return encode(static_cast<Command>(packet.code), packet.data);
}

std::optional<Result<Packet>> PacketReader::next() {
  std::string_view rest = std::string_view(pending_).substr(at_);
  if (rest.size() < 4) return std::nullopt;
  std::uint32_t length = get_u32(rest);
  if (length == 0 || length > kMaxPacket) {
    return fail(ErrorKind::kProtocol, "a packet of " + std::to_string(length) + " octets");
  }
  if (rest.size() - 4 < length) return std::nullopt;
  Packet packet{rest[4], std::string(rest.substr(5, length - 1))};
  at_ += 4 + length;
  if (at_ == pending_.size() || at_ > kBodyChunk) {
    pending_.erase(0, at_);
    at_ = 0;
  }
  return packet;
}

namespace {

std::string_view family_of(const Client& client) {
  if (client.is_unix) return "L";
  if (client.address.empty()) return "U";
  return client.address.find(':') != std::string::npos ? "6" : "4";
}

}  // namespace

std::string encode_connect(const Client& client) {
  std::string data;
  // As sendmail and Postfix name a client without a verified name.
  std::string unnamed = client.is_unix ? "localhost" : "[" + client.address + "]";
  put_string(data, client.name.empty() ? unnamed : client.name);
  std::string_view family = family_of(client);
  data += family;
  if (family != "U") {
    unsigned port = client.is_unix ? 0 : client.port;
    data.push_back(static_cast<char>(port >> 8 & 0xff));
    data.push_back(static_cast<char>(port & 0xff));
    put_string(data, client.address);
  }
  return encode(Command::kConnect, data);
}

std::string encode_helo(std::string_view name) {
  std::string data;
  put_string(data, name);
  return encode(Command::kHelo, data);
}

std::string encode_path(Command command, std::string_view path, const std::vector<std::string>& parameters) {
  std::string data;
  put_string(data, path);
  for (const std::string& parameter : parameters) put_string(data, parameter);
  return encode(command, data);
}

std::string encode_header(std::string_view name, std::string_view value, bool leading_space) {
  if (!leading_space) {
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  }
  std::string lines;
  lines.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    bool end_of_line = value[i] == '\r' && i + 1 < value.size() && value[i + 1] == '\n';
    if (!end_of_line) lines.push_back(value[i]);
  }
  std::string data;
  put_string(data, name);
  put_string(data, lines);
  return encode(Command::kHeader, data);
}

std::string encode_unknown(std::string_view line) {
  std::string data;
  put_string(data, line);
  return encode(Command::kUnknown, data);
}

}  // namespace sidegate::milter
