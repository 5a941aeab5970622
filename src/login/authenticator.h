// The `login` room's answer to smtp/authenticator.h: back ends in turn, the cache before them, failures behind.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "base/log.h"
#include "login/backend.h"
#include "login/credential_cache.h"
#include "login/failures.h"
#include "net/worker_pool.h"
#include "smtp/authenticator.h"

namespace sidegate::login {

class Authenticator final : public smtp::Authenticator {  // thread-safe
 public:
  // helper: for PAM; null: there is none. fake_key: what unknown users' salts are made of; the same after a restart.
  Authenticator(Settings settings, const helper::Client* helper, std::string fake_key, Clock& clock, Log& log);
  ~Authenticator() override;  // waits for the checks under way: each has a deadline

  // A reload: exchanges under way end with what they began with.
  void set(Settings settings);

  std::vector<std::string_view> mechanisms(bool binding, bool certificate) const override;
  net::Awaitable<smtp::LoginVerdict> password(smtp::LoginTry attempt, std::string user, std::string password) override;
  net::Awaitable<smtp::LoginVerdict> token(smtp::LoginTry attempt, std::string user, std::string token) override;
  net::Awaitable<Result<auth::Secret>> secret(smtp::LoginTry attempt, std::string user) override;
  net::Awaitable<smtp::LoginVerdict> proven(smtp::LoginTry attempt, std::string user) override;
  net::Awaitable<void> failed(smtp::LoginTry attempt, std::string user, std::string why, smtp::LoginEnd end) override;
  void succeeded(smtp::LoginTry attempt, const std::string& user) override;

 private:
  struct Asked {  // a back end and the workers that are its own
    std::string name;
    std::shared_ptr<Backend> backend;
    net::WorkerPool* pool;
  };
  struct State {
    Settings settings;
    std::shared_ptr<const UserFile> users;  // null: the file is not among the back ends
    std::vector<Asked> backends;
    std::vector<std::string_view> offered;
  };
  std::shared_ptr<const State> state() const;
  std::shared_ptr<State> make_state(Settings settings);
  std::shared_ptr<Backend> make_backend(const std::string& name, const State& state) const;
  net::WorkerPool& pool(const std::string& name, std::uint32_t concurrent);
  bool can(const State& state, auth::Needs needs) const;
  bool may_try(const smtp::LoginTry& attempt, const std::string& user);
  net::Awaitable<smtp::LoginVerdict> check(char kind, std::string user, std::string secret);
  net::Awaitable<smtp::LoginVerdict> ask_all(std::shared_ptr<const State> state, char kind, std::string user,
                                             std::string secret);

  const helper::Client* helper_;
  const std::string fake_key_;
  Clock& clock_;
  Log& log_;
  Failures failures_;
  CredentialCache cache_;
  std::map<std::string, std::unique_ptr<net::WorkerPool>> pools_;  // one a kind of back end, for the process's life
  mutable std::mutex mutex_;
  std::shared_ptr<const State> state_;
};

}  // namespace sidegate::login
