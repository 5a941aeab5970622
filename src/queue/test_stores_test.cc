#include <stdlib.h>

#include <filesystem>

#include "queue/memory_store.h"
#include "queue/rocksdb_store.h"
#include "queue/test_stores.h"

namespace sidegate::queue {

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "sidegate-queue-XXXXXX").string();
  path_ = ::mkdtemp(pattern.data());
}
TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

StoreSettings test_settings(const std::string& path) {
  StoreSettings settings;
  settings.path = path;
  settings.ballast = 0;
  settings.min_free_space = 0;
  return settings;
}

namespace {

class RocksDbUnderTest final : public StoreUnderTest {
 public:
  RocksDbUnderTest() { open(); }
  Store& store() override { return *store_; }
  bool reopen() override {
    store_.reset();
    open();
    return true;
  }

 private:
  void open() {
    auto store = open_rocksdb_store(test_settings(directory_.path() + "/queue"), clock, null_log());
    if (!store) throw std::runtime_error(store.error().text);
    store_ = std::move(*store);
  }
  TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
};

// "Opening again" is a second node that takes over when the first one's claims have lapsed.
class MemoryUnderTest final : public StoreUnderTest {
 public:
  Store& store() override { return *node_; }
  bool reopen() override {
    clock.advance(std::chrono::minutes(2));
    node_ = std::make_unique<MemoryStore>(cluster_, ++nodes_);
    return true;
  }

 private:
  MemoryCluster cluster_{clock};
  unsigned nodes_ = 0;
  std::unique_ptr<MemoryStore> node_ = std::make_unique<MemoryStore>(cluster_, 0);
};

}  // namespace

Body memory_body() {
  return {"memory", [] { return std::make_unique<MemoryUnderTest>(); }};
}

Body rocksdb_body() {
  return {"rocksdb", [] { return std::make_unique<RocksDbUnderTest>(); }};
}

}  // namespace sidegate::queue
