#include "intake/notice.h"

#include <fmt/format.h>

#include "base/text.h"
#include "intake/intake.h"

namespace sidegate::intake {
namespace {

std::string message_of(const Notice& notice, const std::string& host) {
  // RFC 3834 section 5: no autoresponder is to answer it.
  return fmt::format(
      "From: Sidegate <postmaster@{}>\r\nTo: <{}>\r\nSubject: {}\r\nAuto-Submitted: auto-generated\r\n"
      "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{}",
      host, notice.to, notice.subject, notice.text);
}

Status refused(const mail::Reply& reply) {
  return fail(reply.permanent() ? ErrorKind::kNotFound : ErrorKind::kOverload, reply.line());
}

}  // namespace

net::Awaitable<Status> post_notice(IntakeContext& context, std::shared_ptr<const ListenerPolicy> policy, unsigned loop,
                                   Notice notice) {
  smtp::SessionInfo session;
  session.peer.address = "unix";
  session.peer.is_unix = true;
  session.listener = policy->settings.name;
  auto mailbox = mail::Mailbox::parse(notice.to, true);
  if (!mailbox) co_return fail(ErrorKind::kNotFound, mailbox.error().text);
  const std::string text = message_of(notice, policy->settings.smtp.hostname);
  Intake intake(context, std::move(policy), loop, LocalUser{0, "", true});  // nobody's: our own words
  smtp::MailCommand from;
  from.path.is_null = true;
  from.smtputf8 = !is_ascii(notice.to);
  mail::Reply reply = co_await intake.mail(session, std::move(from));
  if (!reply.positive()) co_return refused(reply);
  smtp::RcptCommand to;
  to.path.mailbox = std::move(*mailbox);
  reply = co_await intake.rcpt(session, std::move(to));
  if (!reply.positive()) co_return refused(reply);
  reply = co_await intake.begin(session);
  if (!reply.positive()) co_return refused(reply);
  co_await intake.content(text);
  const smtp::ContentFacts facts{!is_ascii(text), 998};
  reply = co_await intake.end(session, facts);
  if (!reply.positive()) co_return refused(reply);
  co_return Status{};
}

Notice suspension_notice(std::string to, const std::string& user, const quota::Stop& stop, const std::string& host) {
  const std::string name = printable(user, 255);
  Notice notice;
  notice.to = std::move(to);
  notice.subject = is_ascii(name) ? "User suspended: " + name : "User suspended";
  notice.text = fmt::format(
      "The mail server {0} has suspended the user\r\n\r\n    {1}\r\n\r\n"
      "because of {2}. That may be a list of many addresses; more often a\r\n"
      "password or a computer is in foreign hands and sends spam.\r\n\r\n"
      "What the user sends now is answered 450, and what the user has sent stays in\r\n"
      "the queue; all other users go on. Look at it, and delete it if it is spam:\r\n\r\n"
      "    sidegate queue list --from ADDRESS\r\n    sidegate queue delete --from ADDRESS\r\n\r\n"
      "Change the password, then let the user go on (and with that what is left in\r\n"
      "the queue):\r\n\r\n    sidegate user resume {1}\r\n",
      host, name, printable(stop.reason, 400));
  return notice;
}

}  // namespace sidegate::intake
