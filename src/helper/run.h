// The helper's loop: a process of its own that waits for requests and forks once for each.
#pragma once

namespace sidegate::helper {

// Never returns: ends with the server (end of file on `socket`, a SOCK_SEQPACKET one) or with its parent. To be called
// in a process that was forked before any thread began; closes every descriptor but `socket`.
[[noreturn]] void run(int socket);

}  // namespace sidegate::helper
