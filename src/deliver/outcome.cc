#include "deliver/outcome.h"

#include "base/text.h"
#include "provider/meanings.h"

namespace sidegate::deliver {
namespace {

using provider::Meaning;
using smtp::Phase;

provider::Stage stage_of(Phase phase) {
  switch (phase) {
    case Phase::kResolve:
    case Phase::kConnect:
    case Phase::kGreeting:
      return provider::kGreeting;
    case Phase::kEhlo:
      return provider::kEhlo;
    case Phase::kStartTls:
    case Phase::kTls:
      return provider::kStartTls;
    case Phase::kAuth:
      return provider::kAuth;
    case Phase::kMail:
      return provider::kMail;
    case Phase::kRcpt:
      return provider::kRcpt;
    case Phase::kData:
      return provider::kData;
    case Phase::kContent:
    case Phase::kFinal:
    case Phase::kQuit:
      return provider::kFinal;
  }
  return provider::kFinal;
}

Scope usual_scope(Phase phase) {
  if (phase == Phase::kRcpt) return Scope::kRecipient;
  if (phase == Phase::kAuth) return Scope::kAccount;
  return phase < Phase::kMail ? Scope::kWay : Scope::kMessage;
}

// RFC 2034 section 4: a status whose class contradicts the code is not believed.
mail::EnhancedCode status_of(const mail::Reply& reply) {
  auto cls = static_cast<std::uint16_t>(reply.code / 100);
  if (reply.status && reply.status->cls == cls) return *reply.status;
  return {cls, 0, 0};
}

// A class 5 status never stands on what is tried again.
mail::EnhancedCode as_temporary(mail::EnhancedCode status) {
  status.cls = 4;
  return status;
}

bool speaks_of_limits(const mail::Reply& reply) {
  std::string text = lower(reply.text());
  for (std::string_view word :
       {"rate", "limit", "too many", "too much", "throttl", "quota", "hour", "minute", "per day", "flood"}) {
    if (text.find(word) != std::string::npos) return true;
  }
  return false;
}

Verdict hold(Verdict v, Scope scope, Duration at_least = Duration(0)) {
  v.action = Action::kHoldWay;
  v.scope = scope;
  v.hold = at_least;
  v.status = as_temporary(v.status);
  return v;
}

Verdict spent(Verdict v) {
  v.spent = true;
  return v;
}

Verdict defer(Verdict v) {
  v.action = Action::kDefer;
  v.status = as_temporary(v.status);
  return v;
}

Verdict next_way(Verdict v, Action otherwise) {
  v.action = Action::kNextWay;
  v.otherwise = otherwise;
  if (otherwise != Action::kFail) v.status = as_temporary(v.status);
  return v;
}

// A destination that refuses our address: it alone goes by the next way for a day or so (where there is none, the
// courier makes that an hour), and nothing bounces for it.
Verdict refused_here(Verdict v) {
  v.scope = Scope::kWay;
  v.hold = 24h;
  return next_way(v, Action::kHoldWay);
}

// Meanings that say more than the class of the code: the account's and our own troubles (promise 4).
std::optional<Verdict> by_meaning(const Event& event, Meaning meaning, const Verdict& v) {
  bool permanent = event.reply->permanent();
  switch (meaning) {
    case Meaning::kQuotaExceeded:
      if (event.final_hop) return std::nullopt;  // a full mailbox
      return spent(hold(v, Scope::kAccount, 1h));
    case Meaning::kRateLimited:
    case Meaning::kTooManyConnections:
    case Meaning::kAuthThrottled:
      if (event.final_hop) return std::nullopt;
      // "try again later" alone, with a 5yz, may be about this recipient only: it defers, and holds up nobody else.
      if (!speaks_of_limits(*event.reply)) return defer(v);
      return spent(hold(v, Scope::kAccount, meaning == Meaning::kRateLimited ? Duration(1min) : Duration(0)));
    case Meaning::kAuthBadCredentials:
    case Meaning::kAuthAppPasswordNeeded:
    case Meaning::kAuthOauthNeeded:
    case Meaning::kAuthDisabledForAccount:
    case Meaning::kAuthTokenBad:
    case Meaning::kAuthMechanismRefused:
      return hold(v, Scope::kAccount);
    case Meaning::kAuthRequired:
      // Said to a session that has logged in it is about this recipient or sender.
      return event.authenticated ? defer(v) : hold(v, Scope::kAccount);
    case Meaning::kTlsRequired:
      return event.tls ? defer(v) : hold(v, Scope::kAccount);
    case Meaning::kIpReputationDeferred:
      if (!event.direct) return std::nullopt;
      [[fallthrough]];
    case Meaning::kIpBlocklisted:
    case Meaning::kPtrMissing:
    case Meaning::kHeloRejected:
      if (event.direct) return refused_here(v);
      return next_way(v, Action::kDefer);  // our address or name: not the message's fault
    case Meaning::kDmarcOrSpfFail:
      if (!event.direct) return std::nullopt;
      return next_way(v, Action::kDefer);  // a relay whose address the sender's SPF names may do
    case Meaning::kRelayDenied:
    case Meaning::kSenderNotAllowed:
    case Meaning::kSenderNotVerified:
      if (event.direct) return std::nullopt;
      return next_way(v, Action::kDefer);  // which sender goes by which account is our configuration
    case Meaning::kMessageTooBig:
      if (event.direct || event.final_hop) return std::nullopt;
      return next_way(v, permanent ? Action::kFail : Action::kDefer);  // another relay may have room for it
    case Meaning::kTooManyRecipients:
      return defer(v);  // RFC 5321 section 4.5.3.1.10: 552 means 452 here
    case Meaning::kProtocolError:
      // RFC 5321 section 4.2.3: 503 is a bad sequence, so either side is confused: temporary.
      if (permanent && event.reply->code == 503) return defer(v);
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

bool is_limit(Meaning meaning) {
  return meaning == Meaning::kQuotaExceeded || meaning == Meaning::kRateLimited || meaning == Meaning::kAuthThrottled ||
         meaning == Meaning::kTooManyConnections;
}

// A reply whose meaning is that it may go well later does not end the message, whatever its code says. A full mailbox
// and the recipient's own limits are what a person must see to where they are said with 5yz.
bool passes_by_itself(Meaning meaning, bool own_rule) {
  if (!own_rule && (meaning == Meaning::kMailboxFull || meaning == Meaning::kRecipientRateLimited)) return false;
  return provider::facts(meaning).retry == provider::Retry::kLater;
}

Verdict judge_reply(const RelaySettings& way, const Event& event) {
  const mail::Reply& reply = *event.reply;
  Verdict v;
  v.scope = event.final_hop && event.phase == Phase::kFinal ? Scope::kRecipient : usual_scope(event.phase);
  v.status = status_of(reply);
  const provider::Rule& rule = rule_for(way, event);
  const Meaning meaning = rule.meaning;
  const bool own_rule = way.replies && !way.replies->own().empty() && &rule >= way.replies->own().data() &&
                        &rule < way.replies->own().data() + way.replies->own().size();
  const provider::Facts& facts = provider::facts(meaning);
  v.meaning = facts.word;
  v.explanation = facts.explanation;
  bool refused = reply.transient() || reply.permanent();
  if (reply.positive() && event.phase == Phase::kFinal) {
    v.action = Action::kDelivered;
    return v;
  }
  if (!refused) {  // a reply out of place, whatever it says: no answer to what was asked
    v.meaning = "protocol-broken";
    v.explanation = "The relay's answer does not fit what it was asked. It is tried again.";
    v.status = {4, 5, 0};
    return hold(v, Scope::kWay);
  }
  // RFC 5321 section 3.8: 421 may come at any time and means that the server goes away.
  bool goes_away = reply.code == 421;
  // Said of the account, whatever the code and the stage: a login refused for its rate, a connection that ends for it.
  if (!event.final_hop && is_limit(meaning) &&
      (event.phase == Phase::kAuth || (goes_away && event.phase > Phase::kAuth))) {
    const Duration least = meaning == Meaning::kQuotaExceeded        ? Duration(1h)
                           : meaning == Meaning::kTooManyConnections ? Duration(0)
                                                                     : Duration(1min);
    return spent(hold(v, Scope::kAccount, least));
  }
  if (event.phase == Phase::kAuth) return hold(v, goes_away ? Scope::kWay : Scope::kAccount);
  if (event.phase < Phase::kMail || goes_away) return hold(v, Scope::kWay);
  if (auto special = by_meaning(event, meaning, v)) return *special;
  if (passes_by_itself(meaning, own_rule)) return defer(v);
  // RFC 5321 section 4.2.1: 5yz is permanent, 4yz is not, but where the operator says so.
  const bool never = own_rule && facts.retry == provider::Retry::kNever;
  if (!reply.permanent() && !never) return defer(v);
  v.action = Action::kFail;
  v.status.cls = 5;
  return v;
}

struct ErrorFacts {
  std::string_view word;
  mail::EnhancedCode status;
  std::string_view explanation;
};

ErrorFacts error_facts(Phase phase, ErrorKind kind) {
  if (phase == Phase::kResolve && kind == ErrorKind::kNotFound) {
    return {"host-not-found",
            {4, 4, 4},
            "The relay's host name does not exist in DNS. Check host in this relay's block; mail waits until then."};
  }
  if (phase == Phase::kResolve) {
    return {"dns-failed",
            {4, 4, 3},
            "The relay's host name cannot be looked up now: DNS does not answer. It is tried again."};
  }
  if (phase == Phase::kConnect && kind == ErrorKind::kBadInput) {
    return {"source-address",
            {4, 4, 1},
            "The source_address of the configuration is none of this machine's: it has changed, or is spelled wrong. "
            "Correct it, or leave it out."};
  }
  if (phase == Phase::kConnect) {
    return {"connect-failed",
            {4, 4, 1},
            "The relay cannot be reached. Check host and port of this relay, and that this network lets the port out."};
  }
  if (phase == Phase::kStartTls && kind == ErrorKind::kTls) {
    // Whether port 465 does better stands in the reason: it was tried (RelayOpening::starttls).
    return {"tls-not-offered", {4, 7, 10}, "The relay offers no STARTTLS here, and nothing is sent without it."};
  }
  if (kind == ErrorKind::kTls) {
    return {"tls-failed",
            {4, 7, 5},
            "No trusted TLS connection to the relay: nothing was sent. Check host, tls_name, tls_ca_file and "
            "tls_fingerprints of this relay, and the clock."};
  }
  if (kind == ErrorKind::kAuth) {
    return {"auth-not-possible",
            {4, 7, 0},
            "The relay offers no way to log in that may be used here: nothing was sent. `sidegate relay test` shows "
            "what is offered and allowed."};
  }
  if (kind == ErrorKind::kTimeout) {
    return {"timeout", {4, 4, 2}, "The relay did not answer in time. It is tried again."};
  }
  if (kind == ErrorKind::kProtocol || kind == ErrorKind::kTooLarge) {
    return {"protocol-broken", {4, 5, 0}, "The relay's answer was no proper SMTP reply. It is tried again."};
  }
  return {"connection-lost", {4, 4, 2}, "The connection to the relay broke. It is tried again."};
}

// Of an MX host, which is in nobody's configuration here.
ErrorFacts error_facts_direct(Phase phase, ErrorKind kind) {
  ErrorFacts facts = error_facts(phase, kind);
  if (phase == Phase::kConnect && kind == ErrorKind::kBadInput) return facts;  // our own address: as for a relay
  if (phase == Phase::kConnect) {
    facts.explanation = "No mail server of the recipient's domain can be reached. It is tried again.";
  } else if (phase == Phase::kResolve) {
    facts.explanation = "The recipient's mail server cannot be looked up. It is tried again.";
  } else if (phase == Phase::kStartTls && kind == ErrorKind::kTls) {
    facts.explanation = "The recipient's mail server offers no STARTTLS here, and nothing is sent without it.";
  } else if (kind == ErrorKind::kTls) {
    facts.explanation =
        "No trusted TLS connection to the recipient's mail server: nothing was sent. It is tried again.";
  } else if (kind == ErrorKind::kTimeout) {
    facts.explanation = "The recipient's mail server did not answer in time. It is tried again.";
  } else if (kind == ErrorKind::kProtocol || kind == ErrorKind::kTooLarge) {
    facts.explanation = "The answer of the recipient's mail server was no proper SMTP reply. It is tried again.";
  } else if (kind != ErrorKind::kAuth) {  // nobody logs in there
    facts.explanation = "The connection to the recipient's mail server broke. It is tried again.";
  }
  return facts;
}

bool is_ours(ErrorKind kind) {
  return kind == ErrorKind::kStorage || kind == ErrorKind::kInternal || kind == ErrorKind::kNoSpace ||
         kind == ErrorKind::kOverload || kind == ErrorKind::kConflict;
}

Verdict judge_error(const RelaySettings& way, const Event& event) {
  bool in_content = event.phase == Phase::kContent || event.phase == Phase::kFinal;
  if (is_ours(event.error->kind) && in_content) return verdict_our_trouble();
  const bool direct = way.protocol == Protocol::kDirect;
  const ErrorFacts facts = (direct ? error_facts_direct : error_facts)(event.phase, event.error->kind);
  Verdict v;
  v.meaning = facts.word;
  v.explanation = facts.explanation;
  v.status = facts.status;
  return hold(v, event.phase == Phase::kAuth && event.error->kind == ErrorKind::kAuth ? Scope::kAccount : Scope::kWay);
}

Verdict verdict(Scope scope, Action action, Action otherwise, std::string_view meaning, mail::EnhancedCode status,
                std::string_view explanation) {
  Verdict v;
  v.scope = scope;
  v.action = action;
  v.otherwise = otherwise;
  v.meaning = meaning;
  v.status = status;
  v.explanation = explanation;
  return v;
}

}  // namespace

const char* name(Scope scope) {
  constexpr const char* kNames[] = {"recipient", "message", "account", "way"};
  return kNames[static_cast<int>(scope)];
}

const char* name(Action action) {
  constexpr const char* kNames[] = {"delivered", "defer", "fail", "hold", "next-way", "kept", "step-aside"};
  return kNames[static_cast<int>(action)];
}

const char* name(OnSenderRefused action) {
  constexpr const char* kNames[] = {"by the next way, or later", "by the next way, or later",
                                    "by the next way, or later", "held", "returned"};
  return kNames[static_cast<int>(action)];
}

Verdict judge(const RelaySettings& way, const Event& event) {
  if (event.uncertain) {
    // Promise 3: it may have been delivered. RFC 5321 section 6.1: we try again, and say so.
    Verdict v = verdict(Scope::kMessage, Action::kDefer, Action::kDefer, "final-reply-lost", {4, 4, 2},
                        "The relay's reply to the whole message was lost: it may have been delivered. It is tried "
                        "again, so a duplicate is possible.");
    v.uncertain = true;
    return v;
  }
  return event.reply ? judge_reply(way, event) : judge_error(way, event);
}

const provider::Rule& rule_for(const RelaySettings& way, const Event& event) {
  const provider::ReplyTable& table = way.replies ? *way.replies : provider::ReplyTable::built_in();
  return table.find(stage_of(event.phase), *event.reply, way.reply_provider);
}

bool refuses_null_sender(const RelaySettings& way, const Event& event) {
  if (!event.reply || !event.reply->permanent() || event.phase < Phase::kMail) return false;
  switch (rule_for(way, event).meaning) {
    case Meaning::kSenderNotAllowed:
    case Meaning::kSenderNotVerified:
    case Meaning::kSenderDomainInvalid:
      return true;
    case Meaning::kPermanentRemote:
    case Meaning::kPolicyRejected:
    case Meaning::kFormatRejected:
    case Meaning::kContentRejected:
    case Meaning::kRelayDenied:
    case Meaning::kUserUnknown:
    case Meaning::kDomainNotFound:
    case Meaning::kRestrictedRecipient:
      return event.phase == Phase::kMail;
    case Meaning::kProtocolError:  // 501 for "<>", say; 503 is a bad sequence
      return event.phase == Phase::kMail && event.reply->code != 503;
    default:
      return false;  // limits, logins, TLS, our address, size: it would be said to any sender
  }
}

bool names_sender(const RelaySettings& way, const Event& event) {
  if (!event.reply || event.final_hop || event.phase < Phase::kMail) return false;
  const bool permanent = event.reply->permanent();
  if (!permanent && !event.reply->transient()) return false;
  const Meaning meaning = rule_for(way, event).meaning;
  if (meaning == Meaning::kSenderNotAllowed) return true;
  return permanent && (meaning == Meaning::kSenderNotVerified || meaning == Meaning::kSenderDomainInvalid);
}

bool refuses_sender(const RelaySettings& way, const Event& event) {
  return event.reply && event.reply->permanent() && names_sender(way, event);
}

Verdict verdict_sender_refused(const RelaySettings& way, Verdict v) {
  switch (way.on_sender_refused) {
    case OnSenderRefused::kAuto:
    case OnSenderRefused::kAccount:
    case OnSenderRefused::kNext:
      return v;
    case OnSenderRefused::kHold:
      v.action = Action::kHold;
      v.status = as_temporary(v.status);
      return v;
    case OnSenderRefused::kFail:
      v.action = Action::kFail;
      v.status.cls = 5;
      return v;
  }
  return v;
}

Verdict verdict_smtputf8_lacking() {
  return verdict(Scope::kMessage, Action::kNextWay, Action::kFail, "smtputf8-lacking", {5, 6, 7},
                 "The address or header of this message is internationalised (SMTPUTF8) and no way out offers that.");
}

Verdict verdict_requiretls_lacking(bool proven) {
  Verdict v = verdict(Scope::kMessage, Action::kNextWay, Action::kFail, "requiretls-lacking", {5, 7, 30},
                      "The sender asked for TLS all the way (REQUIRETLS), and no way to the recipient offers that.");
  if (proven) return v;
  v.status = {5, 7, 10};
  v.explanation =
      "The sender asked for TLS all the way (REQUIRETLS), and no way leads to a mail server of the recipient "
      "that TLS proves to be the right one.";
  return v;
}

Verdict verdict_size_lacking() {
  return verdict(Scope::kMessage, Action::kNextWay, Action::kFail, "message-too-big", {5, 3, 4},
                 "The message is larger than any way out takes. Send it smaller, or as a link.");
}

Verdict verdict_eight_bit_refused() {
  return verdict(Scope::kMessage, Action::kNextWay, Action::kFail, "eight-bit-lacking", {5, 6, 3},
                 "The message has 8-bit content and the relay does not offer 8BITMIME. Send it encoded, or set "
                 "eight_bit = \"pass\".");
}

Verdict verdict_expired(const Verdict& last) {
  Verdict v = last;
  v.action = Action::kFail;
  v.status = {4, 4, 7};  // RFC 3463 section 3.5: delivery time expired
  return v;
}

Verdict verdict_null_sender_refused(Action action) {
  auto cls = static_cast<std::uint16_t>(action == Action::kFail ? 5 : 4);
  return verdict(Scope::kMessage, action, Action::kDefer, "null-sender-refused", {cls, 7, 1},
                 "The relay takes no reports (mail from <>), and this one could not be sent as an ordinary message.");
}

Verdict verdict_no_room(bool next_way, Duration room_in) {
  Verdict v = verdict(Scope::kAccount, next_way ? Action::kNextWay : Action::kStepAside, Action::kStepAside,
                      "account-full", {4, 4, 5},
                      "The account may send to no more recipients just now, by the limits in this relay's block. Mail "
                      "goes on by itself when there is room.");
  v.hold = room_in;
  return v;
}

Verdict verdict_our_trouble() {
  return verdict(Scope::kMessage, Action::kDefer, Action::kDefer, "our-trouble", {4, 3, 0},
                 "The message could not be read from the queue just now. It is tried again.");
}

}  // namespace sidegate::deliver
