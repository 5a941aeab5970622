// What a process that will sleep from now on need not keep in memory.
#pragma once

namespace sidegate::daemon {

// Gives back free memory and lets go of the pages of code that were used until now; those that are used again come back
// from the page cache, one minor fault each. Any thread; never fails.
void let_go_of_start();

}  // namespace sidegate::daemon
