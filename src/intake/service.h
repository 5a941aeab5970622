// The sessions of one listener on one loop: begins one for each connection, and ends them all at shutdown.
#pragma once

#include <functional>
#include <memory>
#include <unordered_set>

#include "intake/context.h"
#include "intake/local_user.h"
#include "intake/policy.h"
#include "net/loop.h"
#include "tls/context.h"

namespace sidegate::smtp {
class ServerSession;
struct SessionInfo;
}  // namespace sidegate::smtp

namespace sidegate::intake {

class Intake;

class Service {  // on the loop's thread, but for the constructor
 public:
  // context and loop outlive it; it outlives its sessions (wait for sessions() == 0 after shut_down).
  Service(net::Loop& loop, IntakeContext& context, std::shared_ptr<const ListenerPolicy> policy,
          std::shared_ptr<const tls::ServerContext> tls = nullptr);  // tls: null: none is offered
  ~Service();
  Service(const Service&) = delete;

  void serve(std::unique_ptr<net::Stream> stream);
  // For the sessions that begin from now on; the others keep the snapshot they began with.
  void set_policy(std::shared_ptr<const ListenerPolicy> policy,
                  std::shared_ptr<const tls::ServerContext> tls = nullptr);
  // Each session ends with 421 when its transaction is over; `now`: at once. `ended` is called when none is left.
  void shut_down(bool now, std::function<void()> ended = {});
  std::size_t sessions() const { return sessions_.size() + handshakes_.size(); }

 private:
  struct Snapshot {  // what a session began with
    std::shared_ptr<const ListenerPolicy> policy;
    std::shared_ptr<const tls::ServerContext> tls;
  };
  net::Awaitable<void> run(std::unique_ptr<net::Stream> stream);
  net::Awaitable<void> serve_client(net::Stream& stream, const Snapshot& began);
  net::Awaitable<void> meet(Intake& intake, smtp::SessionInfo& client);
  net::Awaitable<void> converse(net::Stream& stream, Intake& intake, const smtp::SessionInfo& client,
                                const Snapshot& began);
  net::Awaitable<bool> secure(net::Stream& stream, Intake& intake, const smtp::SessionInfo& client,
                              const Snapshot& began);
  void log_connect(const smtp::SessionInfo& client, std::string_view proxy) const;
  void log_no_header(const smtp::SessionInfo& client, const Error& error) const;
  void log_disconnect(const Intake& intake, const smtp::SessionInfo& client, std::string_view commands,
                      std::string_view end, std::string_view after) const;
  net::Awaitable<LocalUser> user_of(unsigned uid);
  void forget(smtp::ServerSession* session);
  void end_if_last();

  net::Loop& loop_;
  IntakeContext& context_;
  std::shared_ptr<const ListenerPolicy> policy_;
  std::shared_ptr<const tls::ServerContext> tls_;
  std::unordered_set<smtp::ServerSession*> sessions_;
  std::unordered_set<net::Stream*> handshakes_;  // not yet a session: asked about, TLS from the first octet
  std::unordered_set<Intake*> meetings_;         // which are asking about their client
  std::function<void()> ended_;
  bool shutting_down_ = false;
};

}  // namespace sidegate::intake
