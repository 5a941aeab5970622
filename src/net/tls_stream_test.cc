// SocketStream with TLS: against itself, and against a plain OpenSSL peer on a thread that does what a stream would
// not.
#include <gmock/gmock.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <thread>

#include "net/socket_stream.h"
#include "net/test_pair.h"
#include "test_certificates.h"

namespace sidegate::net::tls_stream_test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

struct TlsStream : testing::Test {
  // A plain OpenSSL client on a blocking socket, on its own thread.
  template <typename Fn>
  std::thread raw_client(int fd, int version, Fn fn) {
    return std::thread([fd, version, fn] {
      SSL_CTX* ctx = SSL_CTX_new(TLS_client_method());
      SSL* ssl = SSL_new(ctx);
      SSL_set_min_proto_version(ssl, version);
      SSL_set_max_proto_version(ssl, version);
      SSL_set_fd(ssl, fd);
      EXPECT_EQ(SSL_connect(ssl), 1);
      fn(ssl);
      SSL_shutdown(ssl);
      SSL_free(ssl);
      SSL_CTX_free(ctx);
      ::close(fd);
    });
  }

  Bench bench;
  test::TestCa ca;
  test::IssuedCertificate issued = ca.issue({.names = {"mail.example.org"}});
  std::shared_ptr<tls::ServerContext> server = *tls::ServerContext::make({issued.cert_file, issued.key_file});
  std::shared_ptr<tls::ClientContext> client =
      *tls::ClientContext::make({.name = "mail.example.org", .ca_file = ca.ca_file()});
};

Awaitable<void> serve(Stream& stream, std::shared_ptr<tls::ServerContext> context, tls::ChannelBinding* binding,
                      ErrorKind end = ErrorKind::kClosed) {
  Status up = co_await stream.start_tls_server(context);
  EXPECT_TRUE(up) << up.error().text;
  EXPECT_TRUE(stream.is_tls());
  *binding = stream.channel_binding();
  for (;;) {
    auto line = co_await stream.read_line(512, 4096);
    if (!line) {
      EXPECT_EQ(line.error().kind, end) << line.error().text;
      break;
    }
    std::string answer = "got " + std::string(*line) + "\r\n";
    co_await stream.write(answer);
  }
}

Awaitable<void> ask(Stream& stream, std::shared_ptr<tls::ClientContext> context, tls::ChannelBinding* binding) {
  Status up = co_await stream.start_tls_client(context);
  EXPECT_TRUE(up) << up.error().text;
  *binding = stream.channel_binding();
  co_await stream.write2("hel", "lo\r\nthere\r\n");
  for (std::string_view expected : {"got hello", "got there"}) {
    auto line = co_await stream.read_line(512, 4096);
    EXPECT_EQ(line ? *line : line.error().text, expected);
  }
  EXPECT_FALSE(stream.looks_dead());  // tickets have come, and are no data
  stream.close();
}

TEST_F(TlsStream, CarriesADialogue) {
  for (int i = 0; i < 2; ++i) {  // the second one resumes
    auto [a, b] = bench.pair();
    tls::ChannelBinding ours, theirs;
    bench.run(ask(*a, client, &ours), serve(*b, server, &theirs));
    EXPECT_TRUE(a->verdict().verified) << a->verdict().why;
    EXPECT_EQ(a->verdict().version, "TLSv1.3");
    EXPECT_EQ(b->verdict().version, "TLSv1.3");
    EXPECT_FALSE(b->verdict().verified);
    EXPECT_EQ(ours.type, "tls-exporter");
    EXPECT_EQ(ours.data, theirs.data);
  }
}

Awaitable<void> up_server(Stream& stream, std::shared_ptr<tls::ServerContext> context, Status* out) {
  *out = co_await stream.start_tls_server(context);
}
Awaitable<void> up_client(Stream& stream, std::shared_ptr<tls::ClientContext> context, Status* out) {
  *out = co_await stream.start_tls_client(context);
}

TEST_F(TlsStream, TellsOfABadCertificateAndGoesOn) {
  auto bad = ca.issue({.names = {"other.example"}});
  auto context = *tls::ServerContext::make({bad.cert_file, bad.key_file});
  auto [a, b] = bench.pair();
  Status ours, theirs;
  bench.run(up_client(*a, client, &ours), up_server(*b, context, &theirs));
  EXPECT_TRUE(ours && theirs);
  EXPECT_FALSE(a->verdict().verified);
  EXPECT_EQ(a->verdict().why, "certificate is for other.example; you asked for mail.example.org");
}

// --- large amounts, both ways, in octets and in odd pieces

Awaitable<void> send_all(Stream& stream, const std::string& text) {
  Status status = co_await stream.write(text);
  EXPECT_TRUE(status) << status.error().text;
}
Awaitable<void> receive(Stream& stream, std::size_t n, std::size_t at_most, std::string* out) {
  while (out->size() < n) {
    auto some = co_await stream.read_some();
    EXPECT_TRUE(some) << some.error().text;
    if (!some) co_return;
    std::size_t taken = std::min({at_most, some->size(), n - out->size()});
    out->append(*some, 0, taken);
    stream.consume(taken);
  }
}

TEST_F(TlsStream, CarriesMuchInBothDirections) {
  std::string there(3'000'017, 0), back(2'000'003, 0);
  for (std::size_t i = 0; i < there.size(); ++i) there[i] = static_cast<char>(i * 7 + i / 251);
  for (std::size_t i = 0; i < back.size(); ++i) back[i] = static_cast<char>(i * 13 + i / 509);
  for (std::size_t at_most : {1'000, 1'000'000}) {
    auto [a, b] = bench.pair();
    Status ours, theirs;
    bench.run(up_client(*a, client, &ours), up_server(*b, server, &theirs));
    std::string got_there, got_back;
    bench.run(send_all(*a, there), receive(*b, there.size(), at_most, &got_there));
    bench.run(send_all(*b, back), receive(*a, back.size(), at_most, &got_back));
    EXPECT_TRUE(got_there == there);
    EXPECT_TRUE(got_back == back);
  }
}

// Ciphertext in single octets, through a relay that forwards one at a time.
Awaitable<void> forward_octets(SocketStream& from, SocketStream& to, Loop& loop) {
  for (;;) {
    auto some = co_await from.read_some();
    if (!some) break;
    char octet = some->front();
    from.consume(1);
    std::string_view one(&octet, 1);
    if (!co_await to.write(one)) break;
    co_await boost::asio::post(loop.context(), boost::asio::use_awaitable);
  }
  to.close();
}

TEST_F(TlsStream, TakesOctetsOneAtATime) {
  auto [a, left] = bench.pair();
  auto [right, b] = bench.pair();
  tls::ChannelBinding ours, theirs;
  bench.run(ask(*a, client, &ours), serve(*b, server, &theirs), forward_octets(*left, *right, bench.loop),
            forward_octets(*right, *left, bench.loop));
  EXPECT_TRUE(a->verdict().verified);
}

Awaitable<void> header_then_ask(Stream& stream, std::shared_ptr<tls::ClientContext> context,
                                tls::ChannelBinding* binding) {
  co_await stream.write("PROXY UNKNOWN\r\n");
  co_await ask(stream, context, binding);
}
Awaitable<void> header_then_serve(Stream& stream, std::shared_ptr<tls::ServerContext> context,
                                  tls::ChannelBinding* binding) {
  auto line = co_await stream.read_line(107, 107);
  EXPECT_TRUE(line && *line == "PROXY UNKNOWN");
  EXPECT_GT(stream.buffered(), 0u);  // the client's first words of TLS, come in one piece with the header
  stream.expect_tls();
  co_await serve(stream, context, binding);
}

TEST_F(TlsStream, FollowsAHeaderInOnePieceWithIt) {
  auto [a, b] = bench.pair();
  tls::ChannelBinding ours, theirs;
  bench.run(header_then_ask(*a, client, &ours), header_then_serve(*b, server, &theirs));
  EXPECT_EQ(ours.data, theirs.data);
}

// --- what is refused

Awaitable<void> read_then_tls(Stream& stream, std::shared_ptr<tls::ServerContext> context, Status* out) {
  auto line = co_await stream.read_line(512, 4096);
  EXPECT_TRUE(line && *line == "STARTTLS");
  *out = co_await stream.start_tls_server(context);
}
Awaitable<void> read_then_tls_client(Stream& stream, std::shared_ptr<tls::ClientContext> context, Status* out) {
  auto line = co_await stream.read_line(512, 4096);
  EXPECT_TRUE(line && *line == "220 go");
  *out = co_await stream.start_tls_client(context);
}
Awaitable<void> say(Stream& stream, std::string text) {
  co_await stream.write(text);
}

TEST_F(TlsStream, RefusesInjectedPlaintext) {
  {
    auto [a, b] = bench.pair();
    Status status;
    bench.run(say(*a, "STARTTLS\r\nMAIL FROM:<x@example>\r\n"), read_then_tls(*b, server, &status));
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kProtocol);
  }
  {
    auto [a, b] = bench.pair();
    Status status;
    bench.run(say(*a, "220 go\r\n250 injected\r\n"), read_then_tls_client(*b, client, &status));
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kProtocol);
    EXPECT_FALSE(b->is_tls());
  }
  {  // still in the kernel: it is no handshake
    auto [a, b] = bench.pair();
    Status status;
    bench.run(say(*a, "250 injected, and some more of it\r\n"), up_client(*b, client, &status));
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kTls);
    EXPECT_THAT(status.error().text, HasSubstr("did not answer with TLS"));
    EXPECT_TRUE(b->looks_dead());
  }
}

TEST_F(TlsStream, AHandshakeEndsAtItsDeadline) {
  ManualClock clock;
  Bench manual(clock);
  auto [a, b] = manual.pair();
  a->expires_after(10s);
  Status status;
  bool ended = false;
  auto work = [](Stream& stream, std::shared_ptr<tls::ClientContext> context, Status* out,
                 bool* done) -> Awaitable<void> {
    *out = co_await stream.start_tls_client(context);
    *done = true;
  };
  manual.loop.spawn("handshake", work(*a, client, &status, &ended));
  manual.loop.context().poll();
  EXPECT_FALSE(ended);
  clock.advance(10s);
  manual.loop.check_deadlines();
  manual.loop.context().poll();
  ASSERT_TRUE(ended);
  EXPECT_EQ(status.error().kind, ErrorKind::kTimeout);
  EXPECT_THAT(status.error().text, StartsWith("TLS handshake"));
}

TEST_F(TlsStream, AHandshakeWithNobodyIsClosed) {
  auto [a, b] = bench.pair();
  b->close();
  Status status;
  bench.run(up_client(*a, client, &status));
  EXPECT_EQ(status.error().kind, ErrorKind::kClosed);
}

// --- peers that use more of the protocol

TEST_F(TlsStream, ServesKeyUpdates) {
  auto [b, fd] = bench.half();
  std::thread peer = raw_client(fd, TLS1_3_VERSION, [](SSL* ssl) {
    char text[64];
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(SSL_key_update(ssl, i % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED), 1);
      std::string line = "line " + std::to_string(i) + "\r\n";
      EXPECT_GT(SSL_write(ssl, line.data(), static_cast<int>(line.size())), 0);
      int n = SSL_read(ssl, text, sizeof(text));
      EXPECT_EQ(std::string(text, static_cast<std::size_t>(std::max(n, 0))), "got " + line);
    }
  });
  tls::ChannelBinding ignored;
  bench.run(serve(*b, server, &ignored));
  peer.join();
}

TEST_F(TlsStream, RefusesRenegotiation) {
  auto [b, fd] = bench.half();
  std::thread peer = raw_client(fd, TLS1_2_VERSION, [](SSL* ssl) {
    char text[64];
    EXPECT_GT(SSL_write(ssl, "one\r\n", 5), 0);
    EXPECT_EQ(SSL_read(ssl, text, sizeof(text)), 9);
    EXPECT_EQ(SSL_renegotiate(ssl), 1);
    EXPECT_LE(SSL_do_handshake(ssl), 0);
  });
  tls::ChannelBinding binding;
  // No warning alone: the raw client takes the refusal as fatal and says so.
  bench.run(serve(*b, server, &binding, ErrorKind::kTls));
  EXPECT_EQ(binding.type, "tls-unique");
  peer.join();
}

// A close without close_notify is a close: SMTP says itself where a message ends.
TEST_F(TlsStream, TakesACloseInAnyForm) {
  for (bool notify : {true, false}) {
    auto [b, fd] = bench.half();
    std::thread peer = raw_client(fd, TLS1_3_VERSION, [notify](SSL* ssl) {
      SSL_write(ssl, "one\r\n", 5);
      char text[64];
      SSL_read(ssl, text, sizeof(text));
      if (!notify) SSL_set_quiet_shutdown(ssl, 1);
    });
    tls::ChannelBinding ignored;
    bench.run(serve(*b, server, &ignored));
    peer.join();
  }
}

TEST_F(TlsStream, LooksDeadWhenThePeerEndsOrSpeaks) {
  for (int what : {0, 1, 2}) {
    auto [a, b] = bench.pair();
    Status ours, theirs;
    bench.run(up_client(*a, client, &ours), up_server(*b, server, &theirs));
    EXPECT_FALSE(a->looks_dead());
    EXPECT_FALSE(a->looks_dead());
    if (what == 0) continue;
    if (what == 1) b->close();
    if (what == 2) bench.run(say(*b, "421 idle too long\r\n"));
    EXPECT_TRUE(a->looks_dead());
  }
}

}  // namespace
}  // namespace sidegate::net::tls_stream_test
