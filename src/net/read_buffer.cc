#include "net/read_buffer.h"

#include <algorithm>
#include <cstring>

#include "net/loop.h"

namespace sidegate::net {

static_assert(ReadBuffer::kLarge == Loop::kBufferSize);

ReadBuffer::~ReadBuffer() {
  if (block_) give_back(std::move(block_), capacity_);
}

void ReadBuffer::consume(std::size_t n) {
  n = std::min(n, size());
  begin_ += static_cast<std::uint32_t>(n);
  scanned_ -= static_cast<std::uint32_t>(std::min<std::size_t>(n, scanned_));
}

void ReadBuffer::clear() {
  begin_ = end_ = scanned_ = skipped_ = 0;
  skipped_cr_ = false;
}

void ReadBuffer::append(std::string_view bytes) {
  bytes = bytes.substr(0, room().size());
  if (bytes.empty()) return;
  std::memcpy(room().data(), bytes.data(), bytes.size());
  filled(bytes.size());
}

void ReadBuffer::reserve(std::size_t capacity) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (capacity <= capacity_ && end_ < capacity_) return;
  if (capacity <= capacity_ && begin_ > 0) {
    std::memmove(data(), data() + begin_, size());
    end_ -= begin_;
    begin_ = 0;
    return;
  }
  std::size_t wanted = std::max(capacity, size() + 1);
  if (wanted <= kMedium) {
    move_to(std::make_unique_for_overwrite<char[]>(kMedium), kMedium);
  } else if (wanted <= kLarge) {
    move_to(loop_ != nullptr ? loop_->borrow_buffer() : std::make_unique_for_overwrite<char[]>(kLarge), kLarge);
  } else {
    move_to(std::make_unique_for_overwrite<char[]>(wanted), wanted);
  }
}

void ReadBuffer::settle() {
  if (size() == 0) begin_ = end_ = 0;
  // A little that is left is moved as well, so that half a command does not hold a large block.
  if (block_ && size() <= kSmall / 2) move_to(nullptr, kSmall);
}

void ReadBuffer::move_to(std::unique_ptr<char[]> block, std::size_t capacity) {
  std::unique_ptr<char[]> old = std::move(block_);
  const char* from = (old ? old.get() : small_) + begin_;
  std::size_t n = size();
  std::size_t old_capacity = capacity_;
  block_ = std::move(block);
  capacity_ = static_cast<std::uint32_t>(capacity);
  std::memcpy(data(), from, n);
  begin_ = 0;
  end_ = static_cast<std::uint32_t>(n);
  if (old) give_back(std::move(old), old_capacity);
}

void ReadBuffer::give_back(std::unique_ptr<char[]> block, std::size_t capacity) {
  if (loop_ != nullptr && capacity == kLarge) loop_->return_buffer(std::move(block));
}

std::optional<Result<std::string_view>> ReadBuffer::take_line(std::size_t limit, std::size_t fatal) {
  std::string_view there = view();
  std::size_t at = there.find('\n', scanned_);
  if (at != std::string_view::npos) return end_of_line(at, limit, fatal);
  scanned_ = static_cast<std::uint32_t>(there.size());
  std::size_t seen = skipped_ + there.size();
  // One more octet may be the CR of the line's end.
  bool cr = there.empty() ? skipped_cr_ : there.back() == '\r';
  std::size_t length = seen - (cr ? 1 : 0);
  if (length > fatal) {
    clear();
    return fail(ErrorKind::kClosed, "a line of more than " + std::to_string(fatal) + " octets");
  }
  if (length > limit || skipped_ > 0) {
    clear();
    skipped_ = static_cast<std::uint32_t>(seen);
    skipped_cr_ = cr;
  }
  return std::nullopt;
}

std::optional<Result<std::string_view>> ReadBuffer::end_of_line(std::size_t at, std::size_t limit, std::size_t fatal) {
  std::string_view line = view().substr(0, at);
  had_crlf_ = line.empty() ? skipped_cr_ : line.back() == '\r';
  std::size_t length = skipped_ + line.size() - (had_crlf_ ? 1 : 0);
  bool whole = skipped_ == 0;
  skipped_ = 0;
  skipped_cr_ = false;
  scanned_ = 0;
  begin_ += static_cast<std::uint32_t>(at + 1);
  if (length > fatal) return fail(ErrorKind::kClosed, "a line of more than " + std::to_string(fatal) + " octets");
  if (!whole || length > limit)
    return fail(ErrorKind::kTooLarge, "a line of more than " + std::to_string(limit) + " octets");
  return line.substr(0, length);
}

bool ReadBuffer::has_line() const {
  std::string_view there = view();
  std::size_t at = there.find('\n', scanned_);
  scanned_ = static_cast<std::uint32_t>(at == std::string_view::npos ? there.size() : at);
  return at != std::string_view::npos;
}

}  // namespace sidegate::net
