#include "provider/meanings.h"

#include "provider/reply_table.h"

namespace sidegate::provider {
namespace {

using M = Meaning;
using S = Scope;
using R = Retry;

// In the order of the enumeration.
// clang-format off
constexpr Facts kFacts[] = {
    {M::kDelivered, "delivered", S::kMessage, R::kNever, "The relay has taken the message."},
    {M::kAuthBadCredentials, "auth-bad-credentials", S::kRelay, R::kAfterChange, "The relay does not accept this user and password. Check user and password_file of this relay; mail waits until then."},
    {M::kAuthAppPasswordNeeded, "auth-app-password-needed", S::kRelay, R::kAfterChange, "The provider wants an app password here, not the account's own. Make one in the account's security settings and set it as the relay's password; mail waits until then."},
    {M::kAuthOauthNeeded, "auth-oauth-needed", S::kRelay, R::kAfterChange, "The provider has switched off password logins for this account and wants OAuth. Use OAuth or another relay; mail waits until then."},
    {M::kAuthDisabledForAccount, "auth-disabled-for-account", S::kRelay, R::kAfterChange, "The provider lets this account not send by SMTP. Its administrator must enable SMTP AUTH (or lift the block) for the account; mail waits until then."},
    {M::kAuthTokenBad, "auth-token-bad", S::kRelay, R::kAfterChange, "The provider does not accept the OAuth token. Authorise the account again; mail waits until then."},
    {M::kAuthMechanismRefused, "auth-mechanism-refused", S::kRelay, R::kAfterChange, "The relay refuses this AUTH mechanism. Set mechanisms for this relay to one that `sidegate relay test` shows as offered; mail waits until then."},
    {M::kAuthRequired, "auth-required", S::kRelay, R::kAfterChange, "The relay takes mail only after AUTH and none was done. Set user and password_file for this relay; mail waits until then."},
    {M::kAuthThrottled, "auth-throttled", S::kRelay, R::kLater, "The relay has seen too many logins and wants a pause. Mail goes on by itself; fewer connections for this relay help."},
    {M::kTlsRequired, "tls-required", S::kRelay, R::kAfterChange, "The relay wants TLS first. Set tls = \"starttls\" or tls = \"implicit\" for this relay; mail waits until then."},
    {M::kTlsNotOffered, "tls-not-offered", S::kRelay, R::kLater, "The relay offers no TLS now, and nothing is sent without it. It is tried again; if it stays so, try tls = \"implicit\" on port 465."},
    {M::kSenderNotAllowed, "sender-not-allowed", S::kSender, R::kAfterChange, "The relay does not let this account send from this sender address. Write identity = \"account\" in this relay's block: all mail by it is then sent from the account's own address (the old From goes to Reply-To). Or allow the other address at the provider."},
    {M::kSenderNotVerified, "sender-not-verified", S::kSender, R::kAfterChange, "The provider wants the sender address or its domain verified first. Verify it at the provider, or write identity = \"account\" (and address = a verified one) in this relay's block."},
    {M::kSenderDomainInvalid, "sender-domain-invalid", S::kSender, R::kAfterChange, "The domain of the sender address does not exist or does not resolve. Write identity = \"account\" in this relay's block, or send from an address whose domain does."},
    {M::kDmarcOrSpfFail, "dmarc-or-spf-fail", S::kSender, R::kAfterChange, "The receiver could not authenticate the sender's domain. Look at the SPF, DKIM and DMARC records of that domain: this relay must be covered by them."},
    {M::kRateLimited, "rate-limited", S::kRelay, R::kLater, "Too much mail in a short time for this account. Mail goes on by itself later."},
    {M::kQuotaExceeded, "quota-exceeded", S::kRelay, R::kLater, "The account's sending quota is used up. Mail goes on by itself when the provider gives a new one, usually within a day."},
    {M::kTooManyConnections, "too-many-connections", S::kRelay, R::kLater, "Too many connections at once for this relay. Lower connections in its block; mail goes on by itself."},
    {M::kMessageTooBig, "message-too-big", S::kMessage, R::kNever, "The message is larger than the receiver takes. Send it smaller, or as a link."},
    {M::kLineTooLong, "line-too-long", S::kMessage, R::kNever, "The message has lines longer than the receiver takes (RFC 5321 allows 998 octets). The program that made it should fold or encode them."},
    {M::kContentRejected, "content-rejected", S::kMessage, R::kNever, "The receiver takes the content for spam or something it does not want."},
    {M::kPolicyRejected, "policy-rejected", S::kMessage, R::kNever, "The receiver refuses the message by its policy."},
    {M::kVirus, "virus", S::kMessage, R::kNever, "The receiver found what it takes for malware in the message."},
    {M::kFormatRejected, "format-rejected", S::kMessage, R::kNever, "The receiver finds the message malformed. The program that made it should be looked at."},
    {M::kMailLoop, "mail-loop", S::kMessage, R::kNever, "The message has gone in a circle. Look at the forwards of the recipient."},
    {M::kGreylisted, "greylisted", S::kRecipient, R::kLater, "The receiver asks an unknown sender to come back a little later. Mail goes on by itself."},
    {M::kMailboxFull, "mailbox-full", S::kRecipient, R::kLater, "The recipient's mailbox is full."},
    {M::kUserUnknown, "user-unknown", S::kRecipient, R::kNever, "There is no such recipient. Check the address for a typing mistake."},
    {M::kAccountDisabled, "account-disabled", S::kRecipient, R::kNever, "The recipient's account is disabled or not in use."},
    {M::kMoved, "moved", S::kRecipient, R::kNever, "The recipient has another address now."},
    {M::kRecipientRateLimited, "recipient-rate-limited", S::kRecipient, R::kLater, "The recipient gets more mail than its server takes in this time."},
    {M::kRestrictedRecipient, "restricted-recipient", S::kRecipient, R::kNever, "The recipient takes mail from permitted senders only."},
    {M::kDomainNotFound, "domain-not-found", S::kRecipient, R::kNever, "The recipient's domain does not exist or takes no mail. Check the address for a typing mistake."},
    {M::kNullMx, "null-mx", S::kRecipient, R::kNever, "The recipient's domain says that it takes no mail."},
    {M::kTooManyRecipients, "too-many-recipients", S::kMessage, R::kLater, "Too many recipients in one transaction; the others go in a following one."},
    {M::kIpBlocklisted, "ip-blocklisted", S::kOwnAddress, R::kAfterChange, "The address this mail is sent from is on a block list. Send through a provider's relay, or ask the list to remove the address."},
    {M::kIpReputationDeferred, "ip-reputation-deferred", S::kOwnAddress, R::kLater, "The receiver slows down mail from this address because of its reputation. It is tried again, slowly."},
    {M::kPtrMissing, "ptr-missing", S::kOwnAddress, R::kAfterChange, "The address this mail is sent from has no proper reverse DNS name. Have one set, or send through a provider's relay."},
    {M::kHeloRejected, "helo-rejected", S::kOwnAddress, R::kAfterChange, "The receiver does not like the name we say in EHLO. Set hostname to a full name that resolves."},
    {M::kRelayDenied, "relay-denied", S::kRelay, R::kAfterChange, "The relay does not carry mail to this recipient for us: no AUTH, the wrong account, or the wrong relay. Check user and password_file of this relay; mail waits until then."},
    {M::kConnectFailed, "connect-failed", S::kRelay, R::kLater, "The relay cannot be reached now. It is tried again."},
    {M::kFallbackRetryOtherHost, "fallback-retry-other-host", S::kRemote, R::kLater, "The receiver asks to try another of its hosts."},
    {M::kTemporaryRemote, "temporary-remote", S::kRemote, R::kLater, "The receiver has a temporary problem. It is tried again."},
    {M::kPermanentRemote, "permanent-remote", S::kRemote, R::kNever, "The receiver refuses the message for good."},
    {M::kProtocolError, "protocol-error", S::kOwnFault, R::kNever, "The receiver did not understand a command. Please report this with the reply as shown."},
};
// clang-format on

}  // namespace

const Facts& facts(Meaning meaning) {
  return kFacts[static_cast<std::size_t>(meaning)];
}

const Facts* facts_of_word(std::string_view word) {
  for (const Facts& facts : kFacts) {
    if (word == facts.word) return &facts;
  }
  return nullptr;
}

std::vector<std::string_view> meaning_words() {
  std::vector<std::string_view> words;
  for (const Facts& facts : kFacts) words.emplace_back(facts.word);
  return words;
}

Meaning meaning_of(Stage stage, const mail::Reply& reply) {
  return ReplyTable::built_in().find(stage, reply, {}).meaning;
}

}  // namespace sidegate::provider
