#include "provider/reply_rules.h"

namespace sidegate::provider {
namespace {

using enum Meaning;

// clang-format off
constexpr Rule kRules[] = {
    // --- AUTH (RFC 4954 section 6). Words first: 535 stands for a dozen different things.
    {kAuth, "", "", "application-specific password|app password|app-password|application password|app-specific|authorization code|auth005|parol prilozheniya|generate*password*apps", kAuthAppPasswordNeeded},
    {kAuth, "", "", "token*expired|expired*token|invalid*token|token*invalid|token*revoked|invalid_grant|invalid_token", kAuthTokenBad},
    {kAuth, "", "", "basic auth*disabled|basic auth*not|oauth*required|requires oauth|use oauth|modern auth|password*authentication*disabled|less secure", kAuthOauthNeeded},
    {kAuth, "", "", "smtpclientauthentication|smtp*disabled|disabled for the tenant|disabled for the mailbox|smtp*not enabled|not have access rights|no permission|account*disabled|account*suspended|account*locked|account*blocked|user*disabled|user*suspended|user*locked|service*not open|did not meet the criteria|log in via your web browser|login via your web browser|web login required|verify your account|authentication disabled|imap*enabled", kAuthDisabledForAccount},
    {kAuth, "", "", "credits|quota", kQuotaExceeded},
    {kAuth, "", "x.7.12", "", kAuthBadCredentials},
    {kAuth, "4", "", "server error|internal error|connection lost|local problem", kTemporaryRemote},
    {kAuth, "4", "", "too many|rate|throttl|try again later|later", kAuthThrottled},
    {kAuth, "", "", "system busy|system is too busy|server busy", kAuthThrottled},
    {kAuth, "", "", "too many*login|too many*auth|too many*attempt|too many*fail|login rate|login frequency limit|temporarily blocked|brute", kAuthThrottled},
    {kAuth, "538", "", "", kTlsRequired},
    {kAuth, "", "x.7.11", "", kTlsRequired},
    {kAny, "", "5.7.3", "starttls is required", kTlsRequired},
    {kAny, "5", "", "must issue a starttls|starttls first|starttls command first|starttls*required|requires*starttls|requires*tls|tls*required|encryption required|encryption needed|secure connection*required|requires a secure|must use tls|use tls", kTlsRequired},
    {kAny, "523", "", "", kTlsRequired},
    {kAny, "", "5.7.10", "", kTlsRequired},
    {kAuth, "504", "", "", kAuthMechanismRefused},
    {kAuth, "50", "", "unrecogni|unsupported|not supported|not implemented|mechanism|not advertised|not available|not offered|not enabled|disabled", kAuthMechanismRefused},
    {kAuth, "5", "", "unrecogni*auth|mechanism*not|mechanism*unsupported|mechanism*disabled|unsupported*mechanism|invalid mechanism|unknown mechanism|auth*type*not supported|method*not supported|mechanism is too weak|mechanism too weak|no mechanism available", kAuthMechanismRefused},
    {kAuth, "", "x.7.9|x.7.4", "", kAuthMechanismRefused},
    {kAuth, "", "x.7.13", "", kAuthDisabledForAccount},
    {kAuth, "53", "", "", kAuthBadCredentials},
    {kAuth, "550", "", "", kAuthBadCredentials},
    {kAuth, "554", "", "", kAuthBadCredentials},
    {kAuth, "", "5.7.", "", kAuthBadCredentials},

    // --- STARTTLS (RFC 3207 section 4)
    {kStartTls, "503", "", "", kProtocolError},
    {kStartTls, "", "", "not available|not supported|not offered|unrecogni|not implemented|disabled", kTlsNotOffered},
    {kStartTls, "454", "", "", kTlsNotOffered},
    {kAny, "", "", "tls*was not offered|starttls*not offered|starttls*not supported", kTlsNotOffered},
    {kTransaction, "4", "x.7.5", "certificate|tls", kTlsNotOffered},

    // --- the account's limits: some come with 5yz, all of them pass by themselves
    {kAny, "", "", "daily*quota|daily*limit|daily sending|sending quota|message quota|per day|24 hour|24-hour|monthly*limit|monthly*quota|submissionquota|submission quota|sender's*quota|credits|out of quota|quota for sending|reached*sending limit|limit for the day|exceeded your*quota|maximum number of*messages*day", kQuotaExceeded},
    {kAny, "", "5.4.5|5.1.90|5.7.232|5.7.233|5.7.705", "", kQuotaExceeded},
    {kAny, "", "", "user you are trying to contact is receiving|receiving mail at a rate|receiving mail too|recipient*rate limit|mailbox*rate limit|recipient is receiving|recipient's*rate", kRecipientRateLimited},
    {kAny, "4", "", "reputation|unusual rate*ip|temporarily*block*ip|rate limited due to ip|ip*temporarily|from your ip*temporarily|ts01|ts02|ts03|tss04|tss09|4.16.5|user complaints", kIpReputationDeferred},
    {kAny, "4", "4.7.650|4.7.651|4.7.652", "", kIpReputationDeferred},
    {kAny, "", "", "too many*connection|concurrent connection|connection limit|connections*exceeded|maximum*connections|simultaneous|too many*session|thread limit|connection*too many|concurrent*limit|connection rate limit", kTooManyConnections},
    // Before the account's pace, which texts about these mention too.
    {kTransaction, "", "x.5.3", "recipients", kTooManyRecipients},
    {kTransaction, "", "x.7.26", "", kDmarcOrSpfFail},
    {kTransaction, "", "", "too much mail data|too many messages on the server", kMailboxFull},
    {kAny, "", "", "rate limit|rate-limit|ratelimit|throttl|this hour|per hour|hourly|per minute|too many messages|too many mails|too many emails|too much mail|too fast|too quickly|sending rate|maximum*rate|rate*exceeded|exceed*rate|sending limit|exceeded*limit*send|messages*limit exceeded|message limit|mail flood|unusual sending|slow down|frequency limit|frequency*limited|unusual rate|rp:trc|rp:cel|rp:qrc|rp:drc", kRateLimited},
    {kAny, "", "x.7.28|4.4.5", "", kRateLimited},
    {kTransaction, "452", "", "too many recipients|too many rcpt|recipients limit|max*recipients", kTooManyRecipients},
    {kTransaction, "", "", "too many recipients|recipients*limit|maximum*recipients|recipient count", kTooManyRecipients},
    {kTransaction, "", "x.5.3", "", kTooManyRecipients},

    // --- loops
    {kAny, "", "", "mail loop|loop detected|too many hops|hop count|routing loop|mail*looping|loops back|too many received", kMailLoop},
    {kAny, "", "x.4.6|x.4.14", "", kMailLoop},

    // --- authentication of the sender's domain
    {kTransaction, "", "", "dmarc|unauthenticated email|authentication information or fails|sender policy framework|spf*fail|spf*check|spf*record|spf*hard|spf*not|spf*reject|fail*spf|pass*spf|by spf|dkim*fail|dkim*invalid|dkim*not|dkim*missing|fail*dkim|pass*dkim|no dkim|authentication checks|domain*not authenticated", kDmarcOrSpfFail},
    {kTransaction, "", "x.7.20|x.7.21|x.7.22|x.7.23|x.7.24|x.7.26|x.7.29|x.7.30|5.7.509|5.7.515", "", kDmarcOrSpfFail},

    {kTransaction, "5", "", "blacklisted url|sender is spammer", kContentRejected},
    {kTransaction, "5", "", "sender domain listed|mailfrom domain is listed|email address has been blacklisted|address has been blacklisted", kSenderDomainInvalid},

    // --- our address: block lists, reverse name, EHLO name. Relaying first: its text often mentions a name lookup.
    {kTransaction, "5", "", "relay*denied|relay*not permitted|relay*not allowed|relay*prohibited|relay*disallowed|relay*rejected|unable to relay|cannot relay|can't relay|not permitted to relay|not allowed to relay|do not relay|don't relay|no relaying|no relay|rcpthosts|not authorized to relay|not a relay|not a gateway|not local host|as a relay|insecure mail relay|not an open relay|configured to relay|through this server without auth", kRelayDenied},
    {kAny, "", "", "ptr record|dns ptr| ptr |reverse dns|rdns|reverse-dns|reverse*lookup|reverse host|reverse mapping|no reverse|reverse name|cannot find your*hostname|may not be mail exchanger|dynamic ip|dynamic*address|generic*hostname|does not resolve to*address|forward*confirmed|name lookup failed|forged hostname|cannot resolve your address|unresolvable relay host|residential", kPtrMissing},
    {kAny, "", "x.7.25", "", kPtrMissing},
    {kAny, "", "", "helo*reject|ehlo*reject|invalid helo|bad helo|helo*invalid|helo*not*resolv|helo*fully|ehlo*invalid|helo*mismatch|helo name|ehlo name|bad ehlo|invalid ehlo", kHeloRejected},
    {kAny, "", "", "block list|blocklist|blacklist|black list|black-list|denylist|deny list|block-list|dnsbl|dns-bl|rbl|spamhaus|spamcop|barracudacentral|sorbs|abusix|uceprotect|spfbl|banned*ip|ip*banned|ip*blocked|blocked*ip |ip address*blocked|ip address*rejected|ip address*denied|ip address*refused|client host*blocked|client host*listed|host*listed|blocked using|blocked - see|ip source bloquee|part of their network|bl?ip=|bl.php?ip=|lookup?ip=|[s3140]|[s3150]|your ip|listed at|listed on|listed by|poor reputation|bad reputation|low reputation|reputation*low|reputation*poor|reputation*bad|due to ip|reset-request/?ip|bad sender ip|abus detecte|mismatches client ip|reputation problem|mail server at*blocked|no access from mail server|smtp server of your isp|open proxy|listed as abusive|your remotehost|you are sending spam|currently sending spam|ip*listed as", kIpBlocklisted},
    {kAny, "", "5.7.606|5.7.607|5.7.608|5.7.609|5.7.511|5.7.512|5.7.708|5.7.513", "", kIpBlocklisted},
    {kGreeting | kEhlo, "5", "", "access denied|not authorized|blocked|refused|rejected|not welcome|problem occurred", kIpBlocklisted},
    {kAny, "5", "", "not allowed to connect|not permitted to connect", kIpBlocklisted},
    {kEhlo, "501", "", "domain|name", kHeloRejected},

    // --- who may send to this recipient at all
    {kTransaction, "", "", "resolver.rst|only accepts*from|only accept*from|members only|not allowed to post|not permitted to post|permitted senders|allowed senders|authenticated senders only|restricted*recipient|recipient*restricted|subscribers only|not authorized to send to|not permitted to send to|permission to send*to the recipient|only internal|sandbox subdomain|closed mailing list|not subscribed to this|non-member|to this mailing list|not pre-approved", kRestrictedRecipient},
    {kTransaction, "", "5.7.124|5.7.129|5.7.133|5.7.134|5.7.135|5.7.136|x.7.2", "", kRestrictedRecipient},

    // --- the sender's identity at the provider
    {kTransaction, "", "", "not match a verified|address is not verified|addresses are not verified|email*not verified|sender*not verified|identity*not verified|domain*not verified|domain*is unverified|unverified sender|isn't a verified|not a verified|verified sender|sender signature|unconfigured sending domain|failed the check in region|validate your sender|confirm your sender|verify your sender|sender*not*validated|sender*not confirmed|from address*not confirmed|verify the sender", kSenderNotVerified},
    {kAny, "5", "", "outboundspam|outgoing mail suspension", kAuthDisabledForAccount},
    {kTransaction, "5", "", "sender not authenticated|sender is not authenticated", kAuthRequired},
    {kTransaction, "", "", "not owned by|owned by|permissions to send as|permission to send as|sendasdenied|send as denied|send on behalf|not allowed to send as|not allowed to send from|not authorized to send|not authorised to send|not authorized to use|not allowed to use|not permitted to send from|not permitted to send as|must be same as|must be the same as|must match*auth|must match*user|must match*login|must match*account|not match*auth|not match*user|not match*login|not match*account|doesn't match*auth|sender mismatch|sender*mismatch|mismatch*sender|envelope*mismatch|from address*not allowed|sender*not allowed|sender*not permitted|sender*not authorized|sender not auth|invalid sender*auth|not your address|does not belong to|is not one of your|from*not belong|bad outbound sender|use your own address|sender*is not*user|authenticated as*different|cannot send*as|can't send*as|must equal auth|mail from not owned|not a registered gateway user|not on*authorised|not on*authorized", kSenderNotAllowed},
    {kTransaction, "", "5.7.60|5.7.501|5.7.502|5.7.503|5.2.252", "", kSenderNotAllowed},
    {kTransaction, "", "", "domain of sender|sender domain|sender's domain|sender*domain*not|sender*domain*invalid|sender*domain*exist|sender*not exist|sender*unverified address|sender*undeliverable|sender verify failed|sender verification|sender callout|callout|from: domain|from domain*invalid|domain is invalid|sender*dns|dns mx or a|resource record|sender*null mx|sender*resolve|sender*unknown|sender*invalid|invalid sender|unresolvable sender|sender address rejected: domain|verification failed for|badsendermx|purported responsible|emetteur invalide|empty email address|empty envelope sender|null sender|fully qualified email|returned mail not accepted|unroutable sender|is a dead domain|without a valid sender domain", kSenderDomainInvalid},
    {kTransaction, "", "x.1.8|x.1.7|x.7.27", "", kSenderDomainInvalid},
    {kMail, "", "", "your account|account*suspended|account*disabled|account*blocked|user*suspended|user*disabled|sending*disabled|sending*paused|sending*suspended|not allowed to send mail|not activated", kAuthDisabledForAccount},
    {kTransaction, "5", "", "your account has been|account*sending*suspended|sending paused", kAuthDisabledForAccount},

    // --- no AUTH was done
    {kAny, "530", "", "", kAuthRequired},
    {kAny, "5", "", "authentication required|authentication is required|authentication needed|requires authentication|require authentication|smtp auth|must authenticate|must be authenticated|authenticate first|authenticate before|not authenticated|please authenticate|please log in|login required|need to authenticate|not logged in|client host rejected: access denied|pop before smtp|pop-before-smtp|check your mail first|check mail first|auth first|auth command first|auth required|authorization required|authenticated access", kAuthRequired},
    {kTransaction, "", "x.7.57", "", kAuthRequired},

    // --- grey lists
    {kTransaction, "4", "", "greylist|graylist|grey list|gray list|grey-list|gray-list|grey_list|postgrey|greylst|try again in*sec|try again in*min|retry in*sec|retry in*min|come back in|first time|early retry|wait*seconds|wait*minutes", kGreylisted},
    {kTransaction, "45", "4.7.1", "try again later|try later|retry later|come back later|service unavailable|temporarily deferred|please try again", kGreylisted},

    // --- a full mailbox in words that speak of limits or sizes too
    {kTransaction, "", "", "exceeding receiving limits|mailbox size limit|mail file size exceeds|mailfolder is full|space has been used up|have enough space", kMailboxFull},

    // --- the message
    {kTransaction, "5", "", "virus|malware|infected|trojan|worm.|clamav|ransomware", kVirus},
    {kTransaction, "", "", "line limit|line*too long|line length|long line|lines*too long|maximum line|longer than 998|998 char|1000 char", kLineTooLong},
    {kTransaction, "", "", "insufficient system storage|insufficient system resources|insufficient disk|system storage|queue file write|no space left|out of memory", kTemporaryRemote},
    {kTransaction, "", "", "message size|message*too big|message*too large|mail*too large|mail*too big|message length|mail size|size limit|size*exceeds|exceeds*size|exceeded*message size|larger than|maximum size|size*too large|too large*message", kMessageTooBig},
    {kTransaction, "", "x.3.4|x.2.3", "", kMessageTooBig},

    // --- the recipient's mailbox
    {kTransaction, "", "", "mailbox*full|full mailbox|inbox*full|mailbox*quota|over quota|overquota|over*quota|quota*exceeded|exceed*quota|quota*violation|quota|out of storage|out of space|storage allocation|exceed*storage|storage*exceed|storage limit|mailbox*limit|mailbox*size|mailbox*space|not enough*space|not enough storage|insufficient*space|account is full|account*full|user*full|boite*pleine|disk full", kMailboxFull},
    {kTransaction, "", "x.2.2", "", kMailboxFull},
    {kTransaction, "522", "", "", kMailboxFull},
    {kTransaction, "5", "", "null mx|nullmx|accepts no mail|does not accept mail|does not accept email|no mail accepted|domain*not accept*mail", kNullMx},
    {kTransaction, "521", "", "", kNullMx},
    {kTransaction, "556", "", "", kNullMx},
    {kTransaction, "5", "", "inactive user|recipient suspend|unavailable or access denied|temporary locked|temporarily locked|account*disabled|account*inactive|account*suspended|account*locked|account*deactivated|account*closed|account*frozen|account*expired|account*terminated|user is terminated|account*blocked|account is unavailable|mailbox*disabled|mailbox*inactive|mailbox*suspended|mailbox*locked|mailbox*frozen|mailbox*blocked|mailbox*deactivated|mailbox*closed|mailbox*expired|user*disabled|user*inactive|user*suspended|user*locked|user*frozen|user*blocked|user*deactivated|recipient*suspended|recipient*inactive|recipient*disabled|not active|is inactive|is suspended|is disabled|has been disabled|has been suspended|deactivated|dormant|address*disabled|mailbox is not accepting|not accepting messages", kAccountDisabled},
    {kTransaction, "5", "", "has moved|user moved|moved to|new address|no longer with|no longer work|left the company|address*changed|address has been changed|no longer uses this", kMoved},
    {kTransaction, "551", "", "not local|try |forward", kMoved},
    {kTransaction, "5", "5.1.6", "", kMoved},
    {kTransaction, "5", "5.2.1|5.7.13", "", kAccountDisabled},
    {kTransaction, "5", "5.1.2", "domain not found|host not found", kDomainNotFound},
    {kTransaction, "5", "", "too many invalid recipients|too many unknown recipients|too many bad recipients", kPolicyRejected},
    {kTransaction, "5", "", "user unknown|unknown user|unknown account|unknown recipient|unknown address|unknown mailbox|unknown local|unknown or illegal|recipient unknown|address unknown|addressee unknown|mailbox unknown|no such user|no such recipient|no such mailbox|no such address|no such person|no such account|no such local|no mailbox here|no mailbox by|no account|user does not exist|user doesn't exist|account*not exist|account*doesn't exist|mailbox*not exist|mailbox*doesn't exist|address*not exist|address*doesn't exist|recipient*not exist|recipient*doesn't exist|user*not exist|user*not found|recipient*not found|recipientnotfound|mailbox*not found|address*not found|account*not found|invalid recipient|invalid mailbox|invalid user|invalid address|recipient*invalid|not a valid mailbox|not a valid recipient|not a valid user|not a known user|no valid recipients|no valid recipient|undeliverable address|not our customer|bad destination|bad address|user*not known|not listed in|user*invalid|not have*mailbox|not have an account|does not have*account|doesn't have a*account|isn't a valid|recipient address rejected|recipient rejected|no recipients|unknown in*table|user*unknown|is not a valid|> not found|archived recipient|bad-recipient|bad_recipient|badrcptto|can't accept user|addresses were unknown|rejected recipients|address could not be found|user could not be found|recipient could not be found|mailbox could not be found|not an active address|mailbox invalid|mailbox not present|in name directory|no existe|no mail box|no mailbox found|account unavailable|non-existent user|nonexistent user|non existent user|not a local address|> does not exist|recipient is not local|recipient not ok|recipnotfound|recipients was undeliverable|no one at this address|no longer accepts mail|no longer valid|unknown e-mail|unknown email|missing home directory|unknown virtual user|destinataire invalide", kUserUnknown},
    {kTransaction, "5", "", "host not found|domain not found|no such domain|nxdomain|name service error|domain*not exist|domain*doesn't exist|unrouteable|unroutable|unknown domain|unknown host|domain*not found|no mx|invalid domain|domain*invalid|dns lookup failed|host unknown|unable to route", kDomainNotFound},

    {kTransaction, "5", "", "does not exist", kUserUnknown},

    // --- content and form
    {kTransaction, "5", "", "header error|header are not|multiple addresses|8-bit|8bit|missing*header|header*missing|header*invalid|invalid header|header*malformed|malformed|duplicate*header|multiple*from|multiple*subject|rfc 5322|rfc5322|rfc 2822|rfc2822|rfc 822|rfc822|rfc 5321|bare lf|bare cr|bare line|null byte|nul char|mime*error|mime*invalid|missing*message-id|missing*from|missing*date|missing a valid|invalid message|no from|syntax error in header|headers too|header*too large|not rfc|non-rfc|from*header", kFormatRejected},
    {kTransaction, "5", "", "spam|unsolicited|junk|phish|content*reject|content*block|content*not accept|content*unacceptable|content*denied|objectionable|rejected*content|rejected by*filter|content filter|security polic|potential security|suspicious|uribl|surbl|message*blocked|mail*blocked|blocked*content|mail rejete|mail rejected|message content|looks like|bulk mail|mcspam|bogofilter|score|signature*match|message contains|scam|fraud|attachment|dt:spm|mi:spb|bulk email|bulk.adv|banned content|mass mailer|message filtered|detected that this message is", kContentRejected},
    {kTransaction, "5", "5.1.0|5.1.7|5.1.8", "sender*reject|reject*sender", kSenderDomainInvalid},
    {kMail, "5", "", "sender*reject|reject*sender", kSenderNotAllowed},
    {kTransaction, "5", "", "policy|policies|prohibit|access denied|not permitted|message refused|administrat|local polic|message not accepted|message rejected|protocol violation|rejected", kPolicyRejected},
    {kAny, "5", "", "try again later|try later|try again|retry later|temporar|later|essayer plus tard|moment", kRateLimited},
    {kRcpt, "5", "", "mailbox unavailable|mailbox is unavailable|mailbox not available", kUserUnknown},

    // --- what the enhanced code alone says (RFC 3463; the IANA registry)
    {kTransaction, "5", "5.1.10", "", kNullMx},
    {kTransaction, "5", "5.1.1|5.1.3|5.1.0|5.1.4", "", kUserUnknown},
    {kTransaction, "5", "5.1.2|5.4.4|5.4.1|5.4.310|5.4.312", "", kDomainNotFound},
    {kTransaction, "5", "5.6.", "", kFormatRejected},
    {kTransaction, "5", "5.7.8", "", kAuthRequired},
    {kTransaction, "5", "5.7.", "", kPolicyRejected},

    // --- what the basic code alone says (RFC 5321 section 4.2.3)
    {kAny, "4", "", "another mx|next mx|other mx|different mx|alternate|other host|another host|try next|backup server|try again*different", kFallbackRetryOtherHost},
    {kAny, "4", "", "", kTemporaryRemote},
    {kAny, "5", "5.5.", "", kProtocolError},
    {kAny, "500", "", "", kProtocolError},
    {kAny, "501", "", "", kProtocolError},
    {kAny, "502", "", "", kProtocolError},
    {kAny, "503", "", "", kProtocolError},
    {kAny, "504", "", "", kProtocolError},
    {kAny, "555", "", "", kProtocolError},
    {kAny, "552", "", "", kMessageTooBig},
    {kAny, "2", "", "", kDelivered},
    {kAny, "5", "", "", kPermanentRemote},
};
// clang-format on

bool status_fits(std::string_view wanted, std::string_view status) {
  if (status.size() < 5) return false;
  while (!wanted.empty()) {
    auto bar = wanted.find('|');
    auto one = wanted.substr(0, bar);
    bool any_class = one.front() == 'x';
    auto have = any_class ? status.substr(1) : status;
    auto want = any_class ? one.substr(1) : one;
    if (want.ends_with('.') ? have.starts_with(want) : have == want) return true;
    wanted = bar == std::string_view::npos ? std::string_view() : wanted.substr(bar + 1);
  }
  return false;
}

}  // namespace

std::span<const Rule> rules() {
  return kRules;
}

bool contains_pattern(std::string_view text, std::string_view pattern) {
  while (!pattern.empty()) {
    auto star = pattern.find('*');
    auto piece = pattern.substr(0, star);
    auto at = text.find(piece);
    if (at == std::string_view::npos) return false;
    text = text.substr(at + piece.size());
    pattern = star == std::string_view::npos ? std::string_view() : pattern.substr(star + 1);
  }
  return true;
}

bool fits(const Rule& rule, Stage stage, int code, std::string_view status, std::string_view lower_text) {
  if (!(rule.stages & stage)) return false;
  char digits[3] = {static_cast<char>('0' + code / 100 % 10), static_cast<char>('0' + code / 10 % 10),
                    static_cast<char>('0' + code % 10)};
  if (!std::string_view(digits, 3).starts_with(rule.code)) return false;
  if (*rule.status && !status_fits(rule.status, status)) return false;
  std::string_view words = rule.words;
  if (words.empty()) return true;
  while (!words.empty()) {
    auto bar = words.find('|');
    if (contains_pattern(lower_text, words.substr(0, bar))) return true;
    words = bar == std::string_view::npos ? std::string_view() : words.substr(bar + 1);
  }
  return false;
}

}  // namespace sidegate::provider
