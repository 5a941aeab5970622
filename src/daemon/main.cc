#include "cli/cli.h"
#include "daemon/offline_queue.h"
#include "daemon/run.h"
#include "queue/rocksdb_store.h"

int main(int argc, char** argv) {
  sidegate::cli::Hooks hooks;
  hooks.version = SIDEGATE_VERSION;
  hooks.run = [](const sidegate::config::LoadRequest& request, sidegate::config::Loaded loaded) {
    return sidegate::daemon::run(request, std::move(loaded), SIDEGATE_VERSION);
  };
  hooks.open_queue = [](const std::string& path) { return sidegate::queue::open_rocksdb_readonly(path); };
  hooks.change_queue = sidegate::daemon::change_queue;
  return sidegate::cli::run(argc, argv, hooks);
}
