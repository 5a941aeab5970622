#include <sysexits.h>

#include <cstdio>
#include <string>

#include "daemon/run.h"

int main(int argc, char** argv) {
  std::string config;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--config" && i + 1 < argc) config = argv[++i];
  }
  return sidegate::daemon::run(config);
}
