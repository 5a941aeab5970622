#include "provider/meanings.h"

#include <gtest/gtest.h>

#include "provider/reply_table.h"

namespace sidegate::provider::meanings_test {
namespace {

TEST(Meanings, FactsStandInTheOrderOfTheEnumeration) {
  for (int i = 0; i <= static_cast<int>(Meaning::kProtocolError); ++i) {
    EXPECT_EQ(static_cast<int>(facts(static_cast<Meaning>(i)).meaning), i);
    EXPECT_EQ(facts_of_word(facts(static_cast<Meaning>(i)).word), &facts(static_cast<Meaning>(i)));
  }
  EXPECT_EQ(facts_of_word("way-down"), nullptr);
}

// Who is refused for the sender is told the line that ends it.
TEST(Meanings, ARefusedSenderIsToldTheCure) {
  for (Meaning m : {Meaning::kSenderNotAllowed, Meaning::kSenderNotVerified, Meaning::kSenderDomainInvalid}) {
    EXPECT_NE(std::string_view(facts(m).explanation).find("identity = \"account\""), std::string_view::npos);
  }
}

TEST(Meanings, Patterns) {
  EXPECT_TRUE(contains_pattern("the mailbox of x is full", "mailbox*full"));
  EXPECT_FALSE(contains_pattern("full of mailboxes", "mailbox*full"));
  EXPECT_TRUE(contains_pattern("abc", "b"));
  EXPECT_FALSE(contains_pattern("abc", "d"));
}

struct Case {
  Stage stage;
  int code;
  const char* status;
  const char* text;
  const char* word;
};

class Replies : public testing::TestWithParam<Case> {};

TEST_P(Replies, Mean) {
  const Case& c = GetParam();
  mail::Reply reply(c.code, c.text);
  reply.status = mail::EnhancedCode::parse(c.status);
  EXPECT_STREQ(facts(meaning_of(c.stage, reply)).word, c.word) << c.code << ' ' << c.status << ' ' << c.text;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Replies,
    testing::Values(
        Case{kAuth, 535, "5.7.8", "Error: authentication failed: authentication failure", "auth-bad-credentials"},
        Case{kAuth, 534, "5.7.9", "Application-specific password required", "auth-app-password-needed"},
        Case{kAuth, 535, "5.7.3", "Authentication unsuccessful", "auth-bad-credentials"},
        Case{kAuth, 535, "", "Login Fail. Please enter your authorization code to login", "auth-app-password-needed"},
        Case{kAuth, 454, "4.7.0", "Temporary authentication failure: Connection lost to authentication server",
             "temporary-remote"},
        Case{kAuth, 538, "5.7.11", "Encryption required for requested authentication mechanism", "tls-required"},
        Case{kMail, 530, "5.7.0", "Authentication Required", "auth-required"},
        Case{kMail, 530, "5.7.1", "Authentication required", "auth-required"},
        Case{kMail, 454, "", "Throttling failure: Daily message quota exceeded.", "quota-exceeded"},
        Case{kFinal, 454, "", "Throttling failure: Maximum sending rate exceeded.", "rate-limited"},
        Case{kFinal, 554, "",
             "Message rejected: Email address is not verified. The following identities failed the check in region "
             "EU-WEST-1: a@b",
             "sender-not-verified"},
        Case{kRcpt, 550, "5.1.1", "no such user", "user-unknown"},
        Case{kRcpt, 450, "4.2.1",
             "The user you are trying to contact is receiving mail at a rate that prevents additional messages",
             "recipient-rate-limited"},
        Case{kRcpt, 452, "4.5.3", "Error: too many recipients", "too-many-recipients"},
        Case{kRcpt, 452, "4.2.2", "Mailbox full", "mailbox-full"},
        Case{kRcpt, 554, "5.7.1", "<a@b>: Relay access denied", "relay-denied"},
        Case{kMail, 452, "4.3.1", "Insufficient system storage", "temporary-remote"},
        Case{kMail, 432, "4.3.2", "STOREDRV.ClientSubmit; sender thread limit exceeded", "too-many-connections"},
        Case{kMail, 421, "4.3.2", "Service shutting down", "temporary-remote"},
        Case{kFinal, 550, "5.7.1", "Message rejected", "policy-rejected"},
        Case{kFinal, 554, "5.4.14", "Hop count exceeded - possible mail loop", "mail-loop"},
        Case{kAuth, 451, "", "Authentication failed: Maximum credits exceeded", "quota-exceeded"},
        Case{kAuth, 432, "4.7.12", "A password transition is needed", "auth-bad-credentials"},
        Case{kAuth, 454, "4.7.0", "Temporary server error. Please try again later. PRX4", "temporary-remote"},
        Case{kAuth, 535, "", "Error: authentication failed, system busy", "auth-throttled"},
        Case{kMail, 553, "", "Mail from must equal authorized user", "sender-not-allowed"},
        Case{kMail, 550, "5.1.0", "Sender rejected", "sender-domain-invalid"},
        Case{kMail, 550, "5.7.1", "Sender not authenticated", "auth-required"},
        Case{kMail, 451, "5.7.3", "STARTTLS is required to send mail", "tls-required"},
        Case{kMail, 503, "5.5.4", "Error: send AUTH command first", "auth-required"},
        Case{kRcpt, 452, "4.5.3",
             "Your message has too many recipients. For more information regarding Google's sending limits go to",
             "too-many-recipients"},
        Case{kRcpt, 550, "5.1.1", "<a@b> - 192.0.2.1 has sent to too many recipients this hour.", "rate-limited"},
        Case{kRcpt, 550, "5.1.2", "<a@b.invalid>: Recipient address rejected: Domain not found", "domain-not-found"},
        Case{kRcpt, 550, "", "not local host b, not a gateway", "relay-denied"},
        Case{kRcpt, 550, "", "Too many invalid recipients", "policy-rejected"},
        Case{kRcpt, 451, "4.1.8", "Possibly forged hostname for 192.0.2.1", "ptr-missing"},
        Case{kRcpt, 454, "4.7.5", "Certificate validation failure", "tls-not-offered"},
        Case{kFinal, 421, "4.7.26", "This mail has been rate limited because it is unauthenticated.",
             "dmarc-or-spf-fail"},
        Case{kFinal, 554, "5.2.0", "STOREDRV.Submission.Exception:OutboundSpamException; Failed to process message",
             "auth-disabled-for-account"},
        Case{kFinal, 554, "", "DT:SPM 163 smtp11", "content-rejected"},
        Case{kGreeting, 554, "", "IP=192.0.2.1 - A problem occurred. (Ask your postmaster for help)", "ip-blocklisted"},
        Case{kEhlo, 501, "5.5.4", "Invalid domain name", "helo-rejected"},
        Case{kRcpt, 550, "", "<a@b> not found", "user-unknown"},
        Case{kRcpt, 550, "5.1.2", "Domain b.invalid does not exist", "domain-not-found"},
        Case{kRcpt, 550, "", "There is no one at this address", "user-unknown"},
        Case{kRcpt, 550, "", "sorry, your envelope recipient is in my badrcptto list (#5.7.1)", "user-unknown"},
        Case{kRcpt, 550, "", "Account disabled temporarly for exceeding receiving limits", "mailbox-full"},
        Case{kRcpt, 552, "", "too much mail data", "mailbox-full"},
        Case{kRcpt, 550, "", "invalid/inactive user", "account-disabled"},
        Case{kRcpt, 550, "", "Please use the smtp server of your ISP", "ip-blocklisted"},
        Case{kRcpt, 554, "", "sorry, this is not an open relay", "relay-denied"},
        Case{kFinal, 554, "", "Blacklisted URL in message", "content-rejected"},
        Case{kFinal, 550, "", "closed mailing list, you are not subscribed", "restricted-recipient"},
        Case{kMail, 550, "", "null sender is not allowed", "sender-not-allowed"},
        Case{kMail, 554, "5.7.1", "<a@b>: Sender address rejected: Access denied", "sender-not-allowed"},
        Case{kFinal, 599, "", "hm", "permanent-remote"}, Case{kFinal, 499, "", "hm", "temporary-remote"}));

}  // namespace
}  // namespace sidegate::provider::meanings_test
