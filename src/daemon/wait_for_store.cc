#include "daemon/wait_for_store.h"

#include <future>
#include <memory>

namespace sidegate::daemon {
namespace {

constexpr Duration kWriteLimit{5'000};

}  // namespace

bool commit_and_wait(queue::Store& store, queue::Change change) {
  auto answer = std::make_shared<std::promise<bool>>();
  auto written = answer->get_future();
  store.commit(std::move(change), [answer](Status status) { answer->set_value(bool(status)); });
  return written.wait_for(kWriteLimit) == std::future_status::ready && written.get();
}

}  // namespace sidegate::daemon
