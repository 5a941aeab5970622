#include "milter/milter.h"

#include <algorithm>

#include "mail/header.h"

namespace sidegate::milter {

namespace p = protocol;
using Kind = Verdict::Kind;

// What is not asked is `unwanted`, what is not answered `silent`.
const Milter::Event Milter::kConnectEvent{Command::kConnect, Stage::kConnect, p::kNoConnect, p::kNoReplyConnect};
const Milter::Event Milter::kHeloEvent{Command::kHelo, Stage::kHelo, p::kNoHelo, p::kNoReplyHelo};
const Milter::Event Milter::kMailEvent{Command::kMail, Stage::kMail, p::kNoMail, p::kNoReplyMail};
const Milter::Event Milter::kRcptEvent{Command::kRcpt, Stage::kRcpt, p::kNoRcpt, p::kNoReplyRcpt};
const Milter::Event Milter::kDataEvent{Command::kData, Stage::kData, p::kNoData, p::kNoReplyData};
const Milter::Event Milter::kHeaderEvent{Command::kHeader, Stage::kEndOfMessage, p::kNoHeaders, p::kNoReplyHeader};
const Milter::Event Milter::kEndOfHeaderEvent{Command::kEndOfHeader, Stage::kEndOfHeader, p::kNoEndOfHeader,
                                              p::kNoReplyEndOfHeader};
const Milter::Event Milter::kBodyEvent{Command::kBody, Stage::kEndOfMessage, p::kNoBody, p::kNoReplyBody};
const Milter::Event Milter::kUnknownEvent{Command::kUnknown, Stage::kEndOfMessage, p::kNoUnknown, p::kNoReplyUnknown};

namespace {

// Of what a filter changes, the body not counted: it is in memory until the verdict.
constexpr std::size_t kMostEdits = 256 * 1024;

bool is_connection(Command command) {
  return command == Command::kConnect || command == Command::kHelo;
}

bool has_macros(Command command) {
  return command != Command::kHeader && command != Command::kBody && command != Command::kUnknown;
}

bool passes(const Verdict& verdict) {
  return verdict.kind == Kind::kContinue || verdict.kind == Kind::kAccept;
}

}  // namespace

std::unexpected<Error> Milter::lost(Error error) {
  link_.reset();
  pending_.clear();
  state_ = State::kClosed;
  in_message_ = false;
  return std::unexpected(std::move(error));
}

void Milter::cancel() {
  cancelled_ = true;
  if (link_) link_->cancel();
}

// --- the link

net::Awaitable<Status> Milter::open() {
  if (!link_) {
    if (cancelled_) co_return lost({ErrorKind::kClosed, "the server ends"});
    auto made = co_await dial_(settings_.address, settings_.timeouts.connect);
    if (!made) co_return lost(made.error());
    if (cancelled_) co_return lost({ErrorKind::kClosed, "the server ends"});
    link_ = std::make_unique<Link>(std::move(*made));
    auto agreed = co_await link_->negotiate(settings_.version, settings_.timeouts.connect);
    if (!agreed) co_return lost(agreed.error());
  }
  state_ = State::kConnection;
  co_return Status();
}

// A link that was lost, or never made, is made now, and told what the client said so far.
net::Awaitable<Status> Milter::ensure_open() {
  if (state_ != State::kClosed) co_return Status();
  if (client_) {
    Client client = *client_;
    auto connected = co_await connect(std::move(client));
    if (!connected) co_return std::unexpected(connected.error());
  } else {
    auto opened = co_await open();
    if (!opened) co_return opened;
  }
  if (helo_ && state_ == State::kConnection) {
    std::string name = *helo_;
    auto greeted = co_await helo(std::move(name));
    if (!greeted) co_return std::unexpected(greeted.error());
  }
  co_return Status();
}

// --- one question

void Milter::queue_macros(Command command, Stage stage) {
  const std::vector<std::string>& names = link_->agreed().macros_at(stage);
  if (settings_.macros.empty()) {
    pending_ += encode_macros(command, names, macros_);
    return;
  }
  Macros values = macros_;
  values.insert(settings_.macros.begin(), settings_.macros.end());
  std::vector<std::string> all = names;
  // Those of the connection hold for every stage; the operator's are told whatever the filter asked for.
  for (const auto& [name, value] : settings_.macros) {
    if (stage == Stage::kConnect && std::ranges::find(names, name) == names.end()) all.push_back(name);
  }
  pending_ += encode_macros(command, all, values);
}

net::Awaitable<Milter::Answered> Milter::ask(const Event& event, std::string packet, Duration patience) {
  const Options& options = link_->agreed().options;
  // The macros of a stage are sent even where its event is not wanted, as Postfix does: a filter reads them later.
  if (has_macros(event.command)) queue_macros(event.command, event.stage);
  if (options.has(event.unwanted) || skipped_ == event.command) co_return Verdict{};
  // libmilter's versions: DATA came with 4, unknown commands with 3.
  if (event.command == Command::kData && options.version < 4) co_return Verdict{};
  if (event.command == Command::kUnknown && options.version < 3) co_return Verdict{};
  std::string bytes = std::exchange(pending_, {}) + packet;
  auto sent = co_await link_->send(std::move(bytes), within(patience));
  if (!sent) co_return lost(sent.error());
  if (options.has(event.silent)) co_return Verdict{};
  auto verdict = co_await read_verdict(patience, nullptr);
  if (!verdict) co_return verdict;
  co_return take(event, std::move(*verdict));
}

// A link's time for one step, within what all of a message's may take together.
Duration Milter::within(Duration patience) const {
  if (!until_) return patience;
  const auto left = std::chrono::duration_cast<Duration>(*until_ - link_->now());
  return std::clamp(left, Duration(1), patience);
}

// The next verdict; "progress" starts the wait anew, changes are taken where they may come.
net::Awaitable<Milter::Answered> Milter::read_verdict(Duration patience, Changes* changes) {
  const SteadyTime until = std::min(until_.value_or(SteadyTime::max()), link_->now() + settings_.timeouts.longest);
  for (;;) {
    auto left = std::chrono::duration_cast<Duration>(until - link_->now());
    if (left <= Duration(0)) co_return lost({ErrorKind::kTimeout, "no verdict in time"});
    auto packet = co_await link_->read(std::min(patience, left));
    if (!packet) co_return lost(packet.error());
    auto parsed = parse_answer(*packet);
    if (!parsed) co_return lost(parsed.error());
    ++answers_;
    if (parsed->is_edit) {
      if (changes == nullptr) co_return lost({ErrorKind::kProtocol, "it changes a message before its end"});
      Edit edit = std::move(parsed->edit);
      auto taken = co_await take_edit(std::move(edit), *changes);
      if (!taken) co_return lost(taken.error());
    } else if (parsed->verdict.kind != Kind::kProgress) {
      co_return std::move(parsed->verdict);
    }
  }
}

net::Awaitable<Status> Milter::take_edit(Edit edit, Changes& changes) {
  const Error too_large{ErrorKind::kTooLarge, "its changes are larger than a message may be"};
  if (edit.kind == Edit::Kind::kReplaceBody) {
    changes.new_body = true;
    changes.body_octets += edit.name.size();
    if (changes.body_octets > settings_.max_body) co_return std::unexpected(too_large);
    co_return co_await changes.body.put(std::move(edit.name));
  }
  changes.octets += edit.name.size() + edit.value.size() + sizeof(Edit);
  if (changes.octets > kMostEdits) co_return std::unexpected(too_large);
  changes.edits.push_back(std::move(edit));
  co_return Status();
}

Verdict Milter::settled(Verdict verdict, State state) {
  state_ = state;
  done_ = verdict;
  return verdict;
}

// What a verdict means at this point of the dialogue.
Milter::Answered Milter::take(const Event& event, Verdict verdict) {
  bool connection = is_connection(event.command);
  switch (verdict.kind) {
    case Kind::kContinue:
    case Kind::kProgress:
      return verdict;
    case Kind::kSkip:
      if (!link_->agreed().options.has(p::kSkip))
        return lost({ErrorKind::kProtocol, "it skips without having asked to"});
      skipped_ = event.command;
      return Verdict{};
    case Kind::kAccept:
      return settled({}, connection ? State::kConnectionDone : State::kMessageDone);
    case Kind::kDiscard:
      if (connection) return lost({ErrorKind::kProtocol, "it discards a message before there is one"});
      return settled(std::move(verdict), State::kMessageDone);
    case Kind::kShutdown:
      return settled(std::move(verdict), State::kConnectionDone);
    case Kind::kReject:
    case Kind::kTempfail:
    case Kind::kReply:
      break;
  }
  if (connection) return settled(std::move(verdict), State::kConnectionDone);
  // A refused recipient is one recipient; a refused MAIL is no message yet; an unknown command is nothing at all.
  bool one = event.command == Command::kRcpt || event.command == Command::kUnknown;
  return one ? std::move(verdict) : settled(std::move(verdict), State::kMessageDone);
}

// --- the dialogue

net::Awaitable<Milter::Answered> Milter::connect(Client client) {
  client_ = client;
  auto opened = co_await open();
  if (!opened) co_return std::unexpected(opened.error());
  std::string packet = encode_connect(client);
  co_return co_await ask(kConnectEvent, std::move(packet), settings_.timeouts.command);
}

net::Awaitable<Milter::Answered> Milter::helo(std::string name) {
  helo_ = name;
  if (state_ == State::kConnectionDone) co_return done_;
  if (state_ == State::kClosed) co_return Verdict{};  // asked again with the next message
  co_await abort();
  if (state_ == State::kClosed) co_return Verdict{};
  std::string packet = encode_helo(name);
  co_return co_await ask(kHeloEvent, std::move(packet), settings_.timeouts.command);
}

net::Awaitable<Milter::Answered> Milter::unknown(std::string line) {
  if (state_ != State::kConnection && state_ != State::kMessage) co_return Verdict{};
  std::string packet = encode_unknown(line);
  co_return co_await ask(kUnknownEvent, std::move(packet), settings_.timeouts.command);
}

net::Awaitable<Milter::Answered> Milter::mail(std::string path, std::vector<std::string> parameters) {
  auto opened = co_await ensure_open();
  if (!opened) co_return std::unexpected(opened.error());
  if (state_ == State::kConnectionDone) co_return done_;
  co_await abort();
  auto still_open = co_await ensure_open();
  if (!still_open) co_return std::unexpected(still_open.error());
  if (state_ == State::kConnectionDone) co_return done_;
  state_ = State::kMessage;
  skipped_.reset();
  in_message_ = true;
  std::string packet = encode_path(Command::kMail, path, parameters);
  co_return co_await ask(kMailEvent, std::move(packet), settings_.timeouts.command);
}

net::Awaitable<Milter::Answered> Milter::rcpt(std::string path, std::vector<std::string> parameters, bool refused) {
  if (state_ == State::kConnectionDone || state_ == State::kMessageDone) co_return refused ? Verdict{} : done_;
  if (state_ != State::kMessage) co_return Verdict{};
  if (refused && !link_->agreed().options.has(p::kRejectedRcpt)) co_return Verdict{};
  std::string packet = encode_path(Command::kRcpt, path, parameters);
  auto answered = co_await ask(kRcptEvent, std::move(packet), settings_.timeouts.command);
  // We have refused it: what the filter thinks of it changes nothing, and settles no message.
  if (answered && refused && state_ == State::kMessage) co_return Verdict{};
  co_return answered;
}

net::Awaitable<Milter::Answered> Milter::data() {
  if (state_ == State::kConnectionDone || state_ == State::kMessageDone) co_return done_;
  if (state_ != State::kMessage) co_return lost({ErrorKind::kConflict, "the link was lost in the message"});
  std::string packet = encode(Command::kData);
  co_return co_await ask(kDataEvent, std::move(packet), settings_.timeouts.command);
}

net::Awaitable<Milter::Answered> Milter::message(Message& message, BodySource& body, std::optional<SteadyTime>& until) {
  changes_.clear();
  if (state_ == State::kConnectionDone || state_ == State::kMessageDone) co_return done_;
  if (state_ != State::kMessage) co_return lost({ErrorKind::kConflict, "the link was lost in the message"});
  if (!until) until = link_->now() + settings_.timeouts.longest;
  until_ = until;
  auto answered = co_await send_message(message, body);
  until_.reset();
  body.settle(answered && passes(*answered));
  co_return answered;
}

net::Awaitable<Milter::Answered> Milter::send_message(Message& message, BodySource& body) {
  auto header = co_await send_header(message);
  if (!header || state_ != State::kMessage) co_return header;
  std::string end = encode(Command::kEndOfHeader);
  auto ended = co_await ask(kEndOfHeaderEvent, std::move(end), settings_.timeouts.content);
  if (!ended || state_ != State::kMessage) co_return ended;
  auto sent = co_await send_body(body);
  if (!sent || state_ != State::kMessage) co_return sent;
  co_return co_await end_of_message(message, body);
}

net::Awaitable<Milter::Answered> Milter::send_header(const Message& message) {
  bool leading_space = link_->agreed().options.has(p::kLeadingSpace);
  Answered answered = Verdict{};
  mail::Field field;
  for (std::size_t at = 0; mail::detail::next_field(message.header, at, field);) {
    std::string packet = encode_header(field.name, field.value, leading_space);
    answered = co_await ask(kHeaderEvent, std::move(packet), settings_.timeouts.content);
    if (!answered || state_ != State::kMessage) break;
  }
  co_return answered;
}

net::Awaitable<Milter::Answered> Milter::send_body(BodySource& body) {
  Answered answered = Verdict{};
  if (link_->agreed().options.has(p::kNoBody)) co_return answered;
  body.rewind();
  while (skipped_ != Command::kBody) {
    auto piece = co_await body.next(kBodyChunk);
    if (!piece) co_return lost(piece.error());
    if (piece->empty()) break;
    std::string packet = encode(Command::kBody, *piece);
    answered = co_await ask(kBodyEvent, std::move(packet), settings_.timeouts.content);
    if (!answered || state_ != State::kMessage) break;
  }
  co_return answered;
}

net::Awaitable<Milter::Answered> Milter::end_of_message(Message& message, BodySource& body) {
  queue_macros(Command::kEndOfBody, Stage::kEndOfMessage);
  std::string bytes = std::exchange(pending_, {}) + encode(Command::kEndOfBody);
  auto sent = co_await link_->send(std::move(bytes), within(settings_.timeouts.content));
  if (!sent) co_return lost(sent.error());
  Changes changes{body};
  auto verdict = co_await read_verdict(settings_.timeouts.content, &changes);
  if (!verdict) co_return verdict;
  in_message_ = false;
  if (verdict->kind == Kind::kSkip) co_return lost({ErrorKind::kProtocol, "it skips the end of the message"});
  if (passes(*verdict)) {
    changes_ = what_changes(changes.edits, changes.new_body);
    apply(changes.edits, link_->agreed().options.has(p::kLeadingSpace), message);
    co_return settled({}, State::kMessageDone);
  }
  State after = verdict->kind == Kind::kShutdown ? State::kConnectionDone : State::kMessageDone;
  co_return settled(std::move(*verdict), after);
}

net::Awaitable<void> Milter::abort() {
  if (state_ != State::kMessage && state_ != State::kMessageDone) co_return;
  state_ = State::kConnection;
  done_ = {};
  skipped_.reset();
  pending_.clear();
  if (!std::exchange(in_message_, false)) co_return;
  std::string bytes = encode(Command::kAbort);
  auto sent = co_await link_->send(std::move(bytes), settings_.timeouts.command);
  if (!sent) (void)lost(sent.error());  // the next message opens a new link
}

net::Awaitable<void> Milter::quit() {
  if (link_) {
    std::string bytes = encode(Command::kQuit);
    auto sent = co_await link_->send(std::move(bytes), settings_.timeouts.command);
    if (!sent) (void)lost(sent.error());
  }
  link_.reset();
  state_ = State::kClosed;
}

}  // namespace sidegate::milter
