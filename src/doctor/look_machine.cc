#include "doctor/look_machine.h"

#include <dirent.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/text.h"

namespace sidegate::doctor {
namespace {

namespace fs = std::filesystem;

// Inodes of sockets that listen on the port, of /proc/net/tcp and tcp6.
std::set<std::string> listening_inodes(std::uint16_t port) {
  std::set<std::string> out;
  const std::string wanted = fmt::format(":{:04X}", port);
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream in(path);
    std::string line;
    for (int lines = 0; std::getline(in, line) && lines < 100'000; ++lines) {
      std::vector<std::string> words;
      for (std::string_view word : split(line, ' ')) {
        if (!word.empty()) words.emplace_back(word);
      }
      // sl local_address rem_address st ... inode is the tenth; 0A: LISTEN
      if (words.size() > 9 && words[3] == "0A" && words[1].ends_with(wanted)) out.insert(words[9]);
    }
  }
  return out;
}

std::string command_of(const std::string& pid) {
  std::ifstream in("/proc/" + pid + "/comm");
  std::string name;
  std::getline(in, name);
  return name;
}

}  // namespace

DiskSeen look_at_disk(const std::string& path, std::uint64_t least) {
  DiskSeen seen{path, std::uint64_t{0}, least};
  // Before the first start there is no such directory: its disk is that of the nearest one above.
  std::string at = path;
  struct statvfs disk{};
  while (statvfs(at.c_str(), &disk) != 0) {
    const int error = errno;
    const std::size_t slash = at.rfind('/');
    if (error != ENOENT || slash == std::string::npos || at == "/") {
      seen.free_octets = std::unexpected(errno_error(error, at));
      return seen;
    }
    at = slash == 0 ? "/" : at.substr(0, slash);
  }
  seen.free_octets = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  return seen;
}

ClockSeen look_at_clock(WallTime now) {
  ClockSeen seen{now, std::nullopt, 0};
  timex state{};
  const int result = adjtimex(&state);
  if (result < 0) return seen;
  seen.synchronised = result != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
  seen.error_seconds = state.maxerror / 1'000'000;
  return seen;
}

CertificateSeen look_at_certificate(const tls::Identity& identity, const std::string& hostname, WallTime now) {
  CertificateSeen seen{identity.cert_file, std::vector<tls::CertificateFacts>{}, {}, {}};
  for (const std::string* file : {&identity.cert_file, &identity.key_file}) {
    if (!file->empty() && ::access(file->c_str(), R_OK) != 0) {
      seen.facts = std::unexpected(errno_error(errno, *file));
      return seen;
    }
  }
  tls::ServerSettings settings;
  settings.identities = {identity};
  auto served = tls::ServerContext::serve(settings);
  if (!served) {
    seen.facts = std::unexpected(served.error());
    return seen;
  }
  seen.facts = (*served)->certificates();
  for (const tls::CertificateFacts& facts : *seen.facts) seen.days_left.push_back(tls::days_left(facts, now));
  seen.verified = tls::verifies(identity, hostname);
  return seen;
}

OtherMta look_at_sendmail(const std::string& root) {
  OtherMta seen;
  std::error_code error;
  const fs::path path = root + "/usr/sbin/sendmail";
  if (fs::exists(path, error)) {
    seen.sendmail = fs::weakly_canonical(path, error).string();
    seen.sendmail_is_ours = seen.sendmail.find("sidegate") != std::string::npos;
  }
  seen.installed = fs::exists(root + "/usr/sbin/sidegate", error);
  return seen;
}

std::string program_on_port(std::uint16_t port) {
  const std::set<std::string> inodes = listening_inodes(port);
  if (inodes.empty()) return {};
  std::error_code error;
  for (const fs::directory_entry& process : fs::directory_iterator("/proc", error)) {
    const std::string pid = process.path().filename();
    if (!parse_number(pid)) continue;
    for (const fs::directory_entry& fd : fs::directory_iterator("/proc/" + pid + "/fd", error)) {
      char target[64] = "";
      const ssize_t n = ::readlink(fd.path().c_str(), target, sizeof target - 1);
      if (n <= 0) continue;
      const std::string_view link(target, static_cast<std::size_t>(n));
      if (!link.starts_with("socket:[") || !inodes.contains(std::string(link.substr(8, link.size() - 9)))) continue;
      return fmt::format("{} ({})", command_of(pid), pid);
    }
  }
  return {};
}

}  // namespace sidegate::doctor
