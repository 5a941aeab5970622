// The bodies of the store as the tests make them.
#pragma once

#include "queue/conformance.h"

namespace sidegate::queue {

class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

StoreSettings test_settings(const std::string& path);  // no ballast, no free space asked for
Body rocksdb_body();
Body memory_body();

}  // namespace sidegate::queue
