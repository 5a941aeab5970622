// Which of a relay's candidates works, as it was learnt: the others are not tried before it, but for a look from the
// top now and then. Shared by all loops.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "deliver/candidates.h"

namespace sidegate::deliver {

class Rungs {  // thread-safe
 public:
  // The candidates in the order in which they are to be tried now. One opening alone is sent to look from the top.
  std::vector<Candidate> in_order(std::vector<Candidate> all, SteadyTime now);
  // `all` as it was written. True: it is another one than before, worth a line in the log.
  bool worked(const Candidate& candidate, const Candidate& top, SteadyTime now);
  std::string current() const;  // "" while nothing was learnt, or where the first one works

 private:
  mutable std::mutex mutex_;
  std::string good_;  // Candidate::text()
  bool is_top_ = true;
  SteadyTime look_at_{};
};

}  // namespace sidegate::deliver
