#include "deliver/message_source.h"

namespace sidegate::deliver {
namespace {

// Each runs on the worker pool.
Result<Content> read_message(queue::Store& store, QueueId id) {
  auto message = store.message(id);
  if (!message) return std::unexpected(message.error());
  auto header = store.header(id);
  if (!header) return std::unexpected(header.error());
  return Content{std::make_shared<const queue::Message>(std::move(*message)),
                 std::make_shared<const std::string>(std::move(*header)), nullptr};
}

template <typename T>
Result<T> flat(Result<Result<T>> nested) {
  if (!nested) return std::unexpected(std::move(nested.error()));
  return std::move(*nested);
}

net::Awaitable<Result<std::string>> read_chunk(queue::Store& store, net::WorkerPool& workers,
                                               std::shared_ptr<const queue::Message> message, std::uint32_t n) {
  auto read = [&store, id = message->id, generation = message->generation, n] {
    return store.body_chunk(id, generation, n);
  };
  auto chunk = co_await net::on_worker(workers, std::move(read));
  co_return flat(std::move(chunk));
}

}  // namespace

net::Awaitable<Result<std::string_view>> MessageSource::next() {
  std::uint32_t step = step_++;
  if (step == 0 && !content_.header->empty()) co_return std::string_view(*content_.header);
  if (step == 0) step = step_++;  // no header at all: the body is the message
  if (content_.body) co_return step == 1 ? std::string_view(*content_.body) : std::string_view();
  std::uint32_t n = step - 1;
  if (n >= content_.message->chunks) co_return std::string_view();
  auto chunk = co_await read_chunk(store_, workers_, content_.message, n);
  if (!chunk) co_return std::unexpected(chunk.error());
  chunk_ = std::move(*chunk);
  co_return std::string_view(chunk_);
}

net::Awaitable<Result<Content>> read_content(queue::Store& store, net::WorkerPool& workers, QueueId id) {
  auto read = [&store, id] { return read_message(store, id); };
  auto content = co_await net::on_worker(workers, std::move(read));
  co_return flat(std::move(content));
}

net::Awaitable<Result<std::string>> read_body(queue::Store& store, net::WorkerPool& workers, Content content,
                                              std::size_t limit) {
  if (content.body) co_return content.body->substr(0, limit);
  std::string body;
  for (std::uint32_t n = 0; n < content.message->chunks && body.size() < limit; ++n) {
    auto chunk = co_await read_chunk(store, workers, content.message, n);
    if (!chunk) co_return std::unexpected(chunk.error());
    body += *chunk;
  }
  if (body.size() > limit) body.resize(limit);
  co_return body;
}

}  // namespace sidegate::deliver
