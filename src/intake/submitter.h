// Who sends in one session, and what he may: his own addresses, his limits, and whether he is suspended. Asked by
// Intake in the order of the dialogue; nobody's user (a listed network, another server) may all that Intake lets him.
//
// What a transaction counts is given back unless it ends in a 250 (taken()).
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "intake/own_addresses.h"
#include "intake/user_accounts.h"
#include "mail/reply.h"
#include "net/stream.h"

namespace sidegate::intake {

struct IntakeContext;

class Submitter {
 public:
  // program: the Unix user who sends without logging in; empty: none.
  Submitter(IntakeContext& context, std::string program)
      : context_(context), user_(std::move(program)), program_(!user_.empty()) {}
  ~Submitter() { abort(); }
  Submitter(const Submitter&) = delete;

  // Somebody answers for this mail; where nobody does, nothing below has anything to say.
  bool has_user() const { return !user_.empty(); }

  // The Unix peer's connection; a login. A refusal ends the session.
  std::optional<mail::Reply> connected();
  std::optional<mail::Reply> logged_in(const std::string& user);

  // MAIL: reverse_path may become another one. size: as announced, 0: not. hostname: what it is qualified with.
  net::Awaitable<std::optional<mail::Reply>> mail(std::string* reverse_path, std::uint64_t size, std::string hostname);
  // RCPT: counted; taken back where the recipient is not accepted.
  std::optional<mail::Reply> recipient();
  void recipient_refused();
  // DATA: far more than usual?
  std::optional<mail::Reply> content_begins();
  // The header, whether it ends as one does (Incoming::well_formed), and how large the whole is.
  net::Awaitable<std::optional<mail::Reply>> content_ended(const std::string* header, bool well_formed,
                                                           std::uint64_t octets);
  // The header with the user's own address where it has to be.
  std::string in_own_name(std::string header, const std::string& reverse_path) const;
  // What a rule says of the priority of this user's mail.
  PriorityRule priority_rule() const;
  // About to be committed; and then: no count is given back any more.
  void committing();
  void taken() { counted_.clear(); }
  void abort() noexcept;

 private:
  enum class Owns : std::uint8_t { kYes, kNo, kCannotTell };
  struct Counted {
    quota::Measure measure;
    std::uint64_t n;
    SteadyTime when;
  };
  std::optional<mail::Reply> count(quota::Measure measure, std::uint64_t n);
  net::Awaitable<Owns> owns(std::string address);
  net::Awaitable<Owns> leads_to_user_alone(std::string address);
  net::Awaitable<std::optional<mail::Reply>> look_at_sender(std::string_view field, std::string address);
  OwnDomains domains() const;
  void tell(std::string_view field, const std::string& address, const char* action);

  IntakeContext& context_;
  std::string user_;
  bool program_;
  std::uint32_t resumed_ = 0;  // times, when he logged in
  UserAccounts::Place place_;
  std::vector<Counted> counted_;                  // by the transaction under way
  std::uint64_t recipients_ = 0;                  // of it
  std::shared_ptr<const UserSettings> settings_;  // of the transaction under way
  std::string hostname_;
  OwnDomains domains_;        // as long
  bool rewrite_ = false;      // the header
  std::string told_;          // the foreign sender that was told of
  std::string_view told_of_;  // the field of it
};

}  // namespace sidegate::intake
