// MAIL and RCPT; what follows them is in server_content.cc.
#include "smtp/server_session.h"

namespace sidegate::smtp {

net::Awaitable<void> ServerSession::mail(std::string_view arguments) {
  auto command = parse_mail(arguments);
  if (!command) {
    answer("MAIL", command.error(), attempted_path(arguments));
    co_return;
  }
  std::string from = command->path.mailbox.text();
  // RFC 4954 section 5: the parameter belongs to the extension, which only some sessions are offered.
  if (command->has_auth && !auth_offered() && !info_.authenticated()) {
    answer("MAIL", mail::Reply(555, {5, 5, 4}, "Parameter not recognised: AUTH"), from);
    co_return;
  }
  // RFC 8689 section 3: only inside TLS, where alone it is offered; what is asked for here could not be kept any more.
  if (command->requiretls && !info_.tls) {
    answer("MAIL", mail::Reply(530, {5, 7, 10}, "REQUIRETLS needs TLS: issue STARTTLS first"), from);
    co_return;
  }
  if (over_size(command->size)) {
    answer("MAIL", content_refusal(ContentFault::kNone), from);  // RFC 1870 section 6.1
    co_return;
  }
  bool smtputf8 = command->smtputf8;
  mail::Reply reply = co_await receiver_.mail(info_, std::move(*command));
  answer("MAIL", reply, from);
  if (!reply.positive()) co_return;
  transaction_.emplace();
  transaction_->reverse_path = std::move(from);
  transaction_->smtputf8 = smtputf8;
  phase_ = kMail;
}

net::Awaitable<void> ServerSession::rcpt(std::string_view arguments) {
  Transaction& t = *transaction_;
  auto command = parse_rcpt(arguments, t.smtputf8);
  if (!command) {
    ++t.refused;
    answer("RCPT", command.error(), t.reverse_path, attempted_path(arguments));
    co_return;
  }
  std::string to = command->path.mailbox.text();
  if (t.accepted >= settings_->max_recipients) {
    // RFC 5321 section 4.5.3.1.10: the client sends the rest in another transaction.
    say("452 4.5.3 Too many recipients");
    co_return;
  }
  mail::Reply reply = co_await receiver_.rcpt(info_, std::move(*command));
  answer("RCPT", reply, t.reverse_path, to);
  if (reply.positive()) {
    ++t.accepted;
    phase_ = kRcpt;
    co_return;
  }
  ++t.refused;
  // A list with some bad addresses is no attack.
  bool harmless = t.accepted > 0 && t.refused <= settings_->max_recipients;
  if (reply.permanent() && harmless) --errors_;
}

}  // namespace sidegate::smtp
