#include "route/ways.h"

#include <gtest/gtest.h>

namespace sidegate::route::ways_test {
namespace {

TEST(Ways, AllInFileOrder) {
  Table table = Table::all(3);
  queue::ClassKey key;
  EXPECT_EQ(table.ways(key), (std::vector<queue::WayId>{0, 1, 2}));
  EXPECT_EQ(table.after(key, 0), 1);
  EXPECT_EQ(table.after(key, 2), std::nullopt);
  EXPECT_EQ(table.after(key, 7), std::nullopt);
}

Rule rule_for(std::vector<queue::WayId> ways, std::vector<std::string> senders, std::vector<std::string> recipients,
              std::vector<std::string> users) {
  Rule rule{std::move(ways), Rule::For::kRoute};
  rule.conditions = *Conditions::make({std::move(senders), std::move(recipients), std::move(users), {}});
  return rule;
}

TEST(Ways, OfASenderWhoeverItIsFor) {
  Rule held = rule_for({}, {}, {}, {});
  held.holds = true;
  const Table table({{{9}, Rule::For::kDomain, "inside.example"},
                     held,
                     rule_for({0}, {"@own.example"}, {"a.example"}, {}),
                     rule_for({1, 0}, {"@own.example"}, {"*"}, {}),
                     rule_for({2}, {}, {}, {"*"}),
                     {{3}, Rule::For::kLeaves},
                     {{4}, Rule::For::kStays}});
  using Ids = std::vector<queue::WayId>;
  EXPECT_EQ(table.ways_of_sender("me@own.example"), (Ids{0, 1}));
  EXPECT_EQ(table.ways_of_sender("me@other.example"), (Ids{2, 3}));
  EXPECT_EQ(table.ways_of_sender(""), (Ids{2, 3}));
  EXPECT_EQ(table.ways_of_sender(std::nullopt), (Ids{0, 1, 2, 3}));
}

// A route may refuse, hold or discard a relay domain's mail; it does not lead it out to the world.
TEST(Ways, OfARelayDomain) {
  Rule refuses = rule_for({0}, {"@bad.example"}, {}, {}), leads = rule_for({1}, {"@own.example"}, {}, {}),
       discards = rule_for({2}, {}, {}, {}), holds = rule_for({}, {"@held.example"}, {}, {});
  leads.leads_out = holds.holds = true;
  const Table table(
      {refuses, leads, holds, discards, {{9}, Rule::For::kDomain, "inside.example"}, {{3}, Rule::For::kLeaves}});
  const auto way = [&](std::string sender, std::string domain) {
    queue::ClassKey key{.recipient_domain = std::move(domain), .sender_key = {}, .user = {}, .listener = {}};
    key.sender = std::move(sender);
    return table.ways(key).front();
  };
  EXPECT_EQ(way("a@bad.example", "inside.example"), 0u);
  EXPECT_EQ(way("a@own.example", "inside.example"), 9u);
  EXPECT_EQ(way("a@own.example", "far.example"), 1u);
  EXPECT_EQ(way("a@other.example", "inside.example"), 2u);  // the first that fits decides
  EXPECT_EQ(way("a@held.example", "inside.example"), 2u);   // once released
  queue::ClassKey held{.recipient_domain = "inside.example", .sender_key = {}, .user = {}, .listener = {}};
  held.sender = "a@held.example";
  EXPECT_TRUE(table.rule_at_entry(held)->holds);
  const Table none({leads, {{9}, Rule::For::kDomain, "inside.example"}, {{3}, Rule::For::kLeaves}});
  queue::ClassKey plain{.recipient_domain = "inside.example", .sender_key = {}, .user = {}, .listener = {}};
  EXPECT_EQ(none.ways(plain).front(), 9u);
}

mail::Recipient to(std::string address) {
  mail::Recipient recipient;
  recipient.address = std::move(address);
  return recipient;
}

TEST(Ways, ClassOfARecipient) {
  mail::Envelope envelope;
  envelope.reverse_path = "Me@Home.example";
  mail::Origin origin;
  origin.listener = "local";
  auto key = class_key(envelope, origin, to("\"a@b\"@Example.ORG"));
  EXPECT_EQ(key.recipient_domain, "example.org");
  EXPECT_EQ(key.sender_key, "me@home.example");
  origin.user = "Taro";
  EXPECT_EQ(class_key(envelope, origin, to("x@y")).sender_key, "taro");
  EXPECT_EQ(class_domain(to("Postmaster")), "");
}

TEST(Ways, ClassOfWhatEndsHere) {
  using enum mail::Destination;
  struct {
    mail::Destination destination;
    const char* domain;
  } cases[] = {
      {kRoute, "example.org"}, {kMailbox, ".mailbox"}, {kPipe, ".pipe"}, {kFile, ".file"}, {kDiscard, ".discard"}};
  for (const auto& c : cases) {
    mail::Recipient recipient = to("a@example.org");
    recipient.destination = c.destination;
    EXPECT_EQ(class_domain(recipient), c.domain);
  }
}

TEST(Ways, ClassOfWhatStaysHere) {
  mail::Envelope envelope;
  envelope.reverse_path = "Me@Home.example";
  mail::Origin origin;
  origin.listener = "in";
  mail::Recipient recipient;
  recipient.address = "bob@here.example";
  recipient.target = "bob";
  EXPECT_EQ(class_key(envelope, origin, recipient).recipient_domain, "here.example");
  using mail::Destination;
  for (auto [to, domain] : {std::pair(Destination::kMailbox, kMailbox), std::pair(Destination::kPipe, kPipe),
                            std::pair(Destination::kFile, kFile), std::pair(Destination::kDiscard, kDiscard)}) {
    recipient.destination = to;
    auto key = class_key(envelope, origin, recipient);
    EXPECT_EQ(key.recipient_domain, domain);
    EXPECT_EQ(key.sender_key, "me@home.example");
    EXPECT_EQ(key.listener, "in");
    EXPECT_TRUE(is_local(key));
  }
}

TEST(Ways, WhatIsHeldAtTheDoorGoesByTheNextRuleOnceItIsIn) {
  Rule holds{{}, Rule::For::kLeaves};
  holds.holds = true;
  Table table({holds, Rule{{1}, Rule::For::kLeaves}});
  queue::ClassKey key;
  key.recipient_domain = "x.example";
  ASSERT_NE(table.rule_at_entry(key), nullptr);
  EXPECT_TRUE(table.rule_at_entry(key)->holds);
  EXPECT_EQ(table.ways(key), (std::vector<queue::WayId>{1}));
  EXPECT_EQ(Table({holds}).rule(key), nullptr);
}

TEST(Ways, WhatStaysAndWhatLeavesDoNotMeet) {
  using For = Rule::For;
  Table table({Rule{{0, 1}, For::kLeaves}, Rule{{3}, For::kMailboxes}, Rule{{2}, For::kStays}});
  auto ways = [&](std::string_view domain) {
    queue::ClassKey key;
    key.recipient_domain = domain;
    return table.ways(key);
  };
  EXPECT_EQ(ways("x.example"), (std::vector<queue::WayId>{0, 1}));
  EXPECT_EQ(ways(""), (std::vector<queue::WayId>{0, 1}));
  EXPECT_EQ(ways(".mailbox"), (std::vector<queue::WayId>{3}));
  EXPECT_EQ(ways(".pipe"), (std::vector<queue::WayId>{2}));
  EXPECT_EQ(ways(".discard"), (std::vector<queue::WayId>{2}));
  queue::ClassKey mailbox;
  mailbox.recipient_domain = ".mailbox";
  EXPECT_EQ(table.after(mailbox, 3), std::nullopt);  // never out of the house
}

}  // namespace
}  // namespace sidegate::route::ways_test
