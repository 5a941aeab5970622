// One relay looked at step by step; what `probe` makes of each place that a relay may be at. The steps are in
// probe_connect.cc, probe_session.cc, probe_login.cc and probe_mail.cc, their order is in probe.cc. Private to the
// room.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/i18n.h"
#include "base/text.h"
#include "deliver/probe.h"
#include "deliver/probe_advice.h"
#include "net/stream.h"

namespace sidegate::deliver {

class Probe {
 public:
  Probe(net::Loop& loop, dns::Resolver& resolver, RelaySettings relay, ProbeOptions options,
        std::function<void(const ProbeStep&)> sink)
      : loop_(loop),
        resolver_(resolver),
        relay_(std::move(relay)),
        options_(std::move(options)),
        sink_(std::move(sink)) {}
  net::Awaitable<bool> run();

 private:
  // Each says what it saw and whether the next step makes sense.
  net::Awaitable<bool> dialogue();
  bool settings();
  net::Awaitable<bool> look_up();
  net::Awaitable<bool> connect();
  net::Awaitable<bool> connect_one(std::string address);
  net::Awaitable<bool> greeting();
  net::Awaitable<bool> hello(std::string name);
  net::Awaitable<bool> secure();
  net::Awaitable<bool> starttls();
  net::Awaitable<bool> again_in_the_clear();
  net::Awaitable<bool> implicit_tls();
  bool certificate();
  bool mechanisms();
  net::Awaitable<bool> log_in();
  void limits();
  std::vector<ProbeSender> senders() const;
  net::Awaitable<bool> try_senders();
  net::Awaitable<bool> try_sender(ProbeSender sender);
  net::Awaitable<bool> send(std::string from);
  net::Awaitable<void> other_port();

  auth::Circumstances circumstances() const;
  void say(ProbeStep step) { sink_(step); }
  void no_tls(std::string name, std::string text, ProbeAdvice advice);  // how bad: by what the relay's block demands
  bool failed(std::string name, std::string text, ProbeAdvice advice) {
    say({std::move(name), ProbeMark::kFailed, std::move(text), std::move(advice.cause), std::move(advice.cure), {}});
    return false;
  }

  net::Loop& loop_;
  dns::Resolver& resolver_;
  RelaySettings relay_;
  ProbeOptions options_;
  std::function<void(const ProbeStep&)> sink_;
  std::shared_ptr<const tls::ClientContext> context_;
  std::vector<std::string> addresses_;
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<smtp::ClientSession> session_;
  std::vector<ProbeStep> unreached_;  // told after all were tried: how bad it is depends on the others
  std::vector<std::string> usable_;
  bool trusted_ = true;  // nothing seen so far forbids to send a password
};

inline std::string shown(const std::vector<std::string>& words) {
  return printable(fmt::format("{}", fmt::join(words, " ")), 500);
}

}  // namespace sidegate::deliver
