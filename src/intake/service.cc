#include "intake/service.h"

#include <algorithm>

#include "intake/intake.h"
#include "smtp/server_session.h"

namespace sidegate::intake {
namespace {

constexpr Duration kHandshakeTimeout{30'000};

}  // namespace

Service::Service(net::Loop& loop, IntakeContext& context, std::shared_ptr<const ListenerPolicy> policy,
                 std::shared_ptr<const tls::ServerContext> tls)
    : loop_(loop), context_(context), policy_(std::move(policy)), tls_(std::move(tls)) {}

Service::~Service() = default;

void Service::serve(std::unique_ptr<net::Stream> stream) {
  loop_.spawn("smtp session", run(std::move(stream)));
}

net::Awaitable<void> Service::run(std::unique_ptr<net::Stream> stream) {
  const Snapshot began{policy_, tls_};
  std::optional<LocalUser> user;
  if (stream->peer().is_unix) user = co_await user_of(stream->peer().uid);
  Intake intake(context_, began.policy, loop_.index(), std::move(user));
  const std::string client = stream->peer().address, listener = began.policy->settings.name;
  const LogConnections told = context_.log_connections.load(std::memory_order_relaxed);
  if (told == LogConnections::kAll) context_.log.info("connect", {{"client", client}, {"listener", listener}});
  const bool implicit = began.policy->settings.tls == ListenerTls::kImplicit;
  bool secured = true;
  if (implicit) secured = co_await secure(*stream, intake, began);
  if (secured) {
    co_await converse(*stream, intake, began);
  } else if (told != LogConnections::kNone) {
    context_.log.info("disconnect", {{"client", client},
                                     {"listener", listener},
                                     {"commands", "commands=0/0"},
                                     {"end", "lost"},
                                     {"after", "CONNECT"}});
  }
}

// RFC 8314 section 3.3: TLS from the first octet. Never plain text there, whatever is missing.
net::Awaitable<bool> Service::secure(net::Stream& stream, Intake& intake, const Snapshot& began) {
  smtp::SessionInfo session;
  session.peer = stream.peer();
  session.listener = began.policy->settings.name;
  if (began.tls == nullptr || shutting_down_ || intake.admit(session)) {
    stream.close();
    co_return false;
  }
  struct Listed {
    Service& service;
    net::Stream* stream;
    ~Listed() {
      service.handshakes_.erase(stream);
      service.end_if_last();
    }
  } listed{*this, &stream};
  handshakes_.insert(&stream);
  stream.expires_after(std::min(kHandshakeTimeout, began.policy->settings.smtp.idle_timeout));
  Status shaken = co_await stream.start_tls_server(began.tls);
  if (!shaken) intake.not_secured(session, shaken.error());
  co_return shaken.has_value();
}

net::Awaitable<void> Service::converse(net::Stream& stream, Intake& intake, const Snapshot& began) {
  // The listener's settings live as long as the policy they are a part of.
  std::shared_ptr<const smtp::ServerSettings> settings(began.policy, &began.policy->settings.smtp);
  smtp::ServerSession session(stream, intake, std::move(settings), began.policy->settings.name, began.tls);
  session.set_authenticator(context_.authenticator);
  struct Listed {  // also when the session ends by an exception
    Service& service;
    smtp::ServerSession* session;
    ~Listed() { service.forget(session); }
  } listed{*this, &session};
  sessions_.insert(&session);
  if (shutting_down_) session.shut_down();
  const std::string client = stream.peer().address, listener = began.policy->settings.name;
  const LogConnections told = context_.log_connections.load(std::memory_order_relaxed);
  co_await session.run();
  co_await intake.ended();
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
  end_if_last();
}

void Service::end_if_last() {
  // Posted: the session's coroutine has still to unwind.
  if (sessions() == 0 && ended_) loop_.post(std::exchange(ended_, {}));
}

void Service::set_policy(std::shared_ptr<const ListenerPolicy> policy, std::shared_ptr<const tls::ServerContext> tls) {
  policy_ = std::move(policy);
  tls_ = std::move(tls);
}

void Service::shut_down(bool now, std::function<void()> ended) {
  shutting_down_ = true;
  if (ended) ended_ = std::move(ended);
  for (smtp::ServerSession* session : sessions_) session->shut_down(now);
  for (net::Stream* stream : handshakes_) stream->cancel();  // nothing is lost with them
  end_if_last();
}

}  // namespace sidegate::intake
