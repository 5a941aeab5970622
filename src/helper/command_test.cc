#include "helper/command.h"

#include <chrono>
#include <cstdlib>

#include "helper/delivery_fixture.h"

namespace sidegate::helper::command_test {
namespace {

class Command : public Delivery {
 protected:
  std::optional<Answer> run(std::string command, std::string content = kContent, std::size_t cut = std::string::npos,
                            unsigned patience = 20'000) {
    Request request{.verb = Verb::kCommand,
                    .user = "me",
                    .place = std::move(command),
                    .head = kHead,
                    .patience = patience,
                    .environment = environment};
    return with_content(request, deliver_command, std::move(content), cut);
  }
  std::vector<std::pair<std::string, std::string>> environment;
};

std::string trim_end(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

TEST_F(Command, GetsTheMessageInUnixForm) {
  auto a = run("cat >got");
  ASSERT_TRUE(a);
  EXPECT_EQ(a->cause, Cause::kDone) << a->text;
  EXPECT_EQ(read("got"), kHead + "Subject: x\n\nbody\nFrom nowhere\n.\n");
  EXPECT_EQ(mode(home + "/got"), 0600u);
}

TEST_F(Command, ItsEndIsTold) {
  struct Case {
    const char* command;
    Cause cause;
    int code;
    const char* text;
  };
  const Case kCases[] = {
      {"exit 0", Cause::kDone, 0, ""},
      {"exit 75", Cause::kExit, 75, ""},
      {"echo no such person here; echo really >&2; exit 67", Cause::kExit, 67, "no such person here really"},
      {"cat >/dev/null; printf 'bad\\033[2J'; exit 1", Cause::kExit, 1, "bad\\x1b[2J"},
      {"/no/such/command 2>/dev/null", Cause::kExit, 127, ""},
      {"kill -9 $$", Cause::kSignal, 9, ""},
      {"exec true", Cause::kDone, 0, ""},
  };
  for (const Case& c : kCases) {
    auto a = run(c.command);
    ASSERT_TRUE(a) << c.command;
    EXPECT_EQ(a->cause, c.cause) << c.command;
    EXPECT_EQ(a->code, c.code) << c.command;
    EXPECT_EQ(a->text, c.text) << c.command;
  }
}

TEST_F(Command, NeedNotReadALargeMessageToItsEnd) {
  const std::string large = "a: b\r\n\r\n" + std::string(3'000'000, 'x') + "\r\n";
  EXPECT_EQ(run("exit 0", large)->cause, Cause::kDone);
  EXPECT_EQ(run("head -c 10 >/dev/null; exit 3", large)->code, 3);
  EXPECT_EQ(run("wc -c >size", large)->cause, Cause::kDone);
  EXPECT_EQ(std::stoul(read("size")), kHead.size() + large.size() - 3);
  EXPECT_EQ(run("cat; cat >&2; exit 4", large)->code, 4);  // much output holds nobody up
}

TEST_F(Command, SeesAClosedEnvironmentAndNoDescriptors) {
  setenv("SIDEGATE_SECRET", "s3cret", 1);
  int leak = open("/dev/null", O_RDONLY);
  environment = {{"SENDER", "a@b; rm -rf ~"}, {"EXTENSION", "x$(id)"}};
  run("env | sort >env; ls /proc/self/fd >fds; pwd >cwd; cat >/dev/null");
  close(leak);
  std::string env = read("env");
  EXPECT_EQ(env.find("SIDEGATE"), std::string::npos) << env;
  for (std::string line :
       {"HOME=" + home, std::string("LOGNAME=me"), std::string("USER=me"), std::string("SHELL=/bin/sh"),
        std::string("SENDER=a@b__rm_-rf__"), std::string("EXTENSION=x__id_")})
    EXPECT_NE(("\n" + env).find("\n" + line + "\n"), std::string::npos) << line << "\n" << env;
  EXPECT_EQ(read("fds"), "0\n1\n2\n3\n");  // 3 is what ls reads them from
  EXPECT_EQ(read("cwd"), std::filesystem::canonical(home).string() + "\n");
}

// Gone, or waiting for whoever inherited it to bury it.
bool is_dead(const std::string& pid) {
  std::ifstream in("/proc/" + pid + "/stat");
  std::string stat;
  std::getline(in, stat);
  return stat.empty() || stat.find(") Z ") != std::string::npos || stat.find(") X ") != std::string::npos;
}

bool dies(const std::string& pid) {
  for (int i = 0; i < 3000 && !is_dead(pid); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return is_dead(pid);
}

TEST_F(Command, IsEndedWithAllItsChildrenWhenItsTimeIsUp) {
  // Where the machine is too busy to bring it as far as its last word in time, it gets more of it.
  std::optional<Answer> a;
  for (unsigned patience = 300; patience < 100'000; patience *= 4) {
    a = run("cat >/dev/null; trap '' TERM; sleep 1000 & echo $! >child; echo waiting; wait", kContent,
            std::string::npos, patience);
    ASSERT_TRUE(a);
    ASSERT_EQ(a->cause, Cause::kTimeLimit);
    if (!a->text.empty()) break;
  }
  ASSERT_EQ(a->text, "waiting");
  std::string child = trim_end(read("child"));
  ASSERT_NE(child, "");
  EXPECT_TRUE(dies(child)) << child;
}

TEST_F(Command, IsEndedAtOnceWhereTheServerIsGoneBeforeItBegins) {
  for (int i = 0; i < 40; ++i) EXPECT_FALSE(run("cat >/dev/null; echo all >whole", kContent, 0));
  for (unsigned patience : {0u, 1u, 2u, 3u, 5u, 8u}) {  // the same for a time limit: before it has a group, and after
    auto a = run("exec sleep 1000", kContent, std::string::npos, patience);
    ASSERT_TRUE(a);
    EXPECT_EQ(a->cause, Cause::kTimeLimit);
  }
  EXPECT_FALSE(std::filesystem::exists(home + "/whole"));
}

TEST_F(Command, IsEndedWhereNobodyWaitsForItsAnswer) {
  // All of the message has been sent, more than a pipe holds is not read, and the server is gone.
  const std::string large = "a: b\r\n\r\n" + std::string(100'000, 'x') + "\r\n";
  EXPECT_FALSE(run("exec sleep 1000", large, large.size(), 600'000));
  EXPECT_FALSE(run("cat >/dev/null; exec sleep 1000", large, large.size(), 600'000));
}

TEST_F(Command, NeverSeesHalfAMessageAsAWhole) {
  const std::string large = "a: b\r\n\r\n" + std::string(300'000, 'x') + "\r\n";
  for (std::size_t cut : {std::size_t{0}, std::size_t{100}, large.size() - 1}) {
    EXPECT_FALSE(run("cat >/dev/null; echo all >whole", large, cut));
    EXPECT_FALSE(std::filesystem::exists(home + "/whole")) << cut;
  }
}

TEST(FirstWords, AreOneCleanLine) {
  EXPECT_EQ(first_words("\n\n a \r\n\n b\n"), "a b");
  EXPECT_EQ(first_words(std::string(5000, 'x')).size(), 500u);
  EXPECT_EQ(first_words(""), "");
}

}  // namespace
}  // namespace sidegate::helper::command_test
