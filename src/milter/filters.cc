#include "milter/filters.h"

namespace sidegate::milter {
namespace {

Decision unavailable() {
  return {Decision::Kind::kRefuse, usual_reply(Answer::kTempfail)};
}

}  // namespace

const char* name(Note::What what) {
  switch (what) {
    case Note::What::kFailed:
      return "failed";
    case Note::What::kRefused:
      return "reject";
    case Note::What::kClosed:
      return "shutdown";
    case Note::What::kDiscarded:
      return "discard";
    case Note::What::kQuarantined:
      return "quarantine";
    case Note::What::kChanged:
      return "change";
  }
  return "";
}

Filters::Filters(const std::vector<Settings>& settings, const Dial& dial, Health* health) : health_(health) {
  for (const Settings& one : settings) members_.push_back(std::make_unique<Member>(one, macros_, dial));
}

void Filters::note_failure(const Member& member, At at, const Error& error) {
  notes_.push_back({member.settings.name, at, Note::What::kFailed, error.text});
  if (health_ && !cancelled_) health_->failed(member.settings, at, error.text);
}

Decision Filters::after_failure(Member& member, At at, const Error& error) {
  member.failed = true;
  note_failure(member, at, error);
  switch (cancelled_ ? OnFailure::kTempfail : member.settings.on_failure) {
    case OnFailure::kAccept:
      return {};
    case OnFailure::kQuarantine:
      quarantine_ = "milter " + member.settings.name + " is not available";
      return {};
    case OnFailure::kTempfail:
      break;
  }
  refused_ = true;
  return unavailable();
}

Decision Filters::decide(Member& member, At at, Milter::Answered answered) {
  const std::uint64_t before = std::exchange(member.answers, member.filter.answers());
  if (!answered) return after_failure(member, at, answered.error());
  const bool fresh = member.answers != before;  // else it is what was said before, or nothing
  if (health_ && fresh) health_->answered(member.settings, at);
  auto note = [&](Note::What what) {
    if (fresh) notes_.push_back({member.settings.name, at, what, answered->reply.line()});
  };
  switch (answered->kind) {
    case Verdict::Kind::kReject:
    case Verdict::Kind::kTempfail:
    case Verdict::Kind::kReply:
      note(Note::What::kRefused);
      return {Decision::Kind::kRefuse, std::move(answered->reply)};
    case Verdict::Kind::kShutdown:
      note(Note::What::kClosed);
      return {Decision::Kind::kClose, std::move(answered->reply)};
    case Verdict::Kind::kDiscard:
      if (fresh) notes_.push_back({member.settings.name, at, Note::What::kDiscarded, {}});
      discarded_ = true;
      return {};
    default:
      return {};
  }
}

// Of the first filter that objects. `ask` begins one filter's turn. At what belongs to no message a filter that is down
// only leaves a note, since its policy speaks at MAIL.
net::Awaitable<Decision> Filters::each(At at, Ask ask) {
  const bool early = at == At::kConnect || at == At::kHelo || at == At::kUnknown;
  for (auto& member : members_) {
    if (member->failed || cancelled_) continue;
    auto answered = co_await ask(member->filter);
    if (!answered && early) {
      note_failure(*member, at, answered.error());
      continue;
    }
    Decision decision = decide(*member, at, std::move(answered));
    if (decision.kind != Decision::Kind::kPass) co_return decision;
  }
  co_return cancelled_ && !early ? unavailable() : Decision{};
}

net::Awaitable<Decision> Filters::connect(Client client) {
  Ask ask = [&client](Milter& filter) { return filter.connect(client); };
  co_return co_await each(At::kConnect, std::move(ask));
}

net::Awaitable<Decision> Filters::helo(std::string name) {
  co_await abort();
  Ask ask = [&name](Milter& filter) { return filter.helo(name); };
  co_return co_await each(At::kHelo, std::move(ask));
}

net::Awaitable<Decision> Filters::unknown(std::string line) {
  Ask ask = [&line](Milter& filter) { return filter.unknown(line); };
  co_return co_await each(At::kUnknown, std::move(ask));
}

net::Awaitable<Decision> Filters::mail(std::string path, std::vector<std::string> parameters) {
  co_await abort();
  Ask ask = [&](Milter& filter) { return filter.mail(path, parameters); };
  co_return co_await each(At::kMail, std::move(ask));
}

net::Awaitable<Decision> Filters::rcpt(std::string path, std::vector<std::string> parameters) {
  if (refused_) co_return unavailable();
  Ask ask = [&](Milter& filter) { return filter.rcpt(path, parameters, false); };
  co_return co_await each(At::kRcpt, std::move(ask));
}

net::Awaitable<void> Filters::rcpt_refused(std::string path, std::vector<std::string> parameters, mail::Reply reply) {
  if (refused_) co_return;
  // As sendmail and Postfix tell it: the mailer "error", the code where the host would stand, the text for the address.
  Macros before = macros_;
  macros_["rcpt_mailer"] = "error";
  macros_["rcpt_host"] = reply.status ? reply.status->text() : std::to_string(reply.code);
  macros_["rcpt_addr"] = reply.line();
  for (auto& member : members_) {
    if (member->failed || cancelled_) continue;
    auto answered = co_await member->filter.rcpt(path, parameters, true);
    if (!answered) (void)after_failure(*member, At::kRcpt, answered.error());
  }
  macros_ = std::move(before);
}

net::Awaitable<Decision> Filters::data() {
  if (refused_) co_return unavailable();
  Ask ask = [](Milter& filter) { return filter.data(); };
  co_return co_await each(At::kData, std::move(ask));
}

void Filters::note_changes(const Member& member, const std::optional<std::string>& quarantine_before,
                           const Message& message) {
  if (!member.filter.changes().empty())
    notes_.push_back({member.settings.name, At::kContent, Note::What::kChanged, member.filter.changes()});
  if (message.quarantine && message.quarantine != quarantine_before)
    notes_.push_back({member.settings.name, At::kContent, Note::What::kQuarantined, *message.quarantine});
}

net::Awaitable<Decision> Filters::message(Message& message, BodySource& body) {
  if (refused_) co_return unavailable();
  std::optional<SteadyTime> until;
  for (auto& member : members_) {
    if (member->failed || discarded_ || cancelled_) continue;
    const std::optional<std::string> quarantine = message.quarantine;
    auto answered = co_await member->filter.message(message, body, until);
    const bool there = answered.has_value();
    Decision decision = decide(*member, At::kContent, std::move(answered));
    if (decision.kind != Decision::Kind::kPass) {
      co_await abort();
      co_return decision;
    }
    if (there) note_changes(*member, quarantine, message);
  }
  if (cancelled_) co_return unavailable();
  Decision decision{discarded_ ? Decision::Kind::kDiscard : Decision::Kind::kPass};
  if (!quarantine_.empty() && !message.quarantine) message.quarantine = quarantine_;
  co_await abort();
  co_return decision;
}

net::Awaitable<void> Filters::abort() {
  for (auto& member : members_) {
    co_await member->filter.abort();
    member->failed = false;
  }
  discarded_ = false;
  refused_ = false;
  quarantine_.clear();
}

net::Awaitable<void> Filters::quit() {
  co_await abort();
  for (auto& member : members_) co_await member->filter.quit();
}

void Filters::cancel() {
  cancelled_ = true;
  for (auto& member : members_) member->filter.cancel();
}

}  // namespace sidegate::milter
