#include "net/run_script.h"

namespace sidegate::net {

std::size_t repeat_with_errors(const std::function<void(ScriptStream& stream, const Fault* fault)>& body) {
  ScriptStream whole;
  body(whole, nullptr);
  std::size_t runs = 1;
  for (std::size_t at = 0; at < whole.operations(); ++at) {
    for (ErrorKind kind : {ErrorKind::kClosed, ErrorKind::kTimeout}) {
      Fault fault{at, kind};
      ScriptStream stream;
      stream.fail_at(fault);
      body(stream, &fault);
      ++runs;
    }
  }
  return runs;
}

}  // namespace sidegate::net
