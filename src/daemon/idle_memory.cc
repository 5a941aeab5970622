#include "daemon/idle_memory.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string_view>

namespace sidegate::daemon {
namespace {

// A program or library: its segments that are never written are the file's own pages, so nothing is lost.
int let_go(dl_phdr_info* loaded, std::size_t, void*) {
  if (std::string_view(loaded->dlpi_name).starts_with("linux-")) return 0;  // the kernel's vDSO
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int i = 0; i < loaded->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = loaded->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = (loaded->dlpi_addr + segment.p_vaddr) & ~(page - 1);
    const std::uintptr_t end = loaded->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    // An integer is what the loader tells.
    (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);  // NOLINT(performance-no-int-to-ptr)
  }
  return 0;
}

}  // namespace

void let_go_of_start() {
  malloc_trim(0);
  dl_iterate_phdr(let_go, nullptr);
}

}  // namespace sidegate::daemon
