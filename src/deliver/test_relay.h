// For the room's own tests: a relay that answers by a table, on the courier's own loop, over real sockets.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/text.h"
#include "net/socket.h"

namespace sidegate::deliver {

// What a relay says: the answer to the longest key that the command begins with (upper case verb, then as sent).
// "GREETING" and "." (the end of the content) are keys too. An answer is sent as it is with CRLF; "CUT" closes instead;
// an answer with "CUT" at its end is sent and then closes; "SILENT" says nothing.
using Answers = std::map<std::string, std::string>;

struct Carried {
  std::string mail;
  std::vector<std::string> rcpt;  // accepted ones
  std::string content;
};

class TestRelay {
 public:
  TestRelay(net::Loop& loop, Answers answers, std::shared_ptr<const tls::ServerContext> tls = nullptr,
            bool implicit = false)
      : loop_(loop), answers_(std::move(answers)), tls_(std::move(tls)), implicit_(implicit) {
    auto fds = net::bind_listener({"127.0.0.1", 0}, 1);
    EXPECT_TRUE(fds) << fds.error().text;
    port = static_cast<std::uint16_t>(net::bound_port(fds->front()));
    acceptor_ = std::make_unique<net::Acceptor>(loop, fds->front(), [this](std::unique_ptr<net::Stream> stream) {
      ++connections;
      loop_.spawn("test relay", serve(std::move(stream)));
    });
    acceptor_->start();
  }
  ~TestRelay() { acceptor_->stop(); }

  Answers& answers() { return answers_; }
  bool said(std::string_view prefix) const {  // did a client send a line that begins so?
    for (const auto& line : lines) {
      if (line.starts_with(prefix)) return true;
    }
    return false;
  }

  std::uint16_t port = 0;
  unsigned connections = 0;
  std::vector<std::string> lines;  // of all connections
  std::vector<Carried> carried;
  std::string shown;  // the last client's certificate, by its fingerprint; empty: none

 private:
  std::string answer(const std::string& line) const {
    const std::string* best = nullptr;
    std::size_t length = 0;
    for (const auto& [key, value] : answers_) {
      if (line.starts_with(key) && key.size() >= length) best = &value, length = key.size();
    }
    if (best) return *best;
    if (line.starts_with("GREETING")) return "220 relay.example ESMTP";
    if (line.starts_with("EHLO"))
      return "250-relay.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 1000000";
    if (line.starts_with("STARTTLS")) return "220 2.0.0 go on";
    if (line.starts_with("DATA")) return "354 go on";
    if (line.starts_with("QUIT")) return "221 2.0.0 byeCUT";
    if (line.starts_with("AUTH")) return "235 2.7.0 ok";
    return "250 2.0.0 ok";
  }

  // False: the connection ends.
  static net::Awaitable<bool> say(net::Stream& stream, std::string text) {
    if (text == "SILENT") co_return true;
    bool cut = text.ends_with("CUT");
    if (cut) text.resize(text.size() - 3);
    if (!text.empty()) {
      text += "\r\n";
      co_await stream.write(text);
    }
    co_return !cut;
  }

  net::Awaitable<void> serve(std::unique_ptr<net::Stream> stream) {
    stream->expires_after(std::chrono::seconds(20));
    if (implicit_) {
      auto up = co_await stream->start_tls_server(tls_);
      if (!up) co_return;
    }
    bool open = co_await say(*stream, answer("GREETING"));
    Carried now;
    while (open) {
      auto line = co_await stream->read_line(2000, 4000);
      if (!line) break;
      lines.emplace_back(*line);
      std::string command = lines.back();
      std::string text = answer(command);
      bool yes = text.starts_with('2') || text.starts_with('3');
      if (command.starts_with("MAIL")) now = yes ? Carried{command, {}, {}} : Carried{};
      if (command.starts_with("RCPT") && now.mail.empty()) text = "503 5.5.1 MAIL first", yes = false;
      if (command.starts_with("RCPT") && yes) now.rcpt.push_back(command);
      if (command == "DATA" && now.rcpt.empty() && yes) text = "554 5.5.1 no valid recipients";
      open = co_await say(*stream, text);
      if (command == "STARTTLS" && yes && open) {
        auto up = co_await stream->start_tls_server(tls_);
        if (!up) break;
        shown = stream->verdict().fingerprint;
      }
      if (command == "DATA" && text.starts_with("354") && open) open = co_await content(*stream, now);
      if (command.starts_with("BDAT") && open) open = co_await bdat(*stream, now, command);
    }
    stream->close();
  }

  net::Awaitable<bool> content(net::Stream& stream, Carried& now) {
    for (;;) {
      auto line = co_await stream.read_line(100'000, 200'000);
      if (!line) co_return false;
      if (*line == ".") break;
      now.content += line->starts_with('.') ? line->substr(1) : *line;
      now.content += "\r\n";
    }
    std::string text = answer(".");
    if (text.starts_with('2')) carried.push_back(now);
    co_return co_await say(stream, text);
  }

  net::Awaitable<bool> bdat(net::Stream& stream, Carried& now, std::string command) {
    std::size_t left = parse_number(split(command, ' ')[1]).value_or(0);
    while (left > 0) {
      auto some = co_await stream.read_some();
      if (!some) co_return false;
      std::size_t n = std::min(left, some->size());
      now.content += some->substr(0, n);
      stream.consume(n);
      left -= n;
    }
    if (answer(command).starts_with('2')) carried.push_back(now);
    co_return true;
  }

  net::Loop& loop_;
  Answers answers_;
  std::shared_ptr<const tls::ServerContext> tls_;
  bool implicit_;
  std::unique_ptr<net::Acceptor> acceptor_;
};

}  // namespace sidegate::deliver
