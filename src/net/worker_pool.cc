#include "net/worker_pool.h"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace sidegate::net {

struct WorkerPool::State {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::move_only_function<void()>> waiting;
  std::size_t limit = 0;
  bool ending = false;
  std::vector<std::thread> threads;

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [this] { return ending || !waiting.empty(); });
      if (waiting.empty()) return;  // ending, and all is done
      auto work = std::move(waiting.front());
      waiting.pop_front();
      lock.unlock();
      work();
      work = nullptr;  // what it owns is destroyed without the lock
      lock.lock();
    }
  }
};

WorkerPool::WorkerPool(unsigned threads, std::size_t limit) : state_(std::make_unique<State>()) {
  state_->limit = limit;
  for (unsigned i = 0; i < std::max(threads, 1u); ++i) {
    state_->threads.emplace_back([state = state_.get(), i] {
      pthread_setname_np(pthread_self(), ("worker-" + std::to_string(i)).c_str());
      state->run();
    });
  }
}

WorkerPool::~WorkerPool() {
  {
    std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->wake.notify_all();
  for (auto& thread : state_->threads) thread.join();
}

bool WorkerPool::post(std::move_only_function<void()> work) {
  {
    std::lock_guard lock(state_->mutex);
    if (state_->ending || state_->waiting.size() >= state_->limit) return false;
    state_->waiting.push_back(std::move(work));
  }
  state_->wake.notify_one();
  return true;
}

}  // namespace sidegate::net
