#include "net/script_stream.h"

#include <algorithm>

#include "base/text.h"

namespace sidegate::net {

// ---- the script

ScriptStream& ScriptStream::step(Kind kind, std::string text) {
  steps_.push_back({kind, std::move(text)});
  return *this;
}

ScriptStream& ScriptStream::peer_sends(std::string bytes) {
  return bytes.empty() ? *this : step(Kind::kSend, std::move(bytes));
}

ScriptStream& ScriptStream::expect(std::string bytes) {
  expects_ = true;
  return step(Kind::kExpect, std::move(bytes));
}

ScriptStream& ScriptStream::expect_line(std::string prefix) {
  expects_ = true;
  return step(Kind::kExpectLine, std::move(prefix));
}

ScriptStream& ScriptStream::tls(tls::Verdict verdict, tls::ChannelBinding binding) {
  steps_.push_back({Kind::kTls, {}, std::move(verdict), std::move(binding)});
  return *this;
}

ScriptStream& ScriptStream::tls_fails(std::string why) {
  return step(Kind::kTlsFails, std::move(why));
}

ScriptStream& ScriptStream::peer_stalls() {
  return step(Kind::kStall);
}

ScriptStream& ScriptStream::peer_waits(Duration d) {
  steps_.push_back({.kind = Kind::kWait, .text = {}, .wait = d});
  return *this;
}

ScriptStream& ScriptStream::peer_closes() {
  return step(Kind::kClose);
}

ScriptStream& ScriptStream::deliver_at_most(std::size_t octets) {
  at_most_ = std::max<std::size_t>(octets, 1);
  return *this;
}

ScriptStream& ScriptStream::each_read_takes(Duration d) {
  read_takes_ = d;
  return *this;
}

ScriptStream& ScriptStream::fail_at(Fault fault) {
  fault_ = fault;
  return *this;
}

ScriptStream& ScriptStream::from(Peer peer) {
  peer_ = std::move(peer);
  return *this;
}

tls::Verdict ScriptStream::trusted() {
  tls::Verdict verdict;
  verdict.verified = true;
  verdict.version = "TLSv1.3";
  verdict.cipher = "TLS_AES_256_GCM_SHA384";
  verdict.bits = 256;
  verdict.days_left = 30;
  return verdict;
}

std::string ScriptStream::describe(const Step& step) {
  switch (step.kind) {
    case Kind::kSend:
      return "the peer sends \"" + printable(step.text) + "\"";
    case Kind::kExpect:
      return "\"" + printable(step.text) + "\" is written";
    case Kind::kExpectLine:
      return "a line beginning with \"" + printable(step.text) + "\" is written";
    case Kind::kTls:
    case Kind::kTlsFails:
      return "a TLS handshake";
    case Kind::kStall:
      return "the peer stalls";
    case Kind::kWait:
      return "the peer waits";
    case Kind::kClose:
      return "the peer closes";
  }
  return {};
}

// ---- playing it

void ScriptStream::complain(std::string text) {
  if (problem_.empty()) problem_ = std::move(text);
}

std::string ScriptStream::problem() const {
  if (!problem_.empty()) return problem_;
  if (!steps_.empty() && steps_.front().kind != Kind::kClose) return "not reached: " + describe(steps_.front());
  if (expects_ && !unmatched_.empty()) return "nobody expects \"" + printable(unmatched_) + "\"";
  return {};
}

Status ScriptStream::operation() {
  std::size_t at = operations_++;
  if (closed_) return fail(ErrorKind::kClosed, "the connection is closed");
  if (fault_ && at >= fault_->at) return fail(fault_->kind, "injected error");
  return {};
}

void ScriptStream::match() {
  while (!steps_.empty()) {
    const Step& next = steps_.front();
    std::size_t taken = 0;
    if (next.kind == Kind::kExpect) {
      std::size_t common = std::min(next.text.size(), unmatched_.size());
      if (unmatched_.compare(0, common, next.text, 0, common) != 0) {
        return complain("expected: " + describe(next) + "; written: \"" + printable(unmatched_) + "\"");
      }
      if (common < next.text.size()) return;
      taken = common;
    } else if (next.kind == Kind::kExpectLine) {
      std::size_t end = unmatched_.find("\r\n");
      if (end == std::string::npos) return;
      if (!unmatched_.starts_with(next.text)) {
        return complain("expected: " + describe(next) + "; written: \"" + printable(unmatched_.substr(0, end)) + "\"");
      }
      taken = end + 2;
    } else {
      return;
    }
    unmatched_.erase(0, taken);
    steps_.pop_front();
  }
}

bool ScriptStream::time_passes(Duration d) {
  const bool in_time = d <= expires_at_ - now_;
  now_ = in_time ? now_ + d : expires_at_;
  return in_time;
}

Status ScriptStream::fetch() {
  if (Status status = operation(); !status) return status;
  if (std::exchange(cancelled_, false)) return fail(ErrorKind::kClosed, "we ended the connection");
  match();
  while (!steps_.empty() && steps_.front().kind == Kind::kWait) {
    const Duration wait = steps_.front().wait;
    steps_.pop_front();
    if (!time_passes(wait)) return fail(ErrorKind::kTimeout, "no answer in time");
  }
  if (steps_.empty()) return fail(ErrorKind::kClosed, "the peer closed the connection");
  Step& next = steps_.front();
  if (next.kind == Kind::kStall || next.kind == Kind::kClose) {
    bool stall = next.kind == Kind::kStall;
    if (stall) steps_.pop_front();  // closed is closed for every further read
    return stall ? fail(ErrorKind::kTimeout, "no answer in time")
                 : fail(ErrorKind::kClosed, "the peer closed the connection");
  }
  if (next.kind != Kind::kSend) {
    complain("read while the peer waits: " + describe(next) + "; written: \"" + printable(unmatched_) + "\"");
    return fail(ErrorKind::kTimeout, "both sides wait");
  }
  if (!time_passes(read_takes_)) return fail(ErrorKind::kTimeout, "no answer in time");
  input_.settle();
  input_.reserve(input_.size() + std::min(at_most_, next.text.size()));
  std::size_t n = std::min({at_most_, next.text.size(), input_.room().size()});
  input_.append(std::string_view(next.text).substr(0, n));
  next.text.erase(0, n);
  if (next.text.empty()) steps_.pop_front();
  return {};
}

Awaitable<Result<std::string_view>> ScriptStream::read_line(std::size_t limit, std::size_t fatal) {
  for (;;) {
    if (auto line = input_.take_line(limit, fatal)) {
      if (!*line && line->error().kind == ErrorKind::kClosed) close();
      co_return std::move(*line);
    }
    if (Status status = fetch(); !status) co_return std::unexpected(status.error());
  }
}

Awaitable<Result<std::string_view>> ScriptStream::read_some() {
  if (input_.size() == 0) {
    if (Status status = fetch(); !status) co_return std::unexpected(status.error());
  }
  co_return input_.view();
}

Awaitable<Status> ScriptStream::write(std::string_view bytes) {
  if (bytes.empty()) co_return Status{};
  if (Status status = operation(); !status) co_return status;
  written_ += bytes;
  unmatched_ += bytes;
  match();
  co_return Status{};
}

Awaitable<Status> ScriptStream::write2(std::string_view first, std::string_view second) {
  std::string joined(first);
  joined += second;
  co_return co_await write(joined);
}

Status ScriptStream::handshake() {
  if (Status status = operation(); !status) return status;
  if (is_tls()) return fail(ErrorKind::kConflict, "TLS is active already");
  if (input_.size() > 0) return fail(ErrorKind::kProtocol, "data was sent before the TLS handshake (injected?)");
  match();
  bool wanted = !steps_.empty() && (steps_.front().kind == Kind::kTls || steps_.front().kind == Kind::kTlsFails);
  if (!wanted) {
    complain(steps_.empty() ? "a TLS handshake after the script's end"
                            : "a TLS handshake; expected: " + describe(steps_.front()));
    closed_ = true;
    return fail(ErrorKind::kTls, "TLS handshake: the peer did not answer with TLS");
  }
  Step next = std::move(steps_.front());
  steps_.pop_front();
  if (next.kind == Kind::kTlsFails) {
    closed_ = true;
    return fail(ErrorKind::kTls, "TLS handshake: " + next.text);
  }
  tls_from_ = written_.size();
  verdict_ = std::move(next.verdict);
  binding_ = std::move(next.binding);
  return {};
}

Awaitable<Status> ScriptStream::start_tls_server(std::shared_ptr<const tls::ServerContext>) {
  co_return handshake();
}

Awaitable<Status> ScriptStream::start_tls_client(std::shared_ptr<const tls::ClientContext>) {
  co_return handshake();
}

bool ScriptStream::looks_dead() {
  match();
  if (closed_ || input_.size() > 0 || steps_.empty()) return true;
  return steps_.front().kind == Kind::kSend || steps_.front().kind == Kind::kClose;
}

}  // namespace sidegate::net
