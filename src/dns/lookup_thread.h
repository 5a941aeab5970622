// The one thread that asks: libunbound first, and beside it a plain question where libunbound gets no answer. Started
// by the first question, so that a server whose ways out are numeric never pays for it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "dns/answer.h"
#include "dns/message.h"
#include "dns/settings.h"

namespace sidegate::dns {

class LookupThread {
 public:
  using Done = std::move_only_function<void(Answer)>;  // called on the thread, exactly once

  explicit LookupThread(ResolverSettings settings);
  ~LookupThread();  // questions under way end with kSilent
  // Both families of `name` (lower case, no dot at its end) within the settings' time-out. IPv6 and IPv4 interleaved.
  void ask(std::string name, Done done);
  // Its records of one type, within `limit`, with whether they are proven (Answer::secure).
  void ask_validated(std::string name, RecordType type, Duration limit, Done done);
  // How often other servers were taken: what was learnt of the old ones is worth nothing then.
  unsigned changes() const;
  // Its records of one type, within `limit`.
  void ask(std::string name, RecordType type, Duration limit, Done done, bool fresh = false);  // as Lookup has it

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace sidegate::dns
