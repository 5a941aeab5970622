// The process that is killed: accepts messages and tells each answer on a descriptor, one 9-octet record each.
#pragma once

#include <cstdint>
#include <string>

namespace sidegate::tests {

struct Record {
  char what;  // 'A'ccepted, 'R'efused, 'F'inish begun, 'E'nd of it, '!' the store did not open
  std::uint64_t n;
};
inline constexpr std::size_t kRecord = 9;

// Does not end by itself.
int run_child(const std::string& path, std::uint64_t first, int fd, bool sync);

}  // namespace sidegate::tests
