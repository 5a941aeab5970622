// For tests of the session: a Receiver that takes what it is told to take and writes down what it was asked.
#pragma once

#include <string>
#include <vector>

#include "smtp/receiver.h"

namespace sidegate::smtp {

class RecordingReceiver final : public Receiver {
 public:
  mail::Reply on_connect{220, "ready"};
  mail::Reply on_mail{250, {2, 1, 0}, "Ok"};
  mail::Reply on_rcpt{250, {2, 1, 5}, "Ok"};
  RecordingReceiver() { calls.reserve(1024); }

  std::string refused_rcpt;  // this address gets 550 5.1.1
  mail::Reply on_begin{250, {2, 0, 0}, "Ok"};
  mail::Reply on_end{250, {2, 0, 0}, "queued as 0000000000001"};

  std::vector<std::string> kept;   // messages that end() answered with 250
  std::vector<std::string> calls;  // "mail a@b.example", "rcpt c@d.example", "begin", "end", "abort"
  std::vector<std::string> refusals;
  std::string content_;
  SessionInfo last;
  ContentFacts facts;
  MailCommand mail_command;
  RcptCommand rcpt_command;

  std::vector<std::string> met;
  net::Awaitable<void> meet(SessionInfo& session) override {
    met.push_back(session.peer.address);
    co_return;
  }
  std::vector<std::string> logins;  // "": the login is forgotten
  std::optional<mail::Reply> logged_in(const SessionInfo& session) override {
    logins.push_back(session.user);
    return std::nullopt;
  }
  std::optional<mail::Reply> on_connect_again;  // after XCLIENT, if set
  net::Awaitable<mail::Reply> connected(const SessionInfo&) override {
    co_return met.empty() || !on_connect_again ? on_connect : *on_connect_again;
  }
  net::Awaitable<mail::Reply> mail(const SessionInfo& session, MailCommand command) override {
    calls.push_back("mail " + command.path.mailbox.text());
    mail_command = std::move(command);
    last = session;
    open_ = on_mail.positive();
    co_return on_mail;
  }
  net::Awaitable<mail::Reply> rcpt(const SessionInfo&, RcptCommand command) override {
    std::string to = command.path.mailbox.text();
    calls.push_back("rcpt " + to);
    rcpt_command = std::move(command);
    if (to == refused_rcpt) co_return mail::Reply(550, {5, 1, 1}, "No such user");
    co_return on_rcpt;
  }
  net::Awaitable<mail::Reply> begin(const SessionInfo&) override {
    calls.push_back("begin");
    content_.clear();
    co_return on_begin;
  }
  net::Awaitable<void> content(std::string_view bytes) override {
    content_ += bytes;
    co_return;
  }
  net::Awaitable<mail::Reply> end(const SessionInfo& session, const ContentFacts& noted) override {
    calls.push_back("end");
    facts = noted;
    last = session;
    if (on_end.positive()) kept.push_back(content_);
    open_ = false;
    content_.clear();
    co_return on_end;
  }
  void abort() noexcept override {
    if (open_ && calls.size() < calls.capacity()) calls.emplace_back("abort");
    open_ = false;
    content_.clear();
  }
  void refused(const SessionInfo&, const Refusal& refusal) override {
    refusals.push_back(std::string(refusal.command) + " from=" + std::string(refusal.from) +
                       " to=" + std::string(refusal.to) + " " + refusal.reply.line());
  }
  bool under_way() const { return open_; }

 private:
  bool open_ = false;
};

}  // namespace sidegate::smtp
