// All filters of a listener through one SMTP connection, in the operator's order: what intake asks. Each sees the
// message as the one before left it. The first that refuses decides; the failure policy of each is applied here.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "milter/milter.h"

namespace sidegate::milter {

struct Decision {
  enum class Kind : std::uint8_t {
    kPass,
    kRefuse,   // with the reply
    kDiscard,  // answer 250 and forget it
    kClose,    // with the reply, which is 421; then close the connection
  };
  Kind kind = Kind::kPass;
  mail::Reply reply = {};
};

class Filters {
 public:
  Filters(const std::vector<Settings>& settings, const Dial& dial);

  // What the filters may ask for; the caller sets what it knows before each call (README.md has the list).
  Macros& macros() { return macros_; }

  // A filter that is down refuses no connection and no greeting: its policy is for messages, from mail() on.
  net::Awaitable<Decision> connect(Client client);
  net::Awaitable<Decision> helo(std::string name);
  net::Awaitable<Decision> unknown(std::string line);
  net::Awaitable<Decision> mail(std::string path, std::vector<std::string> parameters);
  net::Awaitable<Decision> rcpt(std::string path, std::vector<std::string> parameters);
  // We refuse this recipient ourselves: only for those filters that want to know.
  net::Awaitable<void> rcpt_refused(std::string path, std::vector<std::string> parameters, mail::Reply reply);
  net::Awaitable<Decision> data();
  // kPass: `message` is as the filters want it. Otherwise what it holds does not matter any more.
  net::Awaitable<Decision> message(Message& message, BodySource& body);
  net::Awaitable<void> abort();  // RSET, and every end of a transaction that is none of message()'s
  net::Awaitable<void> quit();
  void cancel();  // ends a wait under way

  bool empty() const { return members_.empty(); }
  // What the operator should read, since the last call: one line for each filter that failed.
  std::vector<std::string> take_notes() { return std::exchange(notes_, {}); }

 private:
  struct Member {
    Settings settings;
    std::unique_ptr<Milter> filter;
    bool failed = false;  // in this transaction
  };
  using Ask = std::move_only_function<net::Awaitable<Milter::Answered>(Milter&)>;
  net::Awaitable<Decision> each(Ask ask, bool early);
  Decision after_failure(Member& member, const Error& error);
  Decision decide(Member& member, Milter::Answered answered);

  Macros macros_;
  std::vector<std::unique_ptr<Member>> members_;
  bool discarded_ = false;  // a filter said so before the message came
  bool refused_ = false;    // a filter is down, and its policy is "tempfail": of this transaction
  std::string quarantine_;  // a filter is down, and its policy is "quarantine"
  std::vector<std::string> notes_;
};

}  // namespace sidegate::milter
