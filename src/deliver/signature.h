// Our signatures on a message as it leaves (room dkim), after every rewriting and conversion. The body's hash was made
// while it came in; where it was not, or the way carries another body, it is made in a pass over what will be sent.
#pragma once

#include <string>
#include <vector>

#include "deliver/guise.h"
#include "deliver/settings.h"
#include "net/worker_pool.h"
#include "smtp/client_session.h"

namespace sidegate::deliver {

// A source with fields put before it.
class SignedSource final : public smtp::ContentSource {
 public:
  SignedSource(smtp::ContentSource& from, std::string fields) : from_(from), fields_(std::move(fields)) {}

  net::Awaitable<Result<std::string_view>> next() override {
    if (!std::exchange(begun_, true)) co_return std::string_view(fields_);
    co_return co_await from_.next();
  }
  void rewind() override {
    begun_ = false;
    from_.rewind();
  }
  std::uint64_t size() const override { return fields_.size() + from_.size(); }

 private:
  smtp::ContentSource& from_;
  std::string fields_;
  bool begun_ = false;
};

// Whether any key may be asked: mail of our own people, by a way that is to sign. A branch where there are no keys.
bool may_sign(const RelaySettings& way, const DeliverSettings& settings, const queue::Message& message);

// The fields of all keys that sign this message as it leaves; empty: none does. converted: `source` is not the message
// as it is stored. kBadInput: its header is malformed, and it must not be signed by our reading of it.
net::Awaitable<Result<std::string>> signature_fields(net::WorkerPool& workers, const DeliverSettings& settings,
                                                     const Guise& guise, smtp::ContentSource& source, bool converted,
                                                     WallTime now);

}  // namespace sidegate::deliver
