// A question as routers of any age understand it: one UDP datagram without EDNS to one server at a time. Asked beside
// libunbound when that gets no answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "dns/answer.h"
#include "dns/message.h"

namespace sidegate::dns {

class PlainQuestion {
 public:
  PlainQuestion(std::string name, RecordType type) : name_(std::move(name)), type_(type) {}
  ~PlainQuestion() { close(); }
  PlainQuestion(PlainQuestion&& other) = delete;

  // Sends to the next server when it is time to; `servers` as in ResolverSettings.
  void step(const std::vector<std::string>& servers, SteadyTime now);
  // Takes what has come in; an answer is definite, or a failure when each
  // server has failed.
  std::optional<Answer> read(const std::vector<std::string>& servers);
  SteadyTime next_step() const { return next_; }
  int fd() const { return fd_; }  // -1: none open

 private:
  void close();

  std::string name_;
  RecordType type_;
  int fd_ = -1;
  std::uint16_t id_ = 0;
  unsigned sent_ = 0;    // datagrams so far
  unsigned failed_ = 0;  // servers that answered SERVFAIL and the like, or were not there
  SteadyTime next_{};    // long ago: at once
};

}  // namespace sidegate::dns
