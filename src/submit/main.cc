// sidegate-sendmail, installed as /usr/sbin/sendmail: small, because programs start it for every message. What needs
// more is done by `sidegate`.
#include <limits.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdio>

#include "base/i18n.h"
#include "submit/sendmail.h"

namespace {

std::string sidegate_program() {
  char self[PATH_MAX];
  const ssize_t n = ::readlink("/proc/self/exe", self, sizeof self);
  if (n > 0 && n < PATH_MAX) {
    std::string folder(self, static_cast<std::size_t>(n));
    folder.resize(folder.rfind('/'));
    for (const char* beside : {"/sidegate", "/../../sbin/sidegate", "/../daemon/sidegate"}) {
      if (::access((folder + beside).c_str(), X_OK) == 0) return folder + beside;
    }
  }
  return "/usr/sbin/sidegate";
}

int hand_over(std::string_view program, int argc, char** argv) {
  const std::string sidegate = sidegate_program();
  std::string name(program);
  std::vector<char*> words{const_cast<char*>("sidegate"), name.data()};
  for (int i = 1; i < argc; ++i) words.push_back(argv[i]);
  words.push_back(nullptr);
  ::execv(sidegate.c_str(), words.data());
  std::fprintf(stderr, "sendmail: %s cannot be run\n", sidegate.c_str());
  return EX_OSFILE;
}

}  // namespace

int main(int argc, char** argv) {
  sidegate::use_language_of_environment(SIDEGATE_LOCALE_DIR);
  std::string_view program = argc > 0 ? sidegate::submit::program_of(argv[0]) : std::string_view();
  if (program.empty()) program = "sendmail";
  std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return sidegate::submit::run(program, arguments,
                               [&](const sidegate::submit::Arguments&) { return hand_over(program, argc, argv); });
}
