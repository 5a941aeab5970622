// The store on RocksDB: the embedded default. What lies on disk and why: doc/queue.md.
#pragma once

#include <memory>

#include "base/log.h"
#include "queue/store.h"

namespace sidegate::queue {

// Opens or makes the queue in settings.path (the directory is made, mode 0700). kConflict: another process has it open.
// One process at a time; the store's threads run until it is destroyed, which finishes and syncs what was taken.
Result<std::unique_ptr<Store>> open_rocksdb_store(const StoreSettings& settings, Clock& clock, Log& log);

// For the command line while no server runs: everything that reads; commit and claim answer kConflict.
Result<std::unique_ptr<Store>> open_rocksdb_readonly(const std::string& path);

}  // namespace sidegate::queue
