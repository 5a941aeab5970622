#include "route/ways.h"

#include <gtest/gtest.h>

namespace sidegate::route {
namespace {

TEST(Ways, AllInFileOrder) {
  Table table = Table::all(3);
  queue::ClassKey key;
  EXPECT_EQ(table.ways(key), (std::vector<queue::WayId>{0, 1, 2}));
  EXPECT_EQ(table.after(key, 0), 1);
  EXPECT_EQ(table.after(key, 2), std::nullopt);
  EXPECT_EQ(table.after(key, 7), std::nullopt);
}

TEST(Ways, ClassOfARecipient) {
  mail::Envelope envelope;
  envelope.reverse_path = "Me@Home.example";
  mail::Origin origin;
  origin.listener = "local";
  auto key = class_key(envelope, origin, "\"a@b\"@Example.ORG");
  EXPECT_EQ(key.recipient_domain, "example.org");
  EXPECT_EQ(key.sender_key, "me@home.example");
  origin.user = "Taro";
  EXPECT_EQ(class_key(envelope, origin, "x@y").sender_key, "taro");
  EXPECT_EQ(class_key(envelope, origin, "Postmaster").recipient_domain, "");
}

}  // namespace
}  // namespace sidegate::route
