#include "daemon/handed_sockets.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "daemon/upgrade.h"

namespace sidegate::daemon {
namespace {

constexpr int kFirstHanded = 3;  // SD_LISTEN_FDS_START
constexpr std::uint64_t kMost = 1000;

std::string taken_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value ? value : "";
  unsetenv(name);
  return text;
}

Status add(std::vector<HandedSocket>& sockets, int fd, std::string name, bool kept) {
  auto at = net::listening_at(fd);
  if (!at) {
    const std::string called = name.empty() ? "" : fmt::format(" (\"{}\")", name);
    return fail(ErrorKind::kBadInput,
                fmt::format("descriptor {}{} was handed over and cannot be used: {}", fd, called, at.error().text));
  }
  net::adopt_listener(fd);
  sockets.push_back({fd, std::move(name), std::move(*at), kept});
  return {};
}

Status add_from_systemd(std::vector<HandedSocket>& sockets) {
  const std::string pid = taken_variable("LISTEN_PID"), count = taken_variable("LISTEN_FDS"),
                    names = taken_variable("LISTEN_FDNAMES");
  if (pid != std::to_string(getpid())) return {};  // meant for the process that started us
  const auto number = parse_number(count);
  if (!number || *number > kMost) return fail(ErrorKind::kBadInput, "LISTEN_FDS = \"" + count + "\" is no number");
  const std::vector<std::string_view> called = split(names, ':');
  for (std::uint64_t i = 0; i < *number; ++i) {
    std::string name(i < called.size() ? called[i] : "");
    if (name == "unknown") name.clear();  // what systemd says where it has no name
    if (Status added = add(sockets, kFirstHanded + static_cast<int>(i), std::move(name), false); !added) return added;
  }
  return {};
}

Status add_kept(std::vector<HandedSocket>& sockets) {
  for (KeptSocket& kept : kept_sockets(taken_variable(kKeptSockets), getpid())) {
    if (Status added = add(sockets, kept.fd, std::move(kept.name), true); !added) return added;
  }
  return {};
}

}  // namespace

Result<HandedSockets> HandedSockets::of_environment() {
  std::vector<HandedSocket> sockets;
  if (Status added = add_from_systemd(sockets); !added) return std::unexpected(added.error());
  if (Status added = add_kept(sockets); !added) return std::unexpected(added.error());
  return HandedSockets(std::move(sockets));
}

std::vector<HandedSocket> HandedSockets::take(const net::Endpoint& at, std::string_view name) {
  auto here = [&](const HandedSocket& socket) { return net::same_place(socket.at, at); };
  auto called = [&](const HandedSocket& socket) { return !name.empty() && socket.name == name; };
  std::vector<HandedSocket> out;
  auto move_out = [&](auto wanted) {
    std::ranges::copy_if(sockets_, std::back_inserter(out), wanted);
    std::erase_if(sockets_, wanted);
  };
  move_out(here);
  if (out.empty()) move_out(called);
  return out;
}

std::size_t HandedSockets::most_at_one_place() const {
  std::size_t most = 0;
  for (const HandedSocket& one : sockets_) {
    auto same = [&](const HandedSocket& other) { return net::same_place(one.at, other.at); };
    most = std::max(most, static_cast<std::size_t>(std::ranges::count_if(sockets_, same)));
  }
  return most;
}

Status HandedSockets::close_rest(std::vector<std::string>* warnings) {
  Status done;
  for (const HandedSocket& socket : sockets_) {
    if (socket.kept) {
      warnings->push_back("no listener is configured for " + socket.at.text() + " any more: it is closed");
    } else if (done) {
      done = fail(ErrorKind::kBadInput,
                  fmt::format("systemd handed over a socket at {}{} and no listener is configured for it: give a "
                              "[[listener]] this address and port (or this name), or take the ListenStream= line out "
                              "of the socket unit",
                              socket.at.text(), socket.name.empty() ? "" : " (\"" + socket.name + "\")"));
    }
    close(socket.fd);
  }
  sockets_.clear();
  return done;
}

}  // namespace sidegate::daemon
