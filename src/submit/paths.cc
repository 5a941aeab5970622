#include "submit/paths.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

// In this file alone, without the library: one thing less to load at each start.
#undef TOML_HEADER_ONLY
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace sidegate::submit {
namespace {

constexpr std::size_t kMaxFile = 4 << 20;

std::optional<std::string> read_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::nullopt;
  std::string text;
  struct stat is{};
  bool good = ::fstat(fd, &is) == 0 && S_ISREG(is.st_mode);
  char bytes[16384];
  while (good && text.size() < kMaxFile) {
    const ssize_t n = ::read(fd, bytes, sizeof bytes);
    good = n >= 0;
    if (n <= 0) break;
    text.append(bytes, static_cast<std::size_t>(n));
  }
  ::close(fd);
  if (!good) return std::nullopt;
  return text;
}

std::string file_of(const std::string& config) {
  struct stat is{};
  if (!config.empty() && ::stat(config.c_str(), &is) == 0 && S_ISDIR(is.st_mode)) return config + "/sidegate.toml";
  // Callers that name sendmail's own files (-C/etc/mail/submit.cf) mean no other server.
  if (config.ends_with(".toml")) return config;
  const char* variable = std::getenv("SIDEGATE_CONFIG");
  return variable != nullptr && *variable != '\0' ? variable : "/etc/sidegate/sidegate.toml";
}

void from_environment(const char* name, std::string& to) {
  const char* value = std::getenv(name);
  if (value != nullptr && *value == '/') to = value;
}

}  // namespace

std::optional<Paths> paths_in(std::string_view text) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) return std::nullopt;
  Paths paths;
  auto take = [&](const char* key, std::string& to) {
    auto value = parsed.table()[key].value<std::string>();
    if (value && value->starts_with('/')) to = *value;
  };
  take("submit_socket", paths.socket);
  take("drop_directory", paths.drop_directory);
  return paths;
}

Paths find_paths(const std::string& config) {
  Paths paths;
  if (auto text = read_file(file_of(config))) {
    if (auto found = paths_in(*text)) paths = *found;
  }
  from_environment("SIDEGATE_SUBMIT_SOCKET", paths.socket);
  from_environment("SIDEGATE_DROP_DIRECTORY", paths.drop_directory);
  return paths;
}

}  // namespace sidegate::submit
