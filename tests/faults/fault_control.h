// The test's side of the fault shim: makes the control file, sets faults, reads counters.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

#include "fault.h"

namespace sidegate::tests {

class FaultControl {
 public:
  // Faults concern paths under `prefix` that contain `contains`.
  FaultControl(const std::string& control_file, const std::string& prefix, const std::string& contains = "") {
    int fd = ::open(control_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ::ftruncate(fd, SIDEGATE_FAULT_SIZE) != 0) throw std::runtime_error("cannot make " + control_file);
    void* map = ::mmap(nullptr, SIDEGATE_FAULT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (map == MAP_FAILED) throw std::bad_alloc();
    control_ = static_cast<sidegate_fault*>(map);
    std::memset(static_cast<void*>(control_), 0, sizeof *control_);
    std::strncpy(control_->prefix, prefix.c_str(), sizeof control_->prefix - 1);
    std::strncpy(control_->contains, contains.c_str(), sizeof control_->contains - 1);
  }
  ~FaultControl() { ::munmap(control_, SIDEGATE_FAULT_SIZE); }
  FaultControl(const FaultControl&) = delete;
  sidegate_fault* operator->() { return control_; }
  void clear() {
    for (auto* switched : {&control_->sync_errno, &control_->write_errno, &control_->open_errno,
                           &control_->sync_stall_ms, &control_->write_stall_ms, &control_->count}) {
      *switched = 0;
    }
  }

 private:
  sidegate_fault* control_ = nullptr;
};

}  // namespace sidegate::tests
