#include "milter/filters.h"

namespace sidegate::milter {

using Kind = Decision::Kind;

namespace {

Decision unavailable() {
  return {Kind::kRefuse, usual_reply(Answer::kTempfail)};
}

}  // namespace

Filters::Filters(const std::vector<Settings>& settings, const Dial& dial) {
  for (const Settings& one : settings) {
    auto member = std::make_unique<Member>(one);
    member->filter = std::make_unique<Milter>(member->settings, macros_, dial);
    members_.push_back(std::move(member));
  }
}

Decision Filters::after_failure(Member& member, const Error& error) {
  member.failed = true;
  notes_.push_back(error.text);
  switch (member.settings.on_failure) {
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

Decision Filters::decide(Member& member, Milter::Answered answered) {
  if (!answered) return after_failure(member, answered.error());
  switch (answered->kind) {
    case Verdict::Kind::kReject:
    case Verdict::Kind::kTempfail:
    case Verdict::Kind::kReply:
      return {Kind::kRefuse, std::move(answered->reply)};
    case Verdict::Kind::kShutdown:
      return {Kind::kClose, std::move(answered->reply)};
    case Verdict::Kind::kDiscard:
      discarded_ = true;
      return {};
    default:
      return {};
  }
}

// Of the first filter that objects. `ask` begins one filter's turn; `early`: before any message, where a filter that is
// down only leaves a note, since its policy speaks at MAIL.
net::Awaitable<Decision> Filters::each(Ask ask, bool early) {
  for (auto& member : members_) {
    if (member->failed) continue;
    auto answered = co_await ask(*member->filter);
    if (!answered && early) {
      notes_.push_back(answered.error().text);
      continue;
    }
    Decision decision = decide(*member, std::move(answered));
    if (decision.kind != Kind::kPass) co_return decision;
  }
  co_return Decision{};
}

net::Awaitable<Decision> Filters::connect(Client client) {
  Ask ask = [&client](Milter& filter) { return filter.connect(client); };
  co_return co_await each(std::move(ask), true);
}

net::Awaitable<Decision> Filters::helo(std::string name) {
  co_await abort();
  Ask ask = [&name](Milter& filter) { return filter.helo(name); };
  co_return co_await each(std::move(ask), true);
}

net::Awaitable<Decision> Filters::unknown(std::string line) {
  Ask ask = [&line](Milter& filter) { return filter.unknown(line); };
  co_return co_await each(std::move(ask), true);
}

net::Awaitable<Decision> Filters::mail(std::string path, std::vector<std::string> parameters) {
  co_await abort();
  Ask ask = [&](Milter& filter) { return filter.mail(path, parameters); };
  co_return co_await each(std::move(ask), false);
}

net::Awaitable<Decision> Filters::rcpt(std::string path, std::vector<std::string> parameters) {
  if (refused_) co_return unavailable();
  Ask ask = [&](Milter& filter) { return filter.rcpt(path, parameters, false); };
  co_return co_await each(std::move(ask), false);
}

net::Awaitable<void> Filters::rcpt_refused(std::string path, std::vector<std::string> parameters, mail::Reply reply) {
  if (refused_) co_return;
  // As sendmail and Postfix tell it: the mailer "error", the code where the host would stand, the text for the address.
  Macros before = macros_;
  macros_["rcpt_mailer"] = "error";
  macros_["rcpt_host"] = reply.status ? reply.status->text() : std::to_string(reply.code);
  macros_["rcpt_addr"] = reply.line();
  for (auto& member : members_) {
    if (member->failed) continue;
    auto answered = co_await member->filter->rcpt(path, parameters, true);
    if (!answered) (void)after_failure(*member, answered.error());
  }
  macros_ = std::move(before);
}

net::Awaitable<Decision> Filters::data() {
  if (refused_) co_return unavailable();
  Ask ask = [](Milter& filter) { return filter.data(); };
  co_return co_await each(std::move(ask), false);
}

net::Awaitable<Decision> Filters::message(Message& message, BodySource& body) {
  if (refused_) co_return unavailable();
  for (auto& member : members_) {
    if (member->failed || discarded_) continue;
    auto answered = co_await member->filter->message(message, body);
    Decision decision = decide(*member, std::move(answered));
    if (decision.kind != Kind::kPass) {
      co_await abort();
      co_return decision;
    }
  }
  Decision decision{discarded_ ? Kind::kDiscard : Kind::kPass};
  if (!quarantine_.empty() && !message.quarantine) message.quarantine = quarantine_;
  co_await abort();
  co_return decision;
}

net::Awaitable<void> Filters::abort() {
  for (auto& member : members_) {
    co_await member->filter->abort();
    member->failed = false;
  }
  discarded_ = false;
  refused_ = false;
  quarantine_.clear();
}

net::Awaitable<void> Filters::quit() {
  for (auto& member : members_) co_await member->filter->quit();
}

void Filters::cancel() {
  for (auto& member : members_) member->filter->cancel();
}

}  // namespace sidegate::milter
