// CRC-32C (Castagnoli, RFC 3720 appendix B.4), by the processor's instruction where it has one.
#pragma once

#include <cstdint>
#include <string_view>

namespace sidegate::queue {

// Continues from `crc` (0 to begin), so that crc32c(crc32c(0, a), b) is that of a and b in a row.
std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes);
std::uint32_t crc32c_by_table(std::uint32_t crc, std::string_view bytes);  // the portable way; for the test

}  // namespace sidegate::queue
