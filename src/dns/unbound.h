// libunbound's context, in the way we need it: forwarding only and small; with a trust anchor it validates (RFC 4035),
// which is for questions whose answers must be proven. Belongs to one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dns/answer.h"
#include "dns/message.h"

struct ub_ctx;
struct ub_result;

namespace sidegate::dns {

class Unbound {
 public:
  using Done = std::function<void(Answer)>;

  // trust_anchor: the root's DNSKEY or DS records as text, a line each; empty: nothing is validated.
  explicit Unbound(const std::vector<std::string>& servers, const std::string& trust_anchor = {});
  ~Unbound();  // what is under way is dropped
  Unbound(const Unbound&) = delete;

  // Returns the question's number, or -1: could not be asked. `done` is called from process().
  int ask(const std::string& name, RecordType type, Done done);
  void cancel(int number);
  int fd() const;  // readable: call process(); -1: no context
  void process();

 private:
  struct Question;
  static void on_result(void* question, int error, ub_result* result);
  ub_ctx* context_ = nullptr;
  std::vector<std::unique_ptr<Question>> questions_;
};

}  // namespace sidegate::dns
