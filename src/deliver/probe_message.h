// The one real message of `relay test --send-to`.
#pragma once

#include <string>

#include "base/clock.h"
#include "smtp/client_session.h"

namespace sidegate::deliver {

struct TestMessageWords {
  std::string from, to, hostname, relay;
  WallTime at;
  std::string id;  // left side of the Message-ID
};
std::string test_message_text(const TestMessageWords& words);  // CRLF lines, ASCII

class TestMessage final : public smtp::ContentSource {
 public:
  explicit TestMessage(std::string text) : text_(std::move(text)) {}
  net::Awaitable<Result<std::string_view>> next() override {
    std::string_view out = given_ ? std::string_view() : std::string_view(text_);
    given_ = true;
    co_return out;
  }
  void rewind() override { given_ = false; }
  std::uint64_t size() const override { return text_.size(); }

 private:
  const std::string text_;
  bool given_ = false;
};

}  // namespace sidegate::deliver
