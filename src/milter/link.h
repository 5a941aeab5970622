// One connection to a filter: packets over a Stream, each with its deadline.
#pragma once

#include <memory>
#include <string>

#include "milter/options.h"
#include "milter/packet.h"
#include "milter/settings.h"
#include "net/stream.h"

namespace sidegate::milter {

class Link {
 public:
  explicit Link(std::unique_ptr<net::Stream> stream) : stream_(std::move(stream)) {}
  ~Link();

  net::Awaitable<Status> negotiate(std::uint32_t version, Duration patience);
  net::Awaitable<Status> send(std::string bytes, Duration patience);
  net::Awaitable<Result<Packet>> read(Duration patience);
  const Agreed& agreed() const { return agreed_; }
  SteadyTime now() const { return stream_->now(); }
  void cancel() { stream_->cancel(); }

 private:
  std::unique_ptr<net::Stream> stream_;
  PacketReader reader_;
  Agreed agreed_;
};

}  // namespace sidegate::milter
