#include "milter/link.h"

namespace sidegate::milter {

Link::~Link() {
  stream_->close();
}

net::Awaitable<Status> Link::send(std::string bytes, Duration patience) {
  stream_->expires_after(patience);
  co_return co_await stream_->write(bytes);
}

net::Awaitable<Result<Packet>> Link::read(Duration patience) {
  stream_->expires_after(patience);
  for (;;) {
    if (auto packet = reader_.next()) co_return std::move(*packet);
    auto bytes = co_await stream_->read_some();
    if (!bytes) co_return std::unexpected(bytes.error());
    std::size_t size = bytes->size();
    reader_.push(*bytes);
    stream_->consume(size);
  }
}

net::Awaitable<Status> Link::negotiate(std::uint32_t version, Duration patience) {
  const Options offer = offer_of(version);
  std::string bytes = encode_options(offer);
  auto sent = co_await send(std::move(bytes), patience);
  if (!sent) co_return sent;
  auto answer = co_await read(patience);
  if (!answer) co_return std::unexpected(answer.error());
  if (answer->code != static_cast<char>(Answer::kOptions)) {
    co_return fail(ErrorKind::kProtocol, "it answers the options with something else");
  }
  auto agreed = agree(offer, answer->data);
  if (!agreed) co_return std::unexpected(agreed.error());
  agreed_ = std::move(*agreed);
  co_return Status();
}

}  // namespace sidegate::milter
