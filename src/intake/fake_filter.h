// For tests: a filter that lives in the test. It takes what it is sent apart, keeps it, and answers as it was told to.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "milter/options.h"
#include "milter/packet.h"
#include "net/stream.h"

namespace sidegate::intake {

struct FakeFilter {
  using Packets = std::vector<milter::Packet>;
  std::vector<milter::Packet> heard;                // of all links, macros included
  std::map<char, std::deque<std::string>> answers;  // to a command, one after the other; none left: "go on"
  std::uint32_t protocol = 0;                       // what it agrees to leave out
  bool down = false;
  char hangs_at = 0, closes_at = 0;  // the command
  unsigned links = 0, open_links = 0;

  static std::string packet(char code, std::string data = {}) { return milter::encode(milter::Packet{code, data}); }
  // Of what it heard, without macros and options: "CHMRTLNBE".
  std::string commands() const {
    std::string out;
    for (const milter::Packet& one : heard) {
      if (one.code != 'D' && one.code != 'O') out.push_back(one.code);
    }
    return out;
  }
  std::string body() const {
    std::string out;
    for (const milter::Packet& one : heard) {
      if (one.code == 'B') out += one.data;
    }
    return out;
  }
  // The value told last; "-" where none was.
  std::string macro(const std::string& name) const {
    std::string found = "-";
    for (const milter::Packet& one : heard) {
      if (one.code != 'D') continue;
      auto strings = milter::take_strings(std::string_view(one.data).substr(1));
      for (std::size_t i = 0; strings && i + 1 < strings->size(); i += 2) {
        if ((*strings)[i] == name || (*strings)[i] == "{" + name + "}") found = (*strings)[i + 1];
      }
    }
    return found;
  }
  // The strings of the nth packet of this kind.
  std::vector<std::string> said(char code, std::size_t n = 0) const {
    for (const milter::Packet& one : heard) {
      if (one.code == code && n-- == 0) return milter::take_strings(one.data).value_or(std::vector<std::string>{"?"});
    }
    return {};
  }
};

class FakeFilterLink final : public net::Stream {
 public:
  explicit FakeFilterLink(FakeFilter& filter) : filter_(filter) {
    ++filter_.links;
    ++filter_.open_links;
  }
  ~FakeFilterLink() override { --filter_.open_links; }

  net::Awaitable<Status> write(std::string_view bytes) override {
    reader_.push(bytes);
    while (auto packet = reader_.next()) {
      if (!*packet) break;
      answer(**packet);
      filter_.heard.push_back(std::move(**packet));
    }
    co_return Status();
  }
  net::Awaitable<Result<std::string_view>> read_some() override {
    if (cancelled_) co_return fail(ErrorKind::kClosed, "cancelled");
    if (!ready_.empty()) co_return std::string_view(ready_);
    co_return closed_ ? fail(ErrorKind::kClosed, "it has closed the connection")
                      : fail(ErrorKind::kTimeout, "no answer");
  }
  void consume(std::size_t n) override { ready_.erase(0, n); }
  std::size_t buffered() const override { return ready_.size(); }
  void drop_buffered() override { ready_.clear(); }
  net::Awaitable<Status> write2(std::string_view first, std::string_view second) override {
    const std::string both = std::string(first) + std::string(second);
    co_return co_await write(both);
  }
  net::Awaitable<Result<std::string_view>> read_line(std::size_t, std::size_t) override {
    co_return fail(ErrorKind::kInternal, "no lines here");
  }
  bool line_had_crlf() const override { return false; }
  bool has_buffered_line() const override { return false; }
  net::Awaitable<Status> start_tls_server(std::shared_ptr<const tls::ServerContext>) override { co_return Status(); }
  net::Awaitable<Status> start_tls_client(std::shared_ptr<const tls::ClientContext>) override { co_return Status(); }
  bool is_tls() const override { return false; }
  const tls::Verdict& verdict() const override { return verdict_; }
  tls::ChannelBinding channel_binding() const override { return {}; }
  void expires_after(Duration) override {}
  SteadyTime now() const override { return {}; }
  void cancel() override { cancelled_ = true; }
  void close() override { closed_ = true; }
  const net::Peer& peer() const override { return peer_; }
  bool looks_dead() override { return closed_; }

 private:
  void answer(const milter::Packet& packet) {
    if (packet.code == filter_.closes_at) closed_ = true;
    if (closed_ || packet.code == filter_.hangs_at) return;
    if (packet.code == 'O') {
      std::string data;
      milter::put_u32(data, milter::kVersion);
      milter::put_u32(data, milter::action::kAll);
      milter::put_u32(data, filter_.protocol);
      ready_ += FakeFilter::packet('O', data);
      return;
    }
    if (std::string_view("DAQK").find(packet.code) != std::string_view::npos) return;
    auto& queue = filter_.answers[packet.code];
    if (queue.empty()) {
      ready_ += FakeFilter::packet('c');
    } else {
      ready_ += queue.front();
      queue.pop_front();
    }
  }

  FakeFilter& filter_;
  milter::PacketReader reader_;
  std::string ready_;
  bool closed_ = false, cancelled_ = false;
  tls::Verdict verdict_;
  net::Peer peer_;
};

}  // namespace sidegate::intake
