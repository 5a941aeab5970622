#include "deliver/local_head.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "deliver/local_connection.h"
#include "deliver/settings.h"

namespace sidegate::deliver::local_head_test {
namespace {

using mail::Destination;

queue::Message message(std::string from) {
  queue::Message m;
  m.envelope.reverse_path = std::move(from);
  m.header_size = 10;
  m.body_size = 5;
  m.origin.peer_address = "192.0.2.1";
  return m;
}

mail::Recipient bob() {
  mail::Recipient r;
  r.address = "bob@here.example";
  r.destination = Destination::kMailbox;
  r.target = "bob";
  return r;
}

TEST(LocalHead, FieldsAsPostfixWritesThem) {
  mail::Recipient r = bob();
  EXPECT_EQ(final_fields(message("a@b.example"), r),
            "Return-Path: <a@b.example>\nX-Original-To: bob@here.example\nDelivered-To: bob@here.example\n");
  r.original = "postmaster@here.example";
  r.return_path = "owner-list@here.example";
  EXPECT_EQ(final_fields(message("a@b.example"), r),
            "Return-Path: <owner-list@here.example>\nX-Original-To: postmaster@here.example\nDelivered-To: "
            "bob@here.example\n");
  EXPECT_TRUE(final_fields(message(""), r).starts_with("Return-Path: <>\n"));  // a report stays one
}

TEST(LocalHead, NothingLeavesItsLine) {
  mail::Recipient r = bob();
  r.address = "\"a\nb\"@here.example";
  std::string fields = final_fields(message("x\r\nBcc: y@z"), r);
  EXPECT_EQ(std::ranges::count(fields, '\n'), 3);
  std::string line = from_line(message("a b\nFrom x"), r, WallTime(Duration(0)));
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
  EXPECT_TRUE(line.starts_with("From a_b?From_x  ")) << line;
}

TEST(LocalHead, FromLine) {
  setenv("TZ", "UTC", 1);
  tzset();
  WallTime at(std::chrono::seconds(1'795'298'712));
  EXPECT_EQ(from_line(message("a@b.example"), bob(), at), "From a@b.example  Sat Nov 21 22:05:12 2026\n");
  EXPECT_EQ(from_line(message(""), bob(), WallTime(Duration(0))), "From MAILER-DAEMON  Thu Jan  1 00:00:00 1970\n");
}

TEST(LocalHead, GoesRound) {
  EXPECT_TRUE(went_round("Subject: x\r\nDelivered-To: Bob@HERE.example\r\n", bob()));
  EXPECT_TRUE(went_round("delivered-to:bob@here.example \r\n", bob()));
  EXPECT_FALSE(went_round("Delivered-To: bob@elsewhere.example\r\nX-Delivered-To: bob@here.example\r\n", bob()));
  EXPECT_FALSE(went_round("", bob()));
}

TEST(LocalRequest, Table) {
  using helper::Verb;
  struct Case {
    MailboxDelivery delivery;
    Destination destination;
    const char *target, *as_user;
    Verb verb;
    const char *user, *place;
  };
  const Case kCases[] = {
      {MailboxDelivery::kMbox, Destination::kMailbox, "bob", "", Verb::kMbox, "bob", "/var/mail/%u"},
      {MailboxDelivery::kMaildir, Destination::kMailbox, "bob", "", Verb::kMaildir, "bob", "~/Maildir/"},
      {MailboxDelivery::kCommand, Destination::kMailbox, "bob", "", Verb::kCommand, "bob", "procmail"},
      {MailboxDelivery::kMbox, Destination::kPipe, "|prog x", "", Verb::kCommand, "nobody", "prog x"},
      {MailboxDelivery::kDiscard, Destination::kPipe, "prog x", "bob", Verb::kCommand, "bob", "prog x"},
      {MailboxDelivery::kMaildir, Destination::kFile, "/a/b", "", Verb::kFile, "nobody", "/a/b"},
      {MailboxDelivery::kMbox, Destination::kFile, "/a/b/", "bob", Verb::kMaildir, "bob", "/a/b/"},
  };
  LocalSettings settings;
  settings.command = "procmail";
  for (const Case& c : kCases) {
    settings.delivery = c.delivery;
    mail::Recipient r = bob();
    r.destination = c.destination;
    r.target = c.target;
    r.as_user = c.as_user;
    auto request = local_request(settings, message("a@b"), r, WallTime(Duration(0)));
    ASSERT_TRUE(request) << c.place;
    EXPECT_EQ(request->verb, c.verb) << c.place;
    EXPECT_EQ(request->user, c.user) << c.place;
    EXPECT_EQ(request->place, c.place);
    EXPECT_EQ(request->instead, "nobody");
    EXPECT_EQ(request->size, 15u);
    EXPECT_EQ(request->head.starts_with("From "), c.verb != Verb::kMaildir) << c.place;
    auto read = helper::decode_request(helper::encode(*request));
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(*read, *request);
  }
}

TEST(LocalRequest, WhatIsDiscarded) {
  LocalSettings settings;
  mail::Recipient r = bob();
  r.destination = Destination::kDiscard;
  EXPECT_FALSE(local_request(settings, message("a@b"), r, {}));
  r.destination = Destination::kFile;
  r.target = "/dev/null";
  EXPECT_FALSE(local_request(settings, message("a@b"), r, {}));
  r = bob();
  EXPECT_TRUE(local_request(settings, message("a@b"), r, {}));
  settings.delivery = MailboxDelivery::kDiscard;
  EXPECT_FALSE(local_request(settings, message("a@b"), r, {}));
}

TEST(LocalRequest, TheLongestAddressesStayWithinWhatTheHelperTakes) {
  mail::Recipient r = bob();
  r.address = r.original = std::string(3000, 'a') + "@x";
  LocalSettings settings;
  settings.delivery = MailboxDelivery::kCommand;
  settings.command = "x";
  auto request = local_request(settings, message(std::string(3000, 'b')), r, {});
  EXPECT_TRUE(helper::decode_request(helper::encode(*request)));
}

TEST(CommandEnvironment, AsPostfixExportsIt) {
  mail::Recipient r = bob();
  r.original = "bob+list@here.example";
  auto found = command_environment(message("a@b.example"), r);
  auto value = [&](const char* name) {
    for (auto& [key, v] : found) {
      if (key == name) return v;
    }
    return std::string("?");
  };
  EXPECT_EQ(value("SENDER"), "a@b.example");
  EXPECT_EQ(value("RECIPIENT"), "bob+list@here.example");
  EXPECT_EQ(value("LOCAL"), "bob+list");
  EXPECT_EQ(value("DOMAIN"), "here.example");
  EXPECT_EQ(value("EXTENSION"), "list");
  EXPECT_EQ(value("CLIENT_ADDRESS"), "192.0.2.1");
}

}  // namespace
}  // namespace sidegate::deliver::local_head_test
