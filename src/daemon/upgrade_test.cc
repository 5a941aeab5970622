#include "daemon/upgrade.h"

#include <gmock/gmock.h>
#include <unistd.h>

namespace sidegate::daemon::upgrade_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Upgrade, SocketsAreKnownAgainByTheProcessThatKeptThemAlone) {
  const std::vector<KeptSocket> kept{{5, ""}, {17, "a name"}};
  const std::string text = kept_text(kept, 42);
  EXPECT_EQ(kept_sockets(text, 42), kept);
  EXPECT_THAT(kept_sockets(text, 43), IsEmpty());
  EXPECT_THAT(kept_sockets(kept_text({}, 42), 42), IsEmpty());
}

TEST(Upgrade, WhatIsMalformedKeepsNothing) {
  for (const char* text : {"", "42\nx y", "42\n-1 ", "42\n5", "42\n99999999999999 a", "\n5 a"})
    EXPECT_THAT(kept_sockets(text, 42), IsEmpty()) << text;
}

TEST(Upgrade, TheCommandLineIsThisProgram) {
  const CommandLine command = CommandLine::of_this_process();
  EXPECT_EQ(access(command.file.c_str(), X_OK), 0) << command.file;
  ASSERT_FALSE(command.arguments.empty());
}

TEST(Upgrade, ABinaryThatIsNotThereLeavesTheProcessAsItWas) {
  const Error error = become_new_binary({"/nowhere/sidegate", {"sidegate", "run"}}, {});
  EXPECT_NE(error.text.find("/nowhere/sidegate"), std::string::npos);
  EXPECT_EQ(getenv(kKeptSockets), nullptr);
}

}  // namespace
}  // namespace sidegate::daemon::upgrade_test
