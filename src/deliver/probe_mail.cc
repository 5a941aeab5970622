// MAIL FROM for each sender, and one message if it is asked for.
#include <algorithm>

#include "deliver/probe_message.h"
#include "deliver/probe_walk.h"

namespace sidegate::deliver {
namespace {

using smtp::Phase;

}  // namespace

std::vector<ProbeSender> Probe::senders() const {
  if (options_.sender) return {{*options_.sender, false}};
  if (!options_.senders.empty()) return options_.senders;
  if (!relay_.address.empty()) return {{relay_.address, false}};
  if (relay_.user.find('@') != std::string::npos) return {{relay_.user, false}};
  return {};
}

net::Awaitable<bool> Probe::try_senders() {
  const std::vector<ProbeSender> all = senders();
  if (all.empty()) {
    say({"mail",
         ProbeMark::kNote,
         _("not tried: no sender is known"),
         _("the user is no mail address"),
         _("give one with --from ADDRESS"),
         {}});
    co_return options_.send_to.empty() ||
        failed("send", _("not sent: no sender is known"), {"", _("give one with --from ADDRESS")});
  }
  bool good = true;
  for (const ProbeSender& sender : all) {
    ProbeSender one = sender;
    const bool taken = co_await try_sender(std::move(one));
    good = good && (taken || sender.guessed);
    if (session_ == nullptr) co_return false;
  }
  if (!good || options_.send_to.empty()) co_return good;
  std::string from = all.front().address;
  co_return co_await send(std::move(from));
}

net::Awaitable<bool> Probe::try_sender(ProbeSender sender) {
  const std::string& from = sender.address;
  Duration patience = std::min(relay_.timeouts.mail, options_.patience);
  auto taken = co_await session_->command(Phase::kMail, "MAIL FROM:<" + from + ">", patience);
  ProbeStep step{"mail", ProbeMark::kGood, {}, {}, {}, {{"sender", from}}};
  if (taken) {
    step.text = fmt::format("MAIL FROM:<{}>: {}", printable(from, 300), printable(taken->line(), 300));
    step.details.emplace_back("reply", taken->line());
    say(std::move(step));
  } else {
    ProbeAdvice advice = advise_mail(relay_, from, taken.error());
    step.mark = sender.guessed ? ProbeMark::kNote : ProbeMark::kFailed;
    step.text = words_of(taken.error());
    step.text = fmt::format("MAIL FROM:<{}>: {}", printable(from, 300), step.text);
    step.cause = std::move(advice.cause);
    step.cure = std::move(advice.cure);
    say(std::move(step));
    if (!taken.error().reply || taken.error().reply->code == 421) session_.reset();  // it is gone
    if (session_ == nullptr) co_return false;
  }
  auto reset = co_await session_->command(Phase::kMail, "RSET", patience);
  (void)reset;  // QUIT ends it as well
  co_return taken.has_value();
}

// One real message, followed to the relay's last word on it.
net::Awaitable<bool> Probe::send(std::string from) {
  // A header needs an address, also where the envelope has the null sender.
  std::string author = from.empty() ? "postmaster@" + options_.hostname : from;
  TestMessageWords words{std::move(author),           options_.send_to,     options_.hostname,
                         printable(relay_.host, 300), loop_.clock().wall(), {}};
  words.id = fmt::format("relay-test.{}",
                         std::chrono::duration_cast<std::chrono::microseconds>(words.at.time_since_epoch()).count());
  TestMessage message(test_message_text(words));
  smtp::Transmission transmission;
  transmission.reverse_path = std::move(from);
  transmission.recipients.push_back({options_.send_to, {}});
  transmission.content = &message;
  smtp::Transmitted done = co_await session_->send(transmission);
  ProbeStep step{"send", ProbeMark::kGood, {}, {}, {}, {{"recipient", options_.send_to}}};
  const std::string to = printable(options_.send_to, 300);
  if (done.final && done.final->positive()) {
    step.text = tr("sent to <{}>: {}", to, printable(done.final->line(), 300));
    step.details.emplace_back("reply", done.final->line());
    say(std::move(step));
    co_return true;
  }
  smtp::Trouble trouble;
  const auto& rcpt = done.recipients.empty() ? std::optional<mail::Reply>() : done.recipients.front();
  for (const auto& reply : {done.mail, rcpt, done.data, done.final}) {
    if (reply && !reply->positive() && reply->code != 354) trouble.reply = reply;
  }
  if (!trouble.reply && done.broken) trouble = *done.broken;
  if (done.broken) session_.reset();
  std::string text = tr("to <{}>: {}", to, words_of(trouble));
  const bool later = trouble.reply && trouble.reply->transient();
  co_return failed("send", std::move(text),
                   {later ? _("the relay does not take this message now") : _("the relay does not take this message"),
                    _("its words say why")});
}

}  // namespace sidegate::deliver
