// What was read ahead of a session: 512 octets inside the object while it idles; a larger block only while data flows.
// Lines are taken out of it here, for sockets and scripts alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"

namespace sidegate::net {

class Loop;

class ReadBuffer {
 public:
  static constexpr std::size_t kSmall = 512;        // in the object
  static constexpr std::size_t kMedium = 8 * 1024;  // from the heap: one usual message, or many pipelined commands
  static constexpr std::size_t kLarge = 64 * 1024;  // borrowed from the loop

  explicit ReadBuffer(Loop* loop) : loop_(loop) {}  // nullptr: all from the heap
  ~ReadBuffer();
  ReadBuffer(const ReadBuffer&) = delete;

  std::string_view view() const { return {data() + begin_, size()}; }
  std::size_t size() const { return end_ - begin_; }
  void consume(std::size_t n);
  void clear();

  // Room for more behind what is there. Never empty after reserve().
  std::span<char> room() { return {data() + end_, capacity_ - end_}; }
  void filled(std::size_t n) { end_ += static_cast<std::uint32_t>(n); }
  void append(std::string_view bytes);  // bytes must fit in the room
  // At least `capacity` octets in all, and some room; moves what is there to the front. Ends the validity of views.
  void reserve(std::size_t capacity);
  // Gives the larger block back when little or nothing is left in it. Ends the validity of views.
  void settle();

  // The next line without its end, consumed. nullopt: more is needed. kTooLarge: a line over `limit` octets was
  // skipped. kClosed: it is over `fatal` octets and goes on. Which of them does not depend on how the octets arrived.
  // The view holds until reserve() or settle().
  std::optional<Result<std::string_view>> take_line(std::size_t limit, std::size_t fatal);
  bool has_line() const;
  bool line_had_crlf() const { return had_crlf_; }

 private:
  char* data() { return block_ ? block_.get() : small_; }
  const char* data() const { return block_ ? block_.get() : small_; }
  std::optional<Result<std::string_view>> end_of_line(std::size_t at, std::size_t limit, std::size_t fatal);
  void move_to(std::unique_ptr<char[]> block, std::size_t capacity);
  void give_back(std::unique_ptr<char[]> block, std::size_t capacity);

  Loop* loop_;
  std::unique_ptr<char[]> block_;
  std::uint32_t capacity_ = kSmall;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
  mutable std::uint32_t scanned_ = 0;  // no LF in so many octets after begin_
  std::uint32_t skipped_ = 0;          // octets of a line over the limit that are gone already
  bool skipped_cr_ = false;            // the last of them was CR
  bool had_crlf_ = false;
  char small_[kSmall];
};

}  // namespace sidegate::net
