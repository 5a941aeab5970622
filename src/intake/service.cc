#include "intake/service.h"

#include "intake/intake.h"
#include "smtp/server_session.h"

namespace sidegate::intake {

Service::Service(net::Loop& loop, IntakeContext& context, std::shared_ptr<const ListenerPolicy> policy,
                 std::shared_ptr<const tls::ServerContext> tls)
    : loop_(loop), context_(context), policy_(std::move(policy)), tls_(std::move(tls)) {}

Service::~Service() = default;

void Service::serve(std::unique_ptr<net::Stream> stream) {
  loop_.spawn("smtp session", run(std::move(stream)));
}

net::Awaitable<void> Service::run(std::unique_ptr<net::Stream> stream) {
  std::optional<LocalUser> user;
  if (stream->peer().is_unix) user = co_await user_of(stream->peer().uid);
  Intake intake(context_, policy_, loop_.index(), std::move(user));
  // The listener's settings live as long as the policy they are a part of.
  std::shared_ptr<const smtp::ServerSettings> settings(policy_, &policy_->settings.smtp);
  smtp::ServerSession session(*stream, intake, std::move(settings), policy_->settings.name, tls_);
  struct Listed {  // also when the session ends by an exception
    Service& service;
    smtp::ServerSession* session;
    ~Listed() { service.forget(session); }
  } listed{*this, &session};
  sessions_.insert(&session);
  if (shutting_down_) session.shut_down();
  const std::string client = stream->peer().address, listener = policy_->settings.name;
  const LogConnections told = context_.log_connections.load(std::memory_order_relaxed);
  if (told == LogConnections::kAll) context_.log.info("connect", {{"client", client}, {"listener", listener}});
  co_await session.run();
  if (told == LogConnections::kNone) co_return;
  context_.log.info("disconnect", {{"client", client},
                                   {"listener", listener},
                                   {"commands", session.commands()},
                                   {"end", session.end()},
                                   {"after", session.last_command()}});
}

net::Awaitable<LocalUser> Service::user_of(unsigned uid) {
  if (context_.workers == nullptr) co_return local_user(uid);
  auto found = co_await net::on_worker(*context_.workers, [uid] { return local_user(uid); });
  co_return found ? std::move(*found) : LocalUser{uid, "uid" + std::to_string(uid)};
}

void Service::forget(smtp::ServerSession* session) {
  sessions_.erase(session);
  // Posted: the session's coroutine has still to unwind.
  if (sessions_.empty() && ended_) loop_.post(std::exchange(ended_, {}));
}

void Service::set_policy(std::shared_ptr<const ListenerPolicy> policy, std::shared_ptr<const tls::ServerContext> tls) {
  policy_ = std::move(policy);
  tls_ = std::move(tls);
}

void Service::shut_down(bool now, std::function<void()> ended) {
  shutting_down_ = true;
  if (ended) ended_ = std::move(ended);
  for (smtp::ServerSession* session : sessions_) session->shut_down(now);
  if (sessions_.empty() && ended_) loop_.post(std::exchange(ended_, {}));
}

}  // namespace sidegate::intake
