#include "daemon/channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sidegate::daemon::channel_test {
namespace {

TEST(Channel, NotesComeInOrderAndWhole) {
  auto ends = Channel::pair();
  ASSERT_TRUE(ends);
  const std::string large(3 << 20, 'x');  // more than any socket's buffer
  ASSERT_TRUE(ends->first.send(Topic::kReady));
  ASSERT_TRUE(ends->first.send(Topic::kConfiguration, large));
  ASSERT_TRUE(ends->first.send(Topic::kRefused, std::string("a\0b", 3)));
  EXPECT_EQ(ends->second.receive()->topic, Topic::kReady);
  auto configuration = ends->second.receive();
  ASSERT_TRUE(configuration);
  EXPECT_EQ(configuration->topic, Topic::kConfiguration);
  EXPECT_EQ(configuration->text, large);
  EXPECT_EQ(ends->second.receive()->text, std::string("a\0b", 3));
}

TEST(Channel, AnEndThatIsGoneIsAnError) {
  auto ends = Channel::pair();
  ASSERT_TRUE(ends);
  ends->first.close();
  EXPECT_EQ(ends->second.receive().error().kind, ErrorKind::kClosed);
  EXPECT_FALSE(ends->second.send(Topic::kReady));
}

TEST(Channel, WhatIsNothingOfOursIsRefused) {
  auto ends = Channel::pair();
  ASSERT_TRUE(ends);
  for (std::string text : {std::string("x"), std::string("\0", 1), std::string("\377")}) {
    ASSERT_EQ(send(ends->first.fd(), text.data(), text.size(), 0), 1);
    auto note = ends->second.receive();
    ASSERT_FALSE(note) << "without a descriptor";
    EXPECT_EQ(note.error().kind, ErrorKind::kProtocol);
  }
}

}  // namespace
}  // namespace sidegate::daemon::channel_test
