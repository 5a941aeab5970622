// One filter through one SMTP connection, in the order of the dialogue. What the filter says is a Verdict; that it
// could not be asked is an Error, and the link is gone then: the next message opens a new one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "milter/answer.h"
#include "milter/dial.h"
#include "milter/link.h"

namespace sidegate::milter {

// The body of a message: read as often as a filter wants it, and replaced by one that wants that. What it holds in
// memory is its own affair.
class BodySource {
 public:
  virtual ~BodySource() = default;
  virtual void rewind() = 0;
  // The next octets, at most `most`; empty at the end. Valid until the next call.
  virtual net::Awaitable<Result<std::string_view>> next(std::size_t most) = 0;
  // A piece of another body. That one takes the place of this at settle(true), and is forgotten at settle(false).
  virtual net::Awaitable<Status> put(std::string piece) = 0;
  virtual void settle(bool keep) = 0;  // also where nothing was put
};

class Milter {
 public:
  using Answered = Result<Verdict>;

  // `settings` and `macros` (the values as they are now, set by the caller before each call) outlive it.
  Milter(const Settings& settings, const Macros& macros, Dial dial)
      : settings_(settings), macros_(macros), dial_(std::move(dial)) {}

  // In this order, mail() to message() as often as there are transactions. A filter that has accepted the connection or
  // the message is not asked further; one that has refused the connection says so again. helo() again after STARTTLS.
  net::Awaitable<Answered> connect(Client client);
  net::Awaitable<Answered> helo(std::string name);
  net::Awaitable<Answered> unknown(std::string line);
  net::Awaitable<Answered> mail(std::string path, std::vector<std::string> parameters);
  // `refused`: we refuse it ourselves; a filter that asked to know (SMFIP_RCPT_REJ) is told, and has no say.
  net::Awaitable<Answered> rcpt(std::string path, std::vector<std::string> parameters, bool refused);
  net::Awaitable<Answered> data();
  // Header fields, body, end. What the filter changes is done to `message` and `body` if it lets it pass, and not at
  // all otherwise. until: when all filters of the message are to have answered; the first one sets it.
  net::Awaitable<Answered> message(Message& message, BodySource& body, std::optional<SteadyTime>& until);
  // The transaction ended without (RSET, EHLO, a refused recipient, the client went).
  net::Awaitable<void> abort();
  net::Awaitable<void> quit();

  void cancel();                                      // ends a wait under way; a link that is being made is not used
  std::uint64_t answers() const { return answers_; }  // that were read so far
  // What the last message() has changed: edits.h has the words.
  const std::string& changes() const { return changes_; }

 private:
  enum class State : std::uint8_t { kClosed, kConnection, kMessage, kMessageDone, kConnectionDone };
  struct Event {
    Command command;
    Stage stage;
    std::uint32_t unwanted;  // SMFIP_NO*
    std::uint32_t silent;    // SMFIP_NR_*
  };
  static const Event kConnectEvent, kHeloEvent, kMailEvent, kRcptEvent, kDataEvent, kHeaderEvent, kEndOfHeaderEvent,
      kBodyEvent, kUnknownEvent;

  net::Awaitable<Status> open();
  net::Awaitable<Status> ensure_open();
  net::Awaitable<Answered> ask(const Event& event, std::string packet, Duration patience);
  struct Changes {  // as they come, before the verdict
    BodySource& body;
    std::vector<Edit> edits = {};
    bool new_body = false;
    std::uint64_t body_octets = 0;
    std::size_t octets = 0;  // of the edits
  };
  net::Awaitable<Answered> read_verdict(Duration patience, Changes* changes);
  net::Awaitable<Status> take_edit(Edit edit, Changes& changes);
  net::Awaitable<Answered> send_message(Message& message, BodySource& body);
  net::Awaitable<Answered> send_header(const Message& message);
  net::Awaitable<Answered> send_body(BodySource& body);
  net::Awaitable<Answered> end_of_message(Message& message, BodySource& body);
  Duration within(Duration patience) const;
  void queue_macros(Command command, Stage stage);
  Answered take(const Event& event, Verdict verdict);
  Verdict settled(Verdict verdict, State state);
  std::unexpected<Error> lost(Error error);

  const Settings& settings_;
  const Macros& macros_;
  Dial dial_;
  std::unique_ptr<Link> link_;
  State state_ = State::kClosed;
  Verdict done_;                    // what is said again once a message or the connection is settled
  std::optional<Command> skipped_;  // SMFIR_SKIP: no more of these in this message
  std::string pending_;             // macros, sent with what follows them
  std::string changes_;
  std::uint64_t answers_ = 0;
  std::optional<SteadyTime> until_;  // while a message's content is asked about
  bool cancelled_ = false;
  bool in_message_ = false;       // the filter has seen MAIL and not the end
  std::optional<Client> client_;  // for a link that is opened later
  std::optional<std::string> helo_;
};

}  // namespace sidegate::milter
