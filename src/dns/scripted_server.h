// A name server for tests: answers on a loopback port as the test says, on a thread of its own.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace sidegate::dns {

struct Asked {
  std::string name;  // lower case, dots
  unsigned type = 0;
  bool edns = false;
  bool operator==(const Asked&) const = default;
};

struct Scripted {
  std::vector<std::string> addresses;  // of the type asked for; of TXT, its text
  unsigned rcode = 0;
  unsigned ttl = 60;
  bool truncated = false;
  std::string alias = {};  // the answer is a CNAME to this, and the addresses are its
};

class ScriptedServer {
 public:
  using Script = std::function<std::optional<Scripted>(const Asked&)>;  // nullopt: silence

  explicit ScriptedServer(Script script) : script_(std::move(script)) {
    fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&at), size) != 0) std::abort();
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    stop_ = ::eventfd(0, EFD_CLOEXEC);
    thread_ = std::thread([this] { run(); });
  }
  ~ScriptedServer() {
    std::uint64_t one = 1;
    if (::write(stop_, &one, sizeof one) < 0) std::abort();
    thread_.join();
    ::close(fd_);
    ::close(stop_);
  }

  std::string address() const { return "127.0.0.1@" + std::to_string(port_); }
  std::vector<Asked> asked() {
    std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  static void append_16(std::string& out, unsigned value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value);
  }
  static std::string wire_name(const std::string& name) {
    std::string out, label;
    for (char c : name + ".") {
      if (c != '.') {
        label += c;
        continue;
      }
      out += static_cast<char>(label.size()) + label;
      label.clear();
    }
    return out + '\0';
  }

  void run() {
    for (;;) {
      pollfd fds[] = {{fd_, POLLIN, 0}, {stop_, POLLIN, 0}};
      ::poll(fds, 2, -1);
      if (fds[1].revents != 0) return;
      char buffer[4096];
      sockaddr_in from{};
      socklen_t size = sizeof from;
      ssize_t n = ::recvfrom(fd_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (n < 17) continue;
      std::string reply = reply_to(std::string(buffer, static_cast<std::size_t>(n)));
      if (!reply.empty()) ::sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  std::string reply_to(const std::string& query) {
    Asked asked;
    std::size_t at = 12;
    for (unsigned length; (length = static_cast<unsigned char>(query[at++])) != 0; at += length) {
      if (!asked.name.empty()) asked.name += '.';
      for (char c : query.substr(at, length)) asked.name += static_cast<char>(std::tolower(c));
    }
    asked.type = static_cast<unsigned char>(query[at + 1]);
    std::string question = query.substr(12, at + 4 - 12);
    asked.edns = query[11] != 0;
    {
      std::lock_guard lock(mutex_);
      asked_.push_back(asked);
    }
    auto scripted = script_(asked);
    if (!scripted) return {};
    std::string owner = scripted->alias.empty() ? std::string("\xc0\x0c") : wire_name(scripted->alias);
    std::string out = query.substr(0, 2);
    append_16(out, 0x8180 | (scripted->truncated ? 0x0200 : 0) | scripted->rcode);
    append_16(out, 1);
    append_16(out, static_cast<unsigned>(scripted->addresses.size() + !scripted->alias.empty()));
    append_16(out, 0);
    append_16(out, 0);
    out += question;
    if (!scripted->alias.empty()) append_record(out, "\xc0\x0c", 5, scripted->ttl, owner);
    for (const std::string& address : scripted->addresses) {
      if (asked.type == 16) {
        append_record(out, owner, asked.type, scripted->ttl, static_cast<char>(address.size()) + address);
        continue;
      }
      char octets[16];
      inet_pton(asked.type == 1 ? AF_INET : AF_INET6, address.c_str(), octets);
      append_record(out, owner, asked.type, scripted->ttl, std::string(octets, asked.type == 1 ? 4 : 16));
    }
    return out;
  }

  static void append_record(std::string& out, const std::string& owner, unsigned type, unsigned ttl,
                            const std::string& data) {
    out += owner;
    append_16(out, type);
    append_16(out, 1);
    append_16(out, ttl >> 16);
    append_16(out, ttl & 0xffff);
    append_16(out, static_cast<unsigned>(data.size()));
    out += data;
  }

  Script script_;
  int fd_ = -1, stop_ = -1;
  unsigned port_ = 0;
  std::mutex mutex_;
  std::vector<Asked> asked_;
  std::thread thread_;
};

}  // namespace sidegate::dns
