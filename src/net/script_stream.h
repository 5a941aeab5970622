// A Stream without a socket, for tests: it plays the peer from a list of steps and records what was written.
//
//   ScriptStream stream;
//   stream.peer_sends("220 mx.example ESMTP\r\n").expect("EHLO me\r\n").peer_sends("250 mx.example\r\n");
//   auto result = run_script(session(stream));            // net/run_script.h
//   EXPECT_EQ(stream.problem(), "");                      // all was said as written, nothing else
//
// A script without expect steps takes any output. When the script ends, the peer closes.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "net/read_buffer.h"
#include "net/stream.h"

namespace sidegate::net {

struct Fault {
  std::size_t at = 0;  // which operation, from 0: a read that needs more from the peer, a write, a handshake
  ErrorKind kind = ErrorKind::kClosed;
};

class ScriptStream final : public Stream {
 public:
  ScriptStream() : input_(nullptr) {}

  // --- the script, step by step
  ScriptStream& peer_sends(std::string bytes);
  ScriptStream& expect(std::string bytes);        // exactly this is written next
  ScriptStream& expect_line(std::string prefix);  // the next line written begins so
  ScriptStream& tls(tls::Verdict verdict = trusted(), tls::ChannelBinding binding = {});  // a handshake succeeds here
  ScriptStream& tls_fails(std::string why);
  ScriptStream& peer_stalls();           // one read here ends with kTimeout
  ScriptStream& peer_waits(Duration d);  // before what it sends next: the clock moves; kTimeout where that is too long
  ScriptStream& peer_closes();

  // --- how it is played
  ScriptStream& deliver_at_most(std::size_t octets);  // a read; 1: byte at a time
  ScriptStream& each_read_takes(Duration d);          // of the peer's octets
  ScriptStream& fail_at(Fault fault);                 // from this operation on all of them fail so
  ScriptStream& from(Peer peer);
  static tls::Verdict trusted();  // verified, TLSv1.3

  // --- afterwards
  const std::string& written() const { return written_; }
  std::string written_in_clear() const { return written_.substr(0, tls_from_.value_or(written_.size())); }
  std::string problem() const;  // empty: everything expected was written, all was read, nothing is left over
  std::size_t operations() const { return operations_; }
  bool closed() const { return closed_; }
  Duration deadline() const { return deadlines_.empty() ? Duration(0) : deadlines_.back(); }
  const std::vector<Duration>& deadlines() const { return deadlines_; }  // all that were set, in order

  // --- Stream
  Awaitable<Result<std::string_view>> read_line(std::size_t limit, std::size_t fatal) override;
  bool line_had_crlf() const override { return input_.line_had_crlf(); }
  bool has_buffered_line() const override { return input_.has_line(); }
  Awaitable<Result<std::string_view>> read_some() override;
  void consume(std::size_t n) override { input_.consume(n); }
  std::size_t buffered() const override { return input_.size(); }
  void drop_buffered() override { input_.clear(); }
  Awaitable<Status> write(std::string_view bytes) override;
  Awaitable<Status> write2(std::string_view first, std::string_view second) override;
  Awaitable<Status> start_tls_server(std::shared_ptr<const tls::ServerContext> context) override;
  Awaitable<Status> start_tls_client(std::shared_ptr<const tls::ClientContext> context) override;
  bool is_tls() const override { return tls_from_.has_value(); }
  const tls::Verdict& verdict() const override { return verdict_; }
  tls::ChannelBinding channel_binding() const override { return binding_; }
  void expires_after(Duration d) override {
    deadlines_.push_back(d);
    expires_at_ = now_ + d;
  }
  SteadyTime now() const override { return now_; }
  void cancel() override { cancelled_ = true; }
  void close() override { closed_ = true; }
  const Peer& peer() const override { return peer_; }
  bool looks_dead() override;

 private:
  enum class Kind { kSend, kExpect, kExpectLine, kTls, kTlsFails, kStall, kWait, kClose };
  struct Step {
    Kind kind;
    std::string text;
    tls::Verdict verdict = {};
    tls::ChannelBinding binding = {};
    Duration wait = {};
  };
  static std::string describe(const Step& step);

  ScriptStream& step(Kind kind, std::string text = {});
  Status operation();            // counts it, and fails where a fault is due
  Status fetch();                // the next octets of the peer
  bool time_passes(Duration d);  // false: the deadline is reached
  Status handshake();
  void match();  // expectations against what was written
  void complain(std::string text);

  std::deque<Step> steps_;
  bool expects_ = false;
  std::size_t at_most_ = ReadBuffer::kLarge;
  Duration read_takes_{};
  SteadyTime now_{};
  SteadyTime expires_at_ = SteadyTime::max();
  std::optional<Fault> fault_;
  std::size_t operations_ = 0;

  ReadBuffer input_;
  std::string written_;
  std::string unmatched_;
  std::string problem_;
  std::optional<std::size_t> tls_from_;  // so much was written before the handshake
  tls::Verdict verdict_;
  tls::ChannelBinding binding_;
  std::vector<Duration> deadlines_;
  Peer peer_{.address = "192.0.2.1", .port = 50'000};
  bool closed_ = false;
  bool cancelled_ = false;
};

}  // namespace sidegate::net
