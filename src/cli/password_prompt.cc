#include "cli/password_prompt.h"

#include <termios.h>
#include <unistd.h>

#include <iostream>

namespace sidegate::cli {

std::vector<std::string> ask_passwords(const Terminal& t, const std::vector<std::string>& questions) {
  if (isatty(STDIN_FILENO) != 1) return {};
  termios before{};
  if (tcgetattr(STDIN_FILENO, &before) != 0) return {};
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  // Before it asks, and once for all: what is typed at once, or pasted, is neither shown nor thrown away.
  if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) != 0) return {};
  std::vector<std::string> answers;
  for (const std::string& question : questions) {
    t.err << question << std::flush;
    std::getline(std::cin, answers.emplace_back());
    t.err << "\n";
  }
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  return answers;
}

std::string ask_password(const Terminal& terminal, const std::string& question) {
  std::vector<std::string> answers = ask_passwords(terminal, {question});
  return answers.empty() ? "" : std::move(answers.front());
}

}  // namespace sidegate::cli
