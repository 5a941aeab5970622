// RCPT as a client sees it, with aliases, and what goes into the queue.
#include "intake/recipients.h"

#include <gtest/gtest.h>

#include "intake/test_house.h"

namespace sidegate::intake::recipients_test {
namespace {

struct Fixture : LocalHouse {
  explicit Fixture(const std::string& aliases, const std::string& virtuals = "")
      : LocalHouse("mx.gate.test", aliases, virtuals) {}

  std::string play(const std::string& commands) { return House::play("EHLO client.example\r\n" + commands); }
  // The reply to one RCPT, its first two words.
  std::string rcpt(const std::string& address, const std::string& sender = "a@b.example") {
    std::string written = play("MAIL FROM:<" + sender + ">\r\nRCPT TO:<" + address + ">\r\n");
    std::string line = written.substr(written.rfind("\r\n", written.size() - 3) + 2);
    return line.substr(0, 9);
  }
};

const std::string kContent = "DATA\r\nDate: x\r\nMessage-ID: <x@y>\r\n\r\nhello\r\n.\r\n";

TEST(Rcpt, WhoIsHere) {
  Fixture f("list: bob, me@far.example\nbad: x@@y\n", "@catch.test bob\ninfo@shop.test me@far.example\n");
  struct {
    const char* address;
    const char* trusted;
    const char* stranger;
  } cases[] = {
      {"bob@gate.test", "250 2.1.5", "250 2.1.5"},
      {"list@gate.test", "250 2.1.5", "250 2.1.5"},  // where it leads is the operator's will
      {"ghost@gate.test", "550 5.1.1", "550 5.1.1"},
      {"bad@gate.test", "451 4.3.0", "451 4.3.0"},
      {"any@catch.test", "250 2.1.5", "250 2.1.5"},
      {"ghost@shop.test", "550 5.1.1", "550 5.1.1"},
      {"x@far.example", "250 2.1.5", "554 5.7.1"},
      {"x%far.example@gate.test", "550 5.1.1", "550 5.1.1"},
      {"\"x@far.example\"@gate.test", "550 5.1.1", "550 5.1.1"},
      {"far.example!x@gate.test", "550 5.1.1", "550 5.1.1"},
      {"x@gate.test.far.example", "250 2.1.5", "554 5.7.1"},
      {"bob", "250 2.1.5", "501 5.1.3"},
      {"ghost", "550 5.1.1", "501 5.1.3"},
      {"Postmaster", "250 2.1.5", "250 2.1.5"},
  };
  for (const auto& c : cases) {
    f.peer = {.address = "127.0.0.1", .port = 1025, .loopback = true};
    EXPECT_EQ(f.rcpt(c.address), c.trusted) << c.address;
    f.peer = {.address = "198.51.100.7", .port = 1025};
    EXPECT_EQ(f.rcpt(c.address), c.stranger) << c.address;
  }
  f.sources.no_users = Error{ErrorKind::kTimeout, "away"};
  EXPECT_EQ(f.rcpt("bob@gate.test"), "451 4.3.0");
}

TEST(Rcpt, WhatGoesIntoTheQueue) {
  Fixture f("list: bob, me@far.example, |/bin/prog, /dev/null\nowner-list: bob\nalso: me@far.example\n");
  f.play(
      "MAIL FROM:<root>\r\nRCPT TO:<me@far.example>\r\nRCPT TO:<list> NOTIFY=SUCCESS\r\nRCPT TO:<also>\r\nRCPT "
      "TO:<bob>\r\n" +
      kContent);
  ASSERT_EQ(f.store.messages.size(), 1u);
  const queue::Message& m = f.store.messages.begin()->second.message;
  EXPECT_EQ(m.envelope.reverse_path, "root@gate.test");
  std::string got;
  for (const mail::Recipient& r : m.envelope.recipients)
    got += std::to_string(static_cast<int>(r.destination)) + " " + r.address + " " + r.target + " " + r.original + " " +
           r.return_path + "\n";
  EXPECT_EQ(got,
            "0 me@far.example   \n"
            "1 bob@gate.test bob list@gate.test owner-list@gate.test\n"
            "0 me@far.example  list@gate.test owner-list@gate.test\n"
            "2 list@gate.test /bin/prog  owner-list@gate.test\n"
            "4 list@gate.test   owner-list@gate.test\n"
            "4 list@gate.test list  \n"  // the sender is told that it is there
            "1 bob@gate.test bob  \n");
  std::vector<std::string> classes;
  for (const queue::ClassRow& row : f.store.saved) classes.push_back(row.key.recipient_domain);
  EXPECT_EQ(classes, (std::vector<std::string>{"far.example", ".mailbox", ".pipe", ".discard"}));
}

TEST(Rcpt, AnUnqualifiedSenderIsOfThisMachine) {
  Fixture f("");
  EXPECT_EQ(f.rcpt("bob@gate.test", "root"), "250 2.1.5");
  f.peer = {.address = "198.51.100.7", .port = 1025};
  std::string written = f.play("MAIL FROM:<root>\r\n");
  EXPECT_NE(written.find("501 5.1.7"), std::string::npos) << written;
}

net::Awaitable<void> ask(Recipients& recipients, std::string address, std::vector<mail::Recipient>& out) {
  out = co_await recipients.for_report(address);
}

TEST(Reports, GoWhereAliasesSay) {
  Fixture f("root: me@far.example\nbad: x@@y\n");
  struct {
    const char* address;
    const char* expected;
  } cases[] = {{"root@gate.test", "0 me@far.example"},
               {"root", "0 me@far.example"},
               {"bob@gate.test", "1 bob"},
               {"bad@gate.test", "1 bad"},  // never refused: the mailbox of that name, or kept
               {"ghost@gate.test", "1 ghost"},
               {"x@far.example", ""}};
  for (const auto& c : cases) {
    std::vector<mail::Recipient> got;
    net::run_script(ask(f.recipients, c.address, got));
    std::string text;
    for (const mail::Recipient& r : got)
      text += std::to_string(static_cast<int>(r.destination)) + " " + (r.target.empty() ? r.address : r.target);
    EXPECT_EQ(text, c.expected) << c.address;
  }
}

}  // namespace
}  // namespace sidegate::intake::recipients_test
