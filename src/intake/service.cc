#include "intake/service.h"

#include <algorithm>

#include "intake/intake.h"
#include "screen/proxy_header.h"
#include "smtp/server_session.h"

namespace sidegate::intake {
namespace {

constexpr Duration kHandshakeTimeout{30'000};
constexpr Duration kProxyHeaderTimeout{10'000};

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
  struct Listed {
    Service& service;
    net::Stream* stream;
    ~Listed() {
      service.handshakes_.erase(stream);
      service.end_if_last();
    }
  } listed{*this, stream.get()};
  handshakes_.insert(stream.get());
  co_await serve_client(*stream, began);
}

net::Awaitable<void> Service::serve_client(net::Stream& stream, const Snapshot& began) {
  smtp::SessionInfo client;
  client.peer = stream.peer();
  client.listener = began.policy->settings.name;
  if (sends_proxy_header(client.peer, *began.policy)) {
    auto header = co_await screen::read_proxy_header(stream, kProxyHeaderTimeout);
    if (!header) co_return log_no_header(client, header.error());
    client.peer = screen::told_peer(client.peer, *header);
  }
  client.may_xclient = may_xclient(client.peer, *began.policy);
  std::optional<LocalUser> user;
  if (client.peer.is_unix) user = co_await user_of(client.peer.uid);
  Intake intake(context_, began.policy, loop_.index(), std::move(user));
  const bool welcome = intake.admit(client);
  if (welcome) co_await meet(intake, client);
  log_connect(client, stream.peer().address);
  const bool implicit = began.policy->settings.tls == ListenerTls::kImplicit;
  bool secured = true;
  if (implicit) secured = co_await secure(stream, intake, client, began);
  if (secured) {
    handshakes_.erase(&stream);
    co_await converse(stream, intake, client, began);
  } else {
    log_disconnect(intake, client, "commands=0/0", "lost", "CONNECT");
  }
}

net::Awaitable<void> Service::meet(Intake& intake, smtp::SessionInfo& client) {
  struct Listed {
    Service& service;
    Intake* intake;
    ~Listed() { service.meetings_.erase(intake); }
  } listed{*this, &intake};
  meetings_.insert(&intake);
  co_await intake.meet(client);
}

// RFC 8314 section 3.3: TLS from the first octet. Never plain text there, whatever is missing.
net::Awaitable<bool> Service::secure(net::Stream& stream, Intake& intake, const smtp::SessionInfo& client,
                                     const Snapshot& began) {
  if (!intake.admit(client)) {
    co_await intake.connected(client);  // tells the log why
    stream.close();
    co_return false;
  }
  if (began.tls == nullptr || shutting_down_) {
    stream.close();
    co_return false;
  }
  stream.expires_after(std::min(kHandshakeTimeout, began.policy->settings.smtp.idle_timeout));
  stream.expect_tls();
  Status shaken = co_await stream.start_tls_server(began.tls);
  if (!shaken) intake.not_secured(client, shaken.error());
  co_return shaken.has_value();
}

net::Awaitable<void> Service::converse(net::Stream& stream, Intake& intake, const smtp::SessionInfo& client,
                                       const Snapshot& began) {
  // The listener's settings live as long as the policy they are a part of.
  std::shared_ptr<const smtp::ServerSettings> settings(began.policy, &began.policy->settings.smtp);
  smtp::ServerSession session(stream, intake, std::move(settings), began.policy->settings.name, began.tls);
  session.set_client(client);
  session.set_authenticator(context_.authenticator);
  struct Listed {  // also when the session ends by an exception
    Service& service;
    smtp::ServerSession* session;
    ~Listed() { service.forget(session); }
  } listed{*this, &session};
  sessions_.insert(&session);
  if (shutting_down_) session.shut_down();
  co_await session.run();
  co_await intake.ended();
  log_disconnect(intake, session.client(), session.commands(), session.end(), session.last_command());
}

void Service::log_connect(const smtp::SessionInfo& client, std::string_view proxy) const {
  if (context_.log_connections.load(std::memory_order_relaxed) != LogConnections::kAll) return;
  context_.log.info("connect", {{"client", client.peer.address},
                                {"client_name", client.client_name},
                                {"proxy", client.peer.told == net::Told::kSocket ? std::string_view() : proxy},
                                {"listener", client.listener}});
}

// A proxy that says nothing, or nonsense: what follows cannot be put down to anybody. It gets no word, as its protocol
// says.
void Service::log_no_header(const smtp::SessionInfo& client, const Error& error) const {
  context_.log.warning("no_proxy_header",
                       {{"client", client.peer.address}, {"listener", client.listener}, {"reason", error.text}});
}

void Service::log_disconnect(const Intake& intake, const smtp::SessionInfo& client, std::string_view commands,
                             std::string_view end, std::string_view after) const {
  if (context_.log_connections.load(std::memory_order_relaxed) == LogConnections::kNone) return;
  const std::string client_name = intake.client_name(client);
  context_.log.info("disconnect", {{"client", client.peer.address},
                                   {"client_name", client_name},
                                   {"listener", client.listener},
                                   {"commands", commands},
                                   {"end", end},
                                   {"after", after}});
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
  for (Intake* intake : meetings_) intake->cancel();
  end_if_last();
}

}  // namespace sidegate::intake
