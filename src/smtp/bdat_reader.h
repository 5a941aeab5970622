// The content of BDAT commands (RFC 3030 section 2): counted octets, no dots. The same rules for line ends as in DATA
// hold over the borders of chunks, since BINARYMIME is not offered and the next hop may get it by DATA. Pure.
#pragma once

#include "smtp/content_check.h"

namespace sidegate::smtp {

class BdatReader {
 public:
  explicit BdatReader(std::size_t max_line) : check_(max_line) {}

  void begin_chunk(std::uint64_t octets, bool last) {
    left_ = octets;
    last_ = last;
    if (left_ == 0 && last_) check_.finish();
  }
  // The part of `bytes` that belongs to the chunk.
  std::string_view next(std::string_view bytes) {
    std::string_view content = bytes.substr(0, left_ < bytes.size() ? static_cast<std::size_t>(left_) : bytes.size());
    left_ -= content.size();
    check_.push(content);
    if (left_ == 0 && last_) check_.finish();
    return content;
  }
  bool chunk_done() const { return left_ == 0; }
  bool last() const { return last_; }
  std::uint64_t left() const { return left_; }

  ContentFault fault() const { return check_.fault(); }
  bool eight_bit() const { return check_.eight_bit(); }
  std::size_t longest_line() const { return check_.longest_line(); }

 private:
  std::uint64_t left_ = 0;
  bool last_ = false;
  ContentCheck check_;
};

}  // namespace sidegate::smtp
