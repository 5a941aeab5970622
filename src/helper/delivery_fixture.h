// For the room's own tests: a home folder, a person who is whoever runs the test, and content over a socket.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "helper/identity.h"

namespace sidegate::helper {

inline const std::string kContent = "Subject: x\r\n\r\nbody\r\nFrom nowhere\r\n.\r\n";
inline const std::string kHead =
    "From a@b  Sat Nov 21 22:25:12 2026\nReturn-Path: <a@b>\nX-Original-To: me@c\nDelivered-To: me@c\n";

class Delivery : public testing::Test {
 protected:
  Delivery() {
    signal(SIGPIPE, SIG_IGN);  // as the helper does
    std::string path = (std::filesystem::temp_directory_path() / "sidegate-helper-XXXXXX").string();
    home = mkdtemp(path.data());
    person = Person{.name = "me", .home = home, .shell = "/bin/sh", .uid = geteuid(), .gid = getegid()};
  }
  ~Delivery() override { std::filesystem::remove_all(home); }

  // Content on its way through a socket, all of it or `cut` octets of it; what `deliver` answered.
  template <typename Fn>
  std::optional<Answer> with_content(Request& request, Fn deliver, std::string content = kContent,
                                     std::size_t cut = std::string::npos) {
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    request.size = content.size();
    std::thread sender([&, fd = pair[0]] {
      std::string_view rest = std::string_view(content).substr(0, cut);
      while (!rest.empty()) {
        ssize_t n = send(fd, rest.data(), std::min<std::size_t>(rest.size(), 7000), MSG_NOSIGNAL);
        if (n <= 0) break;
        rest.remove_prefix(static_cast<std::size_t>(n));
      }
      if (cut != std::string::npos) ::close(fd);
    });
    auto a = deliver(request, person, pair[1]);
    ::close(pair[1]);
    sender.join();
    if (cut == std::string::npos) ::close(pair[0]);
    return a;
  }
  std::string read(const std::string& name) const {
    std::ifstream in(home + "/" + name, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  void write(const std::string& name, std::string_view text) const {
    std::ofstream(home + "/" + name, std::ios::binary) << text;
  }
  std::vector<std::string> files(const std::string& folder) const {
    std::vector<std::string> names;
    if (!std::filesystem::exists(home + "/" + folder)) return names;
    for (const auto& entry : std::filesystem::directory_iterator(home + "/" + folder))
      names.push_back(entry.path().filename());
    return names;
  }
  static unsigned mode(const std::string& path) {
    struct stat st{};
    return stat(path.c_str(), &st) == 0 ? st.st_mode & 07777 : 0;
  }

  std::string home;
  Person person;
};

}  // namespace sidegate::helper
