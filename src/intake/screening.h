// What one session finds out about a stranger before its mail is taken, and what follows from it. Who may relay,
// programs of this machine and Unix users are not looked at. Nothing is refused before RCPT, so that the log has the
// sender and the recipient (and the postmaster can be reached).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "intake/context.h"
#include "intake/policy.h"
#include "screen/inquiry.h"
#include "smtp/receiver.h"

namespace sidegate::intake {

// What is wrong with a client or its transaction.
struct Finding {
  screen::Action action = screen::Action::kOff;
  std::string word;  // "reverse_name=missing": for the log and the field that tags
  mail::Reply reply;
};

class Screening {
 public:
  // What is referred to outlives it.
  Screening(IntakeContext& context, const ListenerPolicy& policy, unsigned loop)
      : context_(context), policy_(policy), loop_(loop) {}

  // Before the greeting: begins to look, and waits for the client's name at most as long as the greeting may be
  // delayed. Fills in client_name and client_ptr, and how long the client is to be silent.
  net::Awaitable<void> meet(smtp::SessionInfo& session);
  // The client's verified name, also where it came too late for the session.
  std::string client_name(const smtp::SessionInfo& session) const;

  // --- one transaction
  void begin();  // at MAIL
  // Who may relay, this machine and its users are not, nor is a listed front until it has said who its client is;
  // nothing below is asked of them.
  bool looks_at(const smtp::SessionInfo& session) const;
  // At RCPT: why nothing is taken for that recipient; nullopt: something may be.
  net::Awaitable<std::optional<mail::Reply>> refusal(const smtp::SessionInfo& session, std::string reverse_path,
                                                     mail::Mailbox recipient);
  // Counts what the client does against the limits of its address. false: it is too much.
  bool takes(const smtp::SessionInfo& session, ClientDoes what);
  // The server ends: what is waited for ends, and who is not known yet is told to come again.
  void cancel();
  std::string words() const;      // of all that was found, "; " between; empty: nothing
  std::string tag_field() const;  // "X-Sidegate-Screen: ...\r\n"; empty: nothing

 private:
  const screen::Settings& settings() const { return policy_.settings.screen; }
  net::Awaitable<void> look(const smtp::SessionInfo& session, std::string reverse_path);
  net::Awaitable<void> look_at_helo(const smtp::SessionInfo& session);
  net::Awaitable<void> look_at_sender(std::string reverse_path);
  void look_at_name(const smtp::SessionInfo& session);
  void look_at_lists(const smtp::SessionInfo& session);
  void find(screen::Action action, std::string word, mail::Reply reply);

  IntakeContext& context_;
  const ListenerPolicy& policy_;
  unsigned loop_;
  std::shared_ptr<screen::Inquiry> inquiry_;
  std::shared_ptr<screen::BlockLists> lists_;
  bool looked_ = false;
  bool cancelled_ = false;
  std::vector<Finding> findings_;
};

// A header block of a stranger without fields that look like ours.
std::string without_forged_tags(std::string_view header);

}  // namespace sidegate::intake
