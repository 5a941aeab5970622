#include "net/socket_stream.h"

#include <unistd.h>

#include "net/test_pair.h"
#include "test_certificates.h"

namespace sidegate::net {
namespace {

using namespace std::chrono_literals;

Awaitable<void> write_all(Stream& stream, std::string text, bool close) {
  Status status = co_await stream.write(text);
  EXPECT_TRUE(status) << status.error().text;
  if (close) stream.close();
}

Awaitable<void> read_lines(Stream& stream, std::vector<std::string>* out, std::size_t limit, std::size_t fatal) {
  for (;;) {
    auto line = co_await stream.read_line(limit, fatal);
    if (line) {
      out->push_back(std::string(*line) + (stream.line_had_crlf() ? "" : "|LF"));
    } else {
      out->push_back(std::string("!") + name(line.error().kind));
      if (line.error().kind != ErrorKind::kTooLarge) co_return;
    }
  }
}

TEST(SocketStream, ReadsLines) {
  Bench bench;
  auto [a, b] = bench.pair();
  std::vector<std::string> lines;
  std::string text = "EHLO x\r\nbare\nin\rside\r\n\r\n" + std::string(600, 'x') + "\r\nlast\r\nunfinished";
  bench.run(write_all(*a, text, true), read_lines(*b, &lines, 512, 4096));
  EXPECT_EQ(lines, (std::vector<std::string>{"EHLO x", "bare|LF", "in\rside", "", "!too_large", "last", "!closed"}));
}

struct Tls {
  test::TestCa ca;
  test::IssuedCertificate issued = ca.issue({.names = {"mail.example.org"}});
  std::shared_ptr<tls::ServerContext> server = *tls::ServerContext::make({issued.cert_file, issued.key_file});
  std::shared_ptr<tls::ClientContext> client =
      *tls::ClientContext::make({.name = "mail.example.org", .ca_file = ca.ca_file()});
};

Awaitable<void> echo_server(Stream& stream, std::shared_ptr<tls::ServerContext> context) {
  Status up = co_await stream.start_tls_server(context);
  EXPECT_TRUE(up) << up.error().text;
  for (;;) {
    auto line = co_await stream.read_line(512, 4096);
    if (!line) break;
    std::string answer = "got " + std::string(*line) + "\r\n";
    co_await stream.write(answer);
  }
  stream.close();
}

Awaitable<void> client(Stream& stream, std::shared_ptr<tls::ClientContext> context) {
  Status up = co_await stream.start_tls_client(context);
  EXPECT_TRUE(up) << up.error().text;
  EXPECT_TRUE(stream.verdict().verified) << stream.verdict().why;
  EXPECT_EQ(stream.verdict().version, "TLSv1.3");
  co_await stream.write2("hel", "lo\r\nthere\r\n");
  auto line = co_await stream.read_line(512, 4096);
  EXPECT_TRUE(line && *line == "got hello");
  line = co_await stream.read_line(512, 4096);
  EXPECT_TRUE(line && *line == "got there");
  stream.close();
}

TEST(SocketStream, SpeaksTls) {
  Bench bench;
  Tls tls;
  auto [a, b] = bench.pair();
  bench.run(client(*a, tls.client), echo_server(*b, tls.server));
}

}  // namespace
}  // namespace sidegate::net
