// What becomes of a recipient: the one place where what happened in an attempt (a reply, or an error) becomes a
// decision. Pure. doc/design.md, "What a reply means", and promises 3 and 4:
//
//   4yz defers; 5yz on a recipient fails that recipient alone; 5yz at MAIL, DATA or the end fails the message's
//   recipients; 421, broken connections, time-outs, refused greetings, TLS, DNS: the way's trouble, never the
//   message's; AUTH: the account waits, nothing bounces; quota and throttling hold the account, whatever their code
//   says; a lost reply after the final dot is uncertain and defers; an unknown 5yz fails, an unknown 4yz defers.
#pragma once

#include <optional>
#include <string_view>

#include "deliver/settings.h"
#include "mail/reply.h"
#include "smtp/client_session.h"

namespace sidegate::deliver {

enum class Scope : std::uint8_t { kRecipient, kMessage, kAccount, kWay };
enum class Action : std::uint8_t {
  kDelivered,
  kDefer,  // by the message's own schedule
  kFail,
  kHoldWay,    // the way (or its account) waits; the message has not had an attempt
  kNextWay,    // by another way; where there is none, `otherwise`
  kHold,       // until an operator lets it go
  kStepAside,  // a limit of ours: again after `hold`, no attempt is counted
};
const char* name(Scope scope);
const char* name(Action action);
const char* name(OnSenderRefused action);  // for people

// One thing that happened: reply or error is set.
struct Event {
  smtp::Phase phase = smtp::Phase::kFinal;
  const mail::Reply* reply = nullptr;
  const Error* error = nullptr;
  bool uncertain = false;      // all content was sent and the final reply is missing
  bool authenticated = false;  // this session has logged in
  bool tls = false;
  bool direct = false;     // at the recipient's own mail exchanger
  bool final_hop = false;  // LMTP: what is said is about the recipient's mailbox, not about our account
};

struct Verdict {
  Scope scope = Scope::kMessage;
  Action action = Action::kDefer;
  Action otherwise = Action::kDefer;  // of kNextWay
  std::string_view meaning;           // a stable word
  std::string_view explanation;       // for people: what it means, what to do
  mail::EnhancedCode status;          // RFC 3463, the peer's own where it gave one
  Duration hold{};                    // kHoldWay: at least this long; 0: by the way's growing back-off
  bool uncertain = false;
  bool spent = false;  // kHoldWay: the account has used up what it may, for now
};

Verdict judge(const RelaySettings& way, const Event& event);

// The rule by which event.reply is read.
const provider::Rule& rule_for(const RelaySettings& way, const Event& event);

// A permanent refusal of a message from <> that is about its having no sender: any 5yz to MAIL FROM:<> that speaks of
// nothing else, and what blames the sender later.
bool refuses_null_sender(const RelaySettings& way, const Event& event);

// A refusal that means "not as this sender", in the envelope or in From; temporary ones only where the account may not
// use the address, which no later attempt changes. refuses_sender: a permanent one.
bool names_sender(const RelaySettings& way, const Event& event);
bool refuses_sender(const RelaySettings& way, const Event& event);
// What a way's on_sender_refused makes of such a verdict, where the message is not sent again as the account.
Verdict verdict_sender_refused(const RelaySettings& way, Verdict verdict);

// Our own decisions, in the same form.
Verdict verdict_smtputf8_lacking();  // RFC 6531 section 3.2
Verdict verdict_requiretls_lacking(
    bool proven);                     // RFC 8689 section 4.2.1; proven: the peer is, and it lacks the extension
Verdict verdict_size_lacking();       // RFC 1870 section 6.1
Verdict verdict_eight_bit_refused();  // eight_bit = "bounce"
Verdict verdict_expired(const Verdict& last);  // 4.4.7
Verdict verdict_null_sender_refused(Action action);
// Recipients beyond what the account may have now: by the next way where that is wanted and there is one, else when
// there is room.
Verdict verdict_no_room(bool next_way, Duration room_in);
Verdict verdict_our_trouble();  // we could not read the message just now

}  // namespace sidegate::deliver
