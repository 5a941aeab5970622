// For tests: a body in memory.
#pragma once

#include "milter/milter.h"

namespace sidegate::milter {

class StringBody final : public BodySource {
 public:
  explicit StringBody(std::string text) : text_(std::move(text)) {}
  void rewind() override { at_ = 0; }
  net::Awaitable<Result<std::string_view>> next(std::size_t most) override {
    std::string_view piece = std::string_view(text_).substr(at_, most);
    at_ += piece.size();
    co_return piece;
  }
  net::Awaitable<Status> put(std::string piece) override {
    if (!other_) other_.emplace();
    *other_ += piece;
    co_return Status();
  }
  void settle(bool keep) override {
    if (other_ && keep) text_ = std::move(*other_);
    other_.reset();
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::optional<std::string> other_;
  std::size_t at_ = 0;
};

}  // namespace sidegate::milter
