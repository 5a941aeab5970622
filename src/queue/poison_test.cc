#include "queue/poison.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <thread>

#include "queue/test_stores.h"

namespace sidegate::queue::poison_test {
namespace {

// What a process that dies leaves behind: `fn` returns the open file, which is never closed.
template <typename Fn>
void in_killed_process(Fn fn) {
  pid_t child = ::fork();
  if (child == 0) {
    auto left_open = fn();
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
}

TEST(PoisonFile, CountsWhatWasInHandAndHoldsAtTheThird) {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/poison";
  const QueueId id = sample_id(1), innocent = sample_id(2);
  for (unsigned crash = 1; crash <= 3; ++crash) {
    in_killed_process([&] {
      auto file = PoisonFile::open(path, 4);
      (*file)->set(0, innocent);
      (*file)->clear(0);
      (*file)->set(3, id, "192.0.2.1");
      (*file)->set(2, id);
      (*file)->set(99, innocent);  // no such slot
      return file;
    });
    // One look at what it left, itself killed: it counts nothing.
    auto file = PoisonFile::open(path, 4);
    ASSERT_TRUE(file);
    ASSERT_EQ((*file)->suspects().size(), 1u);
    EXPECT_EQ((*file)->suspects()[0].id, id);
    EXPECT_EQ((*file)->suspects()[0].crashes, crash);
    EXPECT_EQ((*file)->suspects()[0].hold(), crash == 3);
  }
  auto file = PoisonFile::open(path, 4);
  ASSERT_TRUE(file);
  ASSERT_EQ((*file)->suspects().size(), 1u);
  EXPECT_EQ((*file)->suspects()[0].crashes, 3u);  // opening alone adds nothing
  (*file)->forget(innocent);
  (*file)->forget(id);
  file->reset();
  EXPECT_TRUE((*PoisonFile::open(path, 4))->suspects().empty());
}

TEST(PoisonFile, IntakeWithoutAnIdTellsThePeer) {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/poison";
  in_killed_process([&] {
    auto file = PoisonFile::open(path, 2);
    (*file)->set(1, QueueId{}, "2001:db8::1\r\nx");
    return file;
  });
  auto file = PoisonFile::open(path, 2);
  ASSERT_TRUE(file);
  ASSERT_EQ((*file)->suspects().size(), 1u);
  EXPECT_FALSE((*file)->suspects()[0].id);
  EXPECT_EQ((*file)->suspects()[0].peer, "2001:db8::1\\x0d\\x0ax");
}

TEST(PoisonFile, DamagedFilesAreBegunAnew) {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/poison";
  for (std::string_view text : {"", "x", "sidegate poison 1\nanother boot"}) {
    std::ofstream(path) << text << std::string(200, '\x01');
    std::ofstream(path + ".counts") << "\x01\x02 not an id\n";
    auto file = PoisonFile::open(path, 2);
    ASSERT_TRUE(file);
    EXPECT_TRUE((*file)->suspects().empty());
    (*file)->set(0, sample_id(1));
  }
  EXPECT_FALSE(PoisonFile::open(directory.path() + "/no/such", 2));
}

TEST(PoisonFile, InHandFromManyThreadsLeavesExactlyWhatWasInHand) {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/poison";
  in_killed_process([&] {
    auto file = PoisonFile::open(path, 8);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t) {
      threads.emplace_back([&file, t] {
        for (unsigned i = 0; i < 10'000; ++i) InHand passing(file->get(), sample_id(10 + t), "peer");
      });
    }
    for (auto& thread : threads) thread.join();
    InHand moved;
    moved = InHand(file->get(), sample_id(1), "192.0.2.1");
    static std::optional<InHand> left;
    left.emplace(std::move(moved));
    return file;
  });
  auto file = PoisonFile::open(path, 8);
  ASSERT_TRUE(file);
  ASSERT_EQ((*file)->suspects().size(), 1u);
  EXPECT_EQ((*file)->suspects()[0].id, sample_id(1));
  EXPECT_EQ((*file)->suspects()[0].peer, "192.0.2.1");
}

TEST(PoisonFile, FullOrEndedTakesNothing) {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/poison";
  in_killed_process([&] {
    auto file = PoisonFile::open(path, 2);
    for (unsigned i = 0; i < 2; ++i) (*file)->enter(sample_id(i + 1), "");
    EXPECT_EQ((*file)->enter(sample_id(9), ""), 2u);
    (*file)->end();
    EXPECT_EQ((*file)->enter(sample_id(9), ""), 2u);
    return file;
  });
  EXPECT_TRUE((*PoisonFile::open(path, 2))->suspects().empty());
}

}  // namespace
}  // namespace sidegate::queue::poison_test
