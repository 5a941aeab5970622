// One name being asked for, both address families side by side or one type of record. Used by the lookup thread alone;
// no waiting here: what to do next is decided from what has been answered and from the time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "dns/answer.h"
#include "dns/plain_question.h"
#include "dns/unbound.h"

namespace sidegate::dns {

// Who answers, shared by all lookups of the thread.
struct Servers {
  std::vector<std::string> list;
  std::unique_ptr<Unbound> unbound;
  std::unique_ptr<Unbound> validating;  // null: not made, or there is no trust anchor
  SteadyTime poor_until{};  // a plain question was answered where libunbound was not: until then, plain questions only
};

class Lookup {
 public:
  // candidates: the names to try one after the other while the answer is that there is no such name.
  Lookup(std::vector<std::string> candidates, Duration timeout, SteadyTime now);
  // The records of that type alone. fresh: asked of the servers themselves, past what libunbound remembers.
  Lookup(std::string name, RecordType type, Duration timeout, SteadyTime now, bool fresh = false);

  // Its answer must be proven or known to be unproven: asked of libunbound's validator and nobody else.
  void validate() { validated_ = true; }
  bool is_validated() const { return validated_; }

  void start(Servers& servers, SteadyTime now);  // again after the servers have changed
  void step(Servers& servers, SteadyTime now);   // reads, sends what is due, goes to the next candidate
  void drop(Servers& servers);                   // cancels what is under way
  bool finished() const { return result_.has_value(); }
  Answer take() { return std::move(*result_); }
  SteadyTime next_step() const;
  void append_fds(std::vector<int>& fds) const;

 private:
  struct Family {
    RecordType type;
    Answer answer;                // settled when not kPending
    int number = -1;              // libunbound's question
    bool unbound_failed = false;  // it has given up, or was not asked
    std::unique_ptr<PlainQuestion> plain;
    bool settled() const { return answer.verdict != Verdict::kPending; }
  };
  void start(Servers& servers, Family& family, SteadyTime now);
  void step(Servers& servers, Family& family, SteadyTime now);
  void drop(Servers& servers, Family& family);
  void start_validated(Servers& servers, Family& family);
  bool answered(SteadyTime now);
  Answer combined(const Servers& servers) const;

  std::vector<std::string> candidates_;
  std::size_t candidate_ = 0;
  Family six_{RecordType::kAaaa, {}, -1, {}, {}}, four_{RecordType::kA, {}, -1, {}, {}};
  Duration plain_after_;
  SteadyTime deadline_, plain_at_;
  bool grace_given_ = false, fresh_ = false, validated_ = false;
  bool name_exists_ = false;  // one of the candidates does, without an address
  std::optional<Answer> result_;
};

}  // namespace sidegate::dns
