// The other end of the control socket, for the command line: blocking, one request at a time.
#pragma once

#include <functional>
#include <string>

#include "admin/protocol.h"
#include "base/clock.h"

namespace sidegate::admin {

class ControlClient {
 public:
  // kNotFound, kRefused: no server is running there; kRefused also: no permission (the text says which).
  static Result<ControlClient> connect(const std::string& path);
  ControlClient(ControlClient&& other) noexcept;
  ~ControlClient();

  // Rows go to on_row as they come (false: stop, with an empty result); returns the object of the end.
  Result<std::string> ask(const Request& request, const std::function<bool(std::string)>& on_row,
                          Duration silence = std::chrono::minutes(2));

 private:
  explicit ControlClient(int fd) : fd_(fd) {}
  Result<std::string> read_line(Duration silence);
  int fd_;
  std::string buffer_;
};

}  // namespace sidegate::admin
