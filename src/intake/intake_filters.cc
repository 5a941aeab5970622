// Intake's turns with its listener's filters (filtering.h): after our own decision at each command, and before the
// commit.
#include "base/text.h"
#include "intake/intake.h"
#include "smtp/command.h"

namespace sidegate::intake {
namespace {

using mail::Reply;

std::string with_parameters(std::string_view verb, const std::string& address, const std::string& parameters) {
  std::string text = std::string(verb) + ":<" + address + ">";
  if (!parameters.empty()) text += " " + parameters;
  return text;
}

std::uint32_t longest_line(std::string_view block) {
  std::size_t longest = 0;
  for (std::string_view line : split(block, '\n')) longest = std::max(longest, line.size());
  return static_cast<std::uint32_t>(longest == 0 ? 0 : longest - 1);  // each but the last has its CR
}

std::vector<std::string> addresses_of(const std::vector<Filtering::Given>& given) {
  std::vector<std::string> all;
  for (const Filtering::Given& one : given) all.push_back(one.address);
  return all;
}

bool same(const std::vector<Filtering::Given>& given, const std::vector<milter::Recipient>& recipients) {
  return std::ranges::equal(given, recipients, [](const Filtering::Given& a, const milter::Recipient& b) {
    return a.address == b.address && b.parameters.empty();
  });
}

}  // namespace

// Made at the first need. Our own words about what was dropped are shown to nobody.
Filtering* Intake::filters() {
  const bool ours = user_ && user_->name.empty();
  if (!filtering_ && !policy_->settings.milters.empty() && !ours && context_.dial_filter)
    filtering_ = std::make_unique<Filtering>(context_, policy_, loop_);
  return filtering_.get();
}

net::Awaitable<std::optional<Reply>> Intake::hello(const smtp::SessionInfo& session) {
  return filtering_->hello(session);
}

net::Awaitable<std::optional<Reply>> Intake::unknown(const smtp::SessionInfo& session, std::string line) {
  return filtering_->unknown(session, std::move(line));
}

net::Awaitable<void> Intake::ended() {
  if (filtering_) co_await filtering_->ended();
}

net::Awaitable<Reply> Intake::filtered_mail(const smtp::SessionInfo& session, smtp::MailCommand command) {
  smtp::MailCommand asked = command;
  Reply reply = co_await take_mail(session, std::move(command));
  if (!reply.positive()) co_return reply;
  incoming_->id = context_.ids.next();  // filters write it into their logs
  std::string from = incoming_->envelope.reverse_path;
  auto said = co_await filtering_->mail(session, incoming_->id, std::move(from), std::move(asked));
  if (!said) co_return reply;
  abort();
  co_return std::move(*said);
}

net::Awaitable<Reply> Intake::filtered_rcpt(const smtp::SessionInfo& session, smtp::RcptCommand command) {
  smtp::RcptCommand asked = command;
  std::string to = command.path.mailbox.text();
  if (command.path.mailbox.domain().empty()) to += "@" + own_name();
  const std::size_t before = incoming_->envelope.recipients.size();
  Reply reply = co_await take_rcpt(session, std::move(command));
  if (!reply.positive()) {
    co_await filtering_->rcpt_refused(std::move(to), std::move(asked), reply);
    co_return reply;
  }
  const auto& recipients = incoming_->envelope.recipients;
  const bool is_here = recipients.size() > before && recipients.back().destination != mail::Destination::kRoute;
  auto said = co_await filtering_->rcpt(session, std::move(to), std::move(asked), is_here);
  if (!said) co_return reply;
  incoming_->keep_recipients(before);
  submitter_.recipient_refused();
  co_return std::move(*said);
}

// --- The content: what the message is after it

net::Awaitable<std::optional<Reply>> Intake::filter_content(const smtp::SessionInfo& session,
                                                            smtp::ContentFacts& facts) {
  Incoming& in = *incoming_;
  const WallTime now = context_.clock.wall();
  milter::Message message;
  const mail::Origin origin = origin_of(session, in.envelope.smtputf8);
  message.own = trace_field(session, origin, in.envelope, now);
  message.header = screening_.tag_field() + own_header(session, in.envelope, now);
  message.from = in.envelope.reverse_path;
  (void)in.take_header();  // it is in `message` now, and not kept twice
  FilteredBody body(context_, in);
  auto said = co_await filtering_->content(session, message, body);
  body.finish();
  if (body.trouble()) {
    refuse(*body.trouble());
    co_return std::move(in.refusal);
  }
  if (said) co_return said;
  in.block = message.own + message.header;
  const std::uint32_t of_body = body.replaced() ? body.longest_line() : facts.longest_line;
  facts.longest_line = std::max(of_body, longest_line(*in.block));
  message.header = {};
  in.hold = std::move(message.quarantine);
  set_sender(message);
  if (same(filtering_->given(), message.recipients)) co_return std::nullopt;
  co_return co_await readdress(session, std::move(message));
}

// An address that is none is no reason to lose a message for.
void Intake::set_sender(const milter::Message& message) {
  mail::Envelope& envelope = incoming_->envelope;
  if (message.from == envelope.reverse_path && message.from_parameters.empty()) return;
  std::string parameters = message.from_parameters;
  if (envelope.smtputf8) parameters += parameters.empty() ? "SMTPUTF8" : " SMTPUTF8";
  auto command = smtp::parse_mail(with_parameters("FROM", message.from, parameters));
  if (!command) {
    context_.log.warning("milter_sender", {{"id", incoming_->id.text()},
                                           {"sender", message.from},
                                           {"error", command.error().text()},
                                           {"next", "the message keeps the sender it came with"}});
    return;
  }
  envelope.reverse_path = command->path.is_null ? std::string() : command->path.mailbox.text();
  if (!command->path.is_null && command->path.mailbox.domain().empty()) envelope.reverse_path += "@" + own_name();
  if (command->ret != mail::Ret::kUnspecified) envelope.ret = command->ret;
  if (!command->envid.empty()) envelope.envid = std::move(command->envid);
}

// All recipients are resolved anew, as RCPT resolves them: what is left of an alias's recipients is known only then. A
// filter is the operator's: those it adds may be anywhere.
net::Awaitable<std::optional<Reply>> Intake::readdress(const smtp::SessionInfo& session, milter::Message message) {
  Incoming& in = *incoming_;
  in.keep_recipients(0);
  in.ends.clear();
  const std::vector<std::string> given = addresses_of(filtering_->given());
  for (const milter::Recipient& recipient : message.recipients) {
    auto before = std::ranges::find(given, recipient.address);
    const bool added = before == given.end();
    smtp::Parsed<smtp::RcptCommand> command =
        added ? smtp::parse_rcpt(with_parameters("TO", recipient.address, recipient.parameters), in.envelope.smtputf8)
              : filtering_->given()[static_cast<std::size_t>(before - given.begin())].command;
    Reply reply = command ? Reply(250, "") : command.error();
    if (command) {
      const bool may = added || may_relay(session, *policy_);
      reply = co_await take_recipient(may, std::move(*command));
    }
    if (reply.positive()) continue;
    // Nothing is lost: the client has it still, and the operator is told.
    context_.log.error("milter_recipient",
                       {{"id", in.id.text()}, {"to", recipient.address}, {"added", added}, {"error", reply.line()}});
    co_return Reply(451, {4, 3, 0}, in.id.text() + ": Trouble with a recipient that a filter chose, try again later");
  }
  if (!in.envelope.recipients.empty()) co_return std::nullopt;
  context_.log.info("milter", {{"id", in.id.text()},
                               {"stage", "END-OF-MESSAGE"},
                               {"verdict", "discard"},
                               {"reason", "no recipient is left"},
                               {"from", in.envelope.reverse_path}});
  co_return Reply(250, {2, 0, 0}, "queued as " + in.id.text());
}

}  // namespace sidegate::intake
