// What a reply means: from the words of a peer to one of a fixed list of meanings. Pure; the rules are data
// (provider/reply_table.h).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "mail/reply.h"

namespace sidegate::provider {

// Stable words: they stand in `queue show`, the log and --json.
enum class Meaning : std::uint8_t {
  kDelivered,
  kAuthBadCredentials,
  kAuthAppPasswordNeeded,
  kAuthOauthNeeded,
  kAuthDisabledForAccount,
  kAuthTokenBad,
  kAuthMechanismRefused,
  kAuthRequired,
  kAuthThrottled,
  kTlsRequired,
  kTlsNotOffered,
  kSenderNotAllowed,
  kSenderNotVerified,
  kSenderDomainInvalid,
  kDmarcOrSpfFail,
  kRateLimited,
  kQuotaExceeded,
  kTooManyConnections,
  kMessageTooBig,
  kLineTooLong,
  kContentRejected,
  kPolicyRejected,
  kVirus,
  kFormatRejected,
  kMailLoop,
  kGreylisted,
  kMailboxFull,
  kUserUnknown,
  kAccountDisabled,
  kMoved,
  kRecipientRateLimited,
  kRestrictedRecipient,
  kDomainNotFound,
  kNullMx,
  kTooManyRecipients,
  kIpBlocklisted,
  kIpReputationDeferred,
  kPtrMissing,
  kHeloRejected,
  kRelayDenied,
  kConnectFailed,
  kFallbackRetryOtherHost,
  kTemporaryRemote,
  kPermanentRemote,
  kProtocolError,
};

// Whom it concerns. kRelay: the account or way out as a whole.
enum class Scope : std::uint8_t { kRelay, kSender, kMessage, kRecipient, kOwnAddress, kRemote, kOwnFault };
enum class Retry : std::uint8_t { kNever, kLater, kAfterChange };

struct Facts {
  Meaning meaning;
  const char* word;  // "user-unknown"
  Scope scope;
  Retry retry;
  const char* explanation;  // what it means and what to do, one or two sentences
};
const Facts& facts(Meaning meaning);
const Facts* facts_of_word(std::string_view word);  // null: not one of ours
std::vector<std::string_view> meaning_words();

// Where in the dialogue the reply came. A set: one bit each.
enum Stage : std::uint16_t {
  kGreeting = 1,
  kEhlo = 2,
  kStartTls = 4,
  kAuth = 8,
  kMail = 16,
  kRcpt = 32,
  kData = 64,
  kFinal = 128,
  kTransaction = kMail | kRcpt | kData | kFinal,
  kSetUp = kGreeting | kEhlo | kStartTls | kAuth,
  kAny = 0xff,
};

// By the rules that are built in and of no provider alone (provider/reply_table.h).
Meaning meaning_of(Stage stage, const mail::Reply& reply);

}  // namespace sidegate::provider
