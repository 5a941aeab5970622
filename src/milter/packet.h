// Packets as octets: pure. What the MTA sends is made here, what a filter answers is taken apart here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "milter/protocol.h"

namespace sidegate::milter {

struct Packet {
  char code = 0;
  std::string data;
  bool operator==(const Packet&) const = default;
};

std::string encode(Command command, std::string_view data = {});
std::string encode(const Packet& packet);

// Takes packets out of what arrives, however it is cut.
class PacketReader {
 public:
  void push(std::string_view bytes) { pending_.append(bytes); }
  // nullopt: more is needed. kProtocol: a length of 0 or above kMaxPacket; nothing can be read after it.
  std::optional<Result<Packet>> next();
  std::size_t pending() const { return pending_.size() - at_; }

 private:
  std::string pending_;
  std::size_t at_ = 0;
};

// --- the pieces of data
void put_u32(std::string& out, std::uint32_t value);
std::uint32_t get_u32(std::string_view four);
// A string on the wire ends at its NUL: one inside `text` is left out.
void put_string(std::string& out, std::string_view text);
// All strings of `data`; nullopt where the last has no NUL.
std::optional<std::vector<std::string>> take_strings(std::string_view data);

// --- what we say
struct Client {
  std::string name;     // verified reverse name; empty: "[address]"
  std::string address;  // textual; a path where is_unix
  unsigned port = 0;
  bool is_unix = false;
};
std::string encode_connect(const Client& client);
std::string encode_helo(std::string_view name);
// MAIL and RCPT: the path in its angle brackets, then the ESMTP parameters, each a string.
std::string encode_path(Command command, std::string_view path, const std::vector<std::string>& parameters);
// `value` as it stands after the colon, folded lines included. Lines end in LF on the wire, as filters expect it.
std::string encode_header(std::string_view name, std::string_view value, bool leading_space);
std::string encode_unknown(std::string_view line);

}  // namespace sidegate::milter
