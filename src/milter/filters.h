// All filters of a listener through one SMTP connection, in the operator's order: what intake asks. Each sees the
// message as the one before left it. The first that refuses decides; the failure policy of each is applied here.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "milter/health.h"
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

// Something to tell the operator: a filter that failed, or what one said that is more than "go on".
struct Note {
  enum class What : std::uint8_t { kFailed, kRefused, kClosed, kDiscarded, kQuarantined, kChanged };
  std::string milter;
  At at = At::kConnect;
  What what = What::kFailed;
  std::string text;  // the error; the reply; the reason; what was changed
  bool operator==(const Note&) const = default;
};
const char* name(Note::What what);  // "failed", "reject", "shutdown", "discard", "quarantine", "change"

class Filters {
 public:
  // `settings` and `health` outlive it.
  Filters(const std::vector<Settings>& settings, const Dial& dial, Health* health = nullptr);

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
  // Ends a wait under way; no filter is asked any more, and each counts as down with the policy "tempfail". For the end
  // of the server.
  void cancel();

  // What has come up since the last call.
  std::vector<Note> take_notes() { return std::exchange(notes_, {}); }

 private:
  struct Member {
    Member(const Settings& from, const Macros& macros, const Dial& dial)
        : settings(from), filter(settings, macros, dial) {}
    const Settings& settings;
    Milter filter;
    std::uint64_t answers = 0;  // that are known
    bool failed = false;        // in this transaction
  };
  using Ask = std::move_only_function<net::Awaitable<Milter::Answered>(Milter&)>;
  net::Awaitable<Decision> each(At at, Ask ask);
  void note_failure(const Member& member, At at, const Error& error);
  Decision after_failure(Member& member, At at, const Error& error);
  Decision decide(Member& member, At at, Milter::Answered answered);
  void note_changes(const Member& member, const std::optional<std::string>& quarantine_before, const Message& message);

  Macros macros_;
  std::vector<std::unique_ptr<Member>> members_;
  bool discarded_ = false;  // a filter said so before the message came
  bool refused_ = false;    // a filter is down, and its policy is "tempfail": of this transaction
  std::string quarantine_;  // a filter is down, and its policy is "quarantine"
  bool cancelled_ = false;
  Health* health_;
  std::vector<Note> notes_;
};

}  // namespace sidegate::milter
