#include "intake/client_rates.h"

#include <gtest/gtest.h>

namespace sidegate::intake::client_rates_test {
namespace {

constexpr SteadyTime at(double seconds) {
  return SteadyTime(std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9) + 1'000'000'000));
}

TEST(ClientRates, FlowOff) {
  ClientRates rates;
  ASSERT_TRUE(rates.set({.connections = 3, .messages = 60}));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(rates.take("192.0.2.1", ClientDoes::kConnect, at(0)));
  EXPECT_FALSE(rates.take("192.0.2.1", ClientDoes::kConnect, at(0)));
  EXPECT_FALSE(rates.take("192.0.2.1", ClientDoes::kConnect, at(19)));
  EXPECT_TRUE(rates.take("192.0.2.1", ClientDoes::kConnect, at(21)));  // a third of a minute for one of three
  EXPECT_FALSE(rates.take("192.0.2.1", ClientDoes::kConnect, at(22)));
  EXPECT_TRUE(rates.take("192.0.2.2", ClientDoes::kConnect, at(22)));
  EXPECT_TRUE(rates.take("192.0.2.1", ClientDoes::kSend, at(22)));
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(rates.take("192.0.2.1", ClientDoes::kNameRecipient, at(22)));  // no limit
}

TEST(ClientRates, IPv6ByNetwork) {
  ClientRates rates;
  ASSERT_TRUE(rates.set({.connections = 1}));
  EXPECT_TRUE(rates.take("2001:db8:0:1::1", ClientDoes::kConnect, at(0)));
  EXPECT_FALSE(rates.take("2001:db8:0:1:ffff::2", ClientDoes::kConnect, at(0)));
  EXPECT_TRUE(rates.take("2001:db8:0:2::1", ClientDoes::kConnect, at(0)));
  EXPECT_TRUE(rates.take("::ffff:192.0.2.1", ClientDoes::kConnect, at(0)));
  EXPECT_FALSE(rates.take("192.0.2.1", ClientDoes::kConnect, at(0)));
  EXPECT_TRUE(rates.take("192.0.2.2", ClientDoes::kConnect, at(0)));
}

TEST(ClientRates, Exempt) {
  ClientRates rates;
  ASSERT_TRUE(rates.set({.connections = 1, .exempt = {"192.0.2.0/24"}}));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(rates.take("192.0.2.1", ClientDoes::kConnect, at(0)));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(rates.take("unix", ClientDoes::kConnect, at(0)));
  EXPECT_FALSE(rates.set({.exempt = {"192.0.2.1/24"}}));
}

TEST(ClientRates, ErrorsShun) {
  ClientRates rates;
  ASSERT_TRUE(rates.set({.errors = 5}));
  EXPECT_FALSE(rates.shunned("192.0.2.1", at(0)));
  for (int i = 0; i < 50; ++i) rates.take("192.0.2.1", ClientDoes::kErr, at(0));
  EXPECT_TRUE(rates.shunned("192.0.2.1", at(1)));
  EXPECT_FALSE(rates.shunned("192.0.2.2", at(1)));
  EXPECT_TRUE(rates.shunned("192.0.2.1", at(20)));  // of 50 errors 10 count, and 5 a minute flow off
  EXPECT_TRUE(rates.shunned("192.0.2.1", at(59)));
  EXPECT_FALSE(rates.shunned("192.0.2.1", at(73)));
  ASSERT_TRUE(rates.set({.errors = 0}));
  EXPECT_FALSE(rates.shunned("192.0.2.1", at(1)));
}

// However many come, the table is what it is, and who is at the limit is not washed out by who came once.
TEST(ClientRates, ManyAddressesDoNotWashOutOne) {
  ClientRates rates;
  ASSERT_TRUE(rates.set({.connections = 4}));
  for (int i = 0; i < 5; ++i) rates.take("192.0.2.1", ClientDoes::kConnect, at(0));
  for (unsigned i = 0; i < 100'000; ++i)
    rates.take("10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255),
               ClientDoes::kConnect, at(1));
  EXPECT_FALSE(rates.take("192.0.2.1", ClientDoes::kConnect, at(2)));
}

}  // namespace
}  // namespace sidegate::intake::client_rates_test
