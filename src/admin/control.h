// What the control server asks of the daemon: one request carried out, its rows given one by one.
#pragma once

#include <string>

#include "admin/protocol.h"
#include "net/stream.h"

namespace sidegate::admin {

class RowSink {
 public:
  virtual ~RowSink() = default;
  // Waits while the client reads slowly; an error: the client is gone, stop.
  virtual net::Awaitable<Status> row(std::string json) = 0;
};

class Control {  // called by several sessions of one loop
 public:
  virtual ~Control() = default;
  // The object of the "done" line as text.
  virtual net::Awaitable<Result<std::string>> handle(Request request, RowSink& rows) = 0;
};

}  // namespace sidegate::admin
