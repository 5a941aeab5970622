#include "daemon/server.h"

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "daemon/server_parts.h"

namespace sidegate::daemon {
namespace {

// Waits, on the main thread, for things that end on other threads.
class Countdown {
 public:
  explicit Countdown(std::size_t count) : left_(count) {}
  void one() {
    std::lock_guard lock(mutex_);
    if (--left_ == 0) done_.notify_all();
  }
  bool wait(Duration limit) {
    std::unique_lock lock(mutex_);
    return done_.wait_for(lock, limit, [this] { return left_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  std::size_t left_;
};

net::Awaitable<void> stop_courier(deliver::Courier* courier, Duration patience, std::shared_ptr<Countdown> stopped) {
  co_await courier->stop(patience);
  stopped->one();
}

}  // namespace

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() {
  if (!parts_) return;
  if (!parts_->drained) drain(Duration(0));
}

Result<std::unique_ptr<Server>> Server::start(config::Loaded loaded, std::vector<BoundListener> listeners,
                                              int control_descriptor, int helper_descriptor, About about, Log& log,
                                              std::function<Result<std::vector<std::string>>()> reload) {
  unsigned threads = static_cast<unsigned>(listeners.front().descriptors.size());
  auto parts = std::make_unique<Parts>(std::move(loaded), threads, log);
  parts->helper = std::make_unique<helper::Client>(helper_descriptor);
  if (std::string off = parts->helper->what_is_off(); !off.empty()) about.off.push_back(std::move(off));
  if (Status opened = parts->open_queue(); !opened) return std::unexpected(opened.error());
  parts->keep_srs_secret();
  parts->make_logins();
  parts->ask_helper_for_users();
  parts->read_aliases();
  parts->make_couriers();
  for (const BoundListener& listener : listeners) {
    net::Endpoint at{listener.policy->settings.address, net::bound_port(listener.descriptors.front())};
    log.info("listening", {{"listener", listener.policy->settings.name}, {"address", at.text()}});
  }
  parts->make_control(control_descriptor, std::move(about), std::move(reload));
  if (Status serving = parts->serve(std::move(listeners)); !serving) return std::unexpected(serving.error());
  parts->make_pickup();
  parts->loader =
      std::make_unique<QueueLoader>(*parts->store, parts->scheduler, parts->poison.get(), log, parts->clock, threads);
  parts->loader->start();
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

void Server::when_all_have_had_a_turn(std::function<void()> then) {
  struct Turns {
    std::atomic<std::size_t> left;
    std::function<void()> then;
  };
  auto turns = std::make_shared<Turns>(parts_->loops.size(), std::move(then));
  for (std::size_t i = 0; i < parts_->loops.size(); ++i) {
    parts_->loops[i].post([turns] {
      if (turns->left.fetch_sub(1) == 1) turns->then();
    });
  }
}

bool Server::drain(Duration limit) {
  Parts& p = *parts_;
  p.drained = true;
  if (p.control) p.control->stop();
  for (auto& acceptor : p.acceptors) acceptor->stop();
  auto stopped = std::make_shared<Countdown>(p.services.size() + p.couriers.size() + (p.pickup ? 1 : 0) + 1);
  p.loops[0].post([&p, stopped] {
    p.tells_no_more = true;
    p.telling ? void(p.told = [stopped] { stopped->one(); }) : stopped->one();
  });
  if (p.pickup) {
    p.loops[0].post([&p, stopped] { p.pickup->stop([stopped] { stopped->one(); }); });
  }
  for (std::size_t i = 0; i < p.services.size(); ++i) {
    net::Loop& loop = p.loops[i % p.loops.size()];
    intake::Service* service = p.services[i].get();
    loop.post([service, stopped] { service->shut_down(false, [stopped] { stopped->one(); }); });
  }
  for (std::size_t i = 0; i < p.couriers.size(); ++i) {
    p.loops[i].spawn("stopping a courier", stop_courier(p.couriers[i].get(), limit, stopped));
  }
  bool all = stopped->wait(limit);
  if (!all) {
    for (std::size_t i = 0; i < p.services.size(); ++i) {
      intake::Service* service = p.services[i].get();
      p.loops[i % p.loops.size()].post([service] { service->shut_down(true); });
    }
    all = stopped->wait(Duration(5000));
  }
  p.loader.reset();
  p.loops.stop_and_join();
  p.acceptors.clear();
  p.pickup.reset();
  if (p.poison) p.poison->end();
  if (p.ledger) p.ledger->finish();
  if (p.tls) p.tls->finish();
  p.store.reset();  // finishes and syncs what it was given
  return all;
}

}  // namespace sidegate::daemon
