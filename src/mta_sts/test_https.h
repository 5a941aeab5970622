// An HTTPS server for tests: on loopback, one thread, one connection after the other, each answered with the same text.
#pragma once

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "test_certificates.h"

namespace sidegate::mta_sts {

inline std::string http(const std::string& body, const std::string& status = "200 OK",
                        const std::string& headers = "Content-Type: text/plain\r\n") {
  return "HTTP/1.1 " + status + "\r\n" + headers + "Content-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}

class TestHttps {
 public:
  explicit TestHttps(const test::IssuedCertificate& shown) {
    context_.reset(SSL_CTX_new(TLS_server_method()));
    if (SSL_CTX_use_certificate_chain_file(context_.get(), shown.cert_file.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(context_.get(), shown.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
      std::abort();
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(listening_, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(listening_, 50) != 0) std::abort();
    ::getsockname(listening_, reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
    stop_ = ::eventfd(0, EFD_CLOEXEC);
    thread_ = std::thread([this] { run(); });
  }
  ~TestHttps() {
    const std::uint64_t one = 1;
    if (::write(stop_, &one, sizeof one) < 0) std::abort();
    thread_.join();
    ::close(listening_);
    ::close(stop_);
  }
  void say(std::string answer) {  // empty: the connection stands, and nothing comes
    std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }

  std::uint16_t port = 0;
  std::atomic<int> connections{0};

 private:
  void run() {
    for (;;) {
      if (!wait(listening_)) return;
      const int fd = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
      ++connections;
      std::string answer;
      {
        std::lock_guard lock(mutex_);
        answer = answer_;
      }
      answer.empty() ? void(wait(fd) && ::poll(nullptr, 0, 0)) : serve(fd, answer);
      if (answer.empty()) wait(-1);  // until the test ends
      ::close(fd);
    }
  }
  bool wait(int fd) {  // false: it is over
    pollfd fds[] = {{fd, POLLIN, 0}, {stop_, POLLIN, 0}};
    ::poll(fds, 2, -1);
    return fds[1].revents == 0;
  }
  void serve(int fd, const std::string& answer) {
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_.get()), &SSL_free);
    SSL_set_fd(ssl.get(), fd);
    timeval limit{20, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (SSL_accept(ssl.get()) != 1) return;
    std::string asked;
    char buffer[1000];
    for (int n; asked.find("\r\n\r\n") == std::string::npos; asked.append(buffer, static_cast<std::size_t>(n))) {
      if ((n = SSL_read(ssl.get(), buffer, sizeof buffer)) <= 0) return;
    }
    const bool right = asked.starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.");
    const std::string told = right ? answer : http("", "400 Bad Request");
    SSL_write(ssl.get(), told.data(), static_cast<int>(told.size()));
    SSL_shutdown(ssl.get());
  }

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{nullptr, &SSL_CTX_free};
  int listening_ = -1, stop_ = -1;
  std::mutex mutex_;
  std::string answer_ = http("");
  std::thread thread_;
};

}  // namespace sidegate::mta_sts
