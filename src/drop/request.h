// What sidegate-drop reads before the message: checked line by line, kept as it came (doc/drop.md). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sidegate::drop {

inline constexpr std::size_t kMaxLine = 1200;             // octets without LF
inline constexpr std::size_t kMaxEnvelope = 1u << 20;     // octets
inline constexpr std::uint64_t kMaxMessage = 256u << 20;  // octets
inline constexpr std::string_view kMagic = "sidegate-drop 1";

class Request {
 public:
  enum class State : unsigned char { kMore, kMessage, kBad };
  // One line without its LF. kMessage: that was the last line, the message follows.
  State take(std::string_view line);
  const char* why() const { return why_; }  // of kBad

  const std::string& lines() const { return lines_; }  // behind the magic, LF at each end
  std::uint64_t message_size() const { return message_size_; }

 private:
  State bad(const char* why);
  State once(unsigned bit, bool good, const char* why);

  std::string lines_;
  unsigned seen_ = 0;
  unsigned seen_of_recipient_ = 0;
  bool magic_ = false;
  bool recipient_ = false;
  std::uint64_t message_size_ = 0;
  const char* why_ = "";
};

}  // namespace sidegate::drop
