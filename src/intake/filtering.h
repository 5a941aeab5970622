// The filters (milters) of a listener through one session: what they are told, and what their answers come to for the
// client and the log. Made only where a listener has filters. On the session's loop.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "intake/context.h"
#include "intake/filtered_body.h"
#include "intake/policy.h"
#include "milter/filters.h"
#include "smtp/receiver.h"

namespace sidegate::intake {

class Filtering {
 public:
  using Said = std::optional<mail::Reply>;  // what the client hears instead; nullopt: it goes on

  Filtering(IntakeContext& context, std::shared_ptr<const ListenerPolicy> policy, unsigned loop);

  net::Awaitable<Said> connected(const smtp::SessionInfo& session);
  net::Awaitable<Said> hello(const smtp::SessionInfo& session);
  net::Awaitable<Said> unknown(const smtp::SessionInfo& session, std::string line);
  // The transaction's commands, where we have taken them ourselves. What no session has said (of a dropped message) is
  // said for it first. from: as it stands in the envelope.
  net::Awaitable<Said> mail(const smtp::SessionInfo& session, QueueId id, std::string from, smtp::MailCommand command);
  net::Awaitable<Said> rcpt(const smtp::SessionInfo& session, std::string to, smtp::RcptCommand command, bool is_here);
  net::Awaitable<void> rcpt_refused(std::string to, smtp::RcptCommand command, mail::Reply reply);
  net::Awaitable<Said> data(const smtp::SessionInfo& session, std::size_t recipients);
  // A reply of 250 is the end of a message that was discarded.
  net::Awaitable<Said> content(const smtp::SessionInfo& session, milter::Message& message, FilteredBody& body);

  // Who was taken in this transaction, as filters know them.
  struct Given {
    std::string address;
    smtp::RcptCommand command;
  };
  const std::vector<Given>& given() const { return given_; }

  net::Awaitable<void> reset();  // RSET
  net::Awaitable<void> ended();  // the session
  void cancel() { filters_.cancel(); }
  // The filter whose refusal was given last, once; empty: it was none's.
  std::string take_who_refused() { return std::exchange(who_refused_, {}); }

 private:
  void describe(const smtp::SessionInfo& session);
  void describe_tls(const smtp::SessionInfo& session);
  void set(const char* name, std::string value);  // of a macro; none where it is empty
  Said settle(const smtp::SessionInfo& session, milter::Decision decision, std::string_view to = {});
  void tell(const smtp::SessionInfo& session, const milter::Note& note, std::string_view to) const;

  IntakeContext& context_;
  std::shared_ptr<const ListenerPolicy> policy_;
  milter::Filters filters_;
  bool connected_ = false, greeted_ = false;
  std::string id_, from_;
  std::vector<Given> given_;
  std::string who_refused_;
};

}  // namespace sidegate::intake
