// The content of a message as it goes out: header block (perhaps another one than was stored), then body, untouched
// octets. A fresh message comes from
// memory; others are read from the store chunk by chunk, so that a large body is never in memory as a whole.
#pragma once

#include <memory>
#include <string>

#include "net/worker_pool.h"
#include "queue/content_cache.h"
#include "queue/store.h"
#include "smtp/client_session.h"

namespace sidegate::deliver {

using Content = queue::Content;  // message, header, and the body where it is in memory as a whole

class MessageSource final : public smtp::ContentSource {
 public:
  MessageSource(queue::Store& store, net::WorkerPool& workers, Content content)
      : store_(store), workers_(workers), content_(std::move(content)) {}

  net::Awaitable<Result<std::string_view>> next() override;
  void rewind() override { step_ = 0; }
  std::uint64_t size() const override { return content_.header->size() + content_.message->body_size; }

 private:
  queue::Store& store_;
  net::WorkerPool& workers_;
  Content content_;
  std::uint32_t step_ = 0;  // 0: the header; n + 1: chunk n
  std::string chunk_;
};

// From the store: kNotFound when the message is gone.
net::Awaitable<Result<Content>> read_content(queue::Store& store, net::WorkerPool& workers, QueueId id);
// At most `limit` octets of the body, whole chunks from memory or disk: what a report returns.
net::Awaitable<Result<std::string>> read_body(queue::Store& store, net::WorkerPool& workers, Content content,
                                              std::size_t limit);

}  // namespace sidegate::deliver
