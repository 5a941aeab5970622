// An ext4 file system on a loop device whose power can be cut.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace sidegate::tests {

class Device {
 public:
  // kRefused where this machine does not let us: no root, no loop devices, no mount.
  static Result<std::unique_ptr<Device>> make(const std::string& directory);
  ~Device();
  const std::string& path() const { return mount_point_; }
  Status cut();      // what was not synced is gone; everything fails from here on
  Status restore();  // unmount, mount: the journal is replayed

 private:
  Device() = default;
  Status mount();
  std::string image_, loop_, mount_point_;
  bool mounted_ = false;
};

}  // namespace sidegate::tests
