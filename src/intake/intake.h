// From MAIL to the 250 that makes a message ours: who may relay, what is kept of the content, the commit.
//
// One Intake belongs to one session and is called by its coroutine (smtp/receiver.h). A small message stays in memory
// and is one Accept; a larger one goes to the store chunk by chunk, each waited for, so that a session holds less than
// 1 MiB of a message of any size.
#pragma once

#include <memory>
#include <optional>

#include "intake/context.h"
#include "intake/filtering.h"
#include "intake/incoming.h"
#include "intake/local_user.h"
#include "intake/policy.h"
#include "intake/screening.h"
#include "intake/submitter.h"
#include "smtp/receiver.h"

namespace sidegate::intake {

class Intake final : public smtp::Receiver {
 public:
  // loop: the index of the session's I/O thread, whose way-out connections are preferred.
  // user: of a peer on a Unix socket.
  Intake(IntakeContext& context, std::shared_ptr<const ListenerPolicy> policy, unsigned loop,
         std::optional<LocalUser> user = {})
      : context_(context),
        policy_(std::move(policy)),
        loop_(loop),
        user_(std::move(user)),
        submitter_(context, user_ ? user_->name : std::string()),
        screening_(context, *policy_, loop) {}
  ~Intake() override;

  // Takes the connection's place among all before anything is paid for; false: there is none, and connected() will say
  // so.
  bool admit(const smtp::SessionInfo& session);
  net::Awaitable<void> meet(smtp::SessionInfo& session) override;
  net::Awaitable<mail::Reply> connected(const smtp::SessionInfo& session) override;
  std::optional<mail::Reply> logged_in(const smtp::SessionInfo& session) override;
  bool listens_to_all() const override { return filtering_ != nullptr; }
  net::Awaitable<std::optional<mail::Reply>> hello(const smtp::SessionInfo& session) override;
  net::Awaitable<std::optional<mail::Reply>> unknown(const smtp::SessionInfo& session, std::string line) override;
  net::Awaitable<void> reset() override { return filtering_->reset(); }
  net::Awaitable<mail::Reply> mail(const smtp::SessionInfo& session, smtp::MailCommand command) override {
    return filters() ? filtered_mail(session, std::move(command)) : take_mail(session, std::move(command));
  }
  net::Awaitable<mail::Reply> rcpt(const smtp::SessionInfo& session, smtp::RcptCommand command) override {
    return filtering_ ? filtered_rcpt(session, std::move(command)) : take_rcpt(session, std::move(command));
  }
  net::Awaitable<mail::Reply> begin(const smtp::SessionInfo& session) override;
  net::Awaitable<void> content(std::string_view bytes) override;
  net::Awaitable<mail::Reply> end(const smtp::SessionInfo& session, const smtp::ContentFacts& facts) override;
  void abort() noexcept override;
  void cancel() override {
    screening_.cancel();
    if (filtering_) filtering_->cancel();
  }
  // The client's name, as far as it is known by now.
  std::string client_name(const smtp::SessionInfo& session) const { return screening_.client_name(session); }
  // The session is over; its filters are told. Not called: their connections are closed.
  net::Awaitable<void> ended();
  void refused(const smtp::SessionInfo& session, const smtp::Refusal& refusal) override;
  void secured(const smtp::SessionInfo& session, const tls::Verdict& verdict) override;
  void not_secured(const smtp::SessionInfo& session, const Error& error) override;

 private:
  net::Awaitable<mail::Reply> take_mail(const smtp::SessionInfo& session, smtp::MailCommand command);
  net::Awaitable<mail::Reply> take_rcpt(const smtp::SessionInfo& session, smtp::RcptCommand command);
  Result<std::optional<mail::Mailbox>> led_back(const mail::Mailbox& mailbox) const;
  std::optional<mail::Mailbox> canonical(const mail::Mailbox& mailbox) const;
  net::Awaitable<mail::Reply> take_recipient(bool relays, smtp::RcptCommand command);
  net::Awaitable<mail::Reply> resolve(mail::Recipient given, mail::Mailbox mailbox, bool trusted);
  mail::Reply pass_on(mail::Recipient given, const mail::Mailbox& mailbox, bool trusted, Whose whose);
  std::optional<mail::Reply> refused_by_route(const mail::Recipient& recipient) const;
  net::Awaitable<mail::Reply> pass_on_behind(mail::Recipient given, mail::Mailbox mailbox, bool trusted,
                                             std::shared_ptr<const RelayDomains> domains);
  net::Awaitable<std::optional<mail::Reply>> unknown_there(std::shared_ptr<const RelayDomains> domains,
                                                           const RelayDomain* domain, mail::Mailbox mailbox);
  mail::Reply add_resolved(std::vector<mail::Recipient> recipients);
  void add(mail::Recipient recipient);
  std::string own_name() const;
  mail::Origin origin_of(const smtp::SessionInfo& session, bool smtputf8) const;
  std::optional<mail::Reply> take_place(const smtp::SessionInfo& session);
  net::Awaitable<void> put_chunk();
  net::Awaitable<Status> commit_with_classes(queue::Accept accept, std::vector<queue::ClassRow> classes);
  std::optional<queue::Content> copy_for_cache(const queue::Accept& accept) const;
  std::optional<mail::Reply> content_fault(const smtp::SessionInfo& session) const;
  std::string own_header(const smtp::SessionInfo& session, const mail::Envelope& envelope, WallTime now) const;
  std::string mended_header(const smtp::SessionInfo& session, const mail::Envelope& envelope, WallTime now) const;
  bool is_of_this_machine(const smtp::SessionInfo& session) const;
  void log_mended() const;
  std::uint64_t largest_that_leaves() const override;
  bool may_be_too_large(std::uint64_t octets) const;
  std::uint64_t limit_of(const mail::Recipient& recipient, const mail::Origin& origin) const;
  static mail::Reply no_way_takes(std::uint64_t limit);
  std::string trace_field(const smtp::SessionInfo& session, const mail::Origin& origin, const mail::Envelope& envelope,
                          WallTime now) const;
  queue::Accept make_accept(const smtp::SessionInfo& session, const smtp::ContentFacts& facts,
                            std::vector<queue::ClassRow>& unsaved);
  bool held_by_route(const queue::ClassKey& key);
  struct Held {
    std::optional<std::string> why;  // nothing: it is not held
    const char* meaning = "";
  };
  net::Awaitable<void> write_why_held(const queue::Message& message, std::vector<queue::DueRow> due, Held held);

  // With filters (intake_filters.cc).
  Filtering* filters();
  net::Awaitable<mail::Reply> filtered_mail(const smtp::SessionInfo& session, smtp::MailCommand command);
  net::Awaitable<mail::Reply> filtered_rcpt(const smtp::SessionInfo& session, smtp::RcptCommand command);
  net::Awaitable<std::optional<mail::Reply>> filter_content(const smtp::SessionInfo& session,
                                                            smtp::ContentFacts& facts);
  net::Awaitable<std::optional<mail::Reply>> readdress(const smtp::SessionInfo& session, milter::Message message);
  void set_sender(const milter::Message& message);

  void refuse(const Error& error);
  void discard() noexcept;
  void log_accepted(const queue::Message& message, const smtp::SessionInfo& session) const;

  IntakeContext& context_;
  std::shared_ptr<const ListenerPolicy> policy_;
  unsigned loop_;
  std::optional<LocalUser> user_;
  Submitter submitter_;
  Admission::Place place_;              // of this connection among all
  bool asked_ = false;                  // for that place
  std::optional<mail::Reply> refusal_;  // of it
  bool met_ = false;
  Screening screening_;
  std::unique_ptr<Incoming> incoming_;    // absent while the session is idle
  std::unique_ptr<Filtering> filtering_;  // absent where the listener has no filters
};

}  // namespace sidegate::intake
