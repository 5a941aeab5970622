// A whole message in memory, as it goes on the wire but for the dots: header block, empty line, body. In pieces, so
// that a large one is never copied to grow.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>

namespace sidegate::submit {

class Message {
 public:
  bool eight_bit = false;

  void add(std::string text) {
    size_ += text.size();
    if (!pieces_.empty() && pieces_.back().size() + text.size() <= kPiece) {
      pieces_.back() += text;
    } else if (!text.empty()) {
      text.reserve(kPiece);
      pieces_.push_back(std::move(text));
    }
  }
  // Before everything else: the header block is known only when the body has begun.
  void set_header(std::string block) {
    block += "\r\n";
    size_ += block.size();
    pieces_.push_front(std::move(block));
  }
  std::size_t size() const { return size_; }
  const std::deque<std::string>& pieces() const { return pieces_; }

 private:
  static constexpr std::size_t kPiece = 256 * 1024;
  std::deque<std::string> pieces_;
  std::size_t size_ = 0;
};

}  // namespace sidegate::submit
