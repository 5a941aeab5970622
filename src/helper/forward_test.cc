#include "helper/forward.h"

#include "helper/delivery_fixture.h"

namespace sidegate::helper::forward_test {
namespace {

class Forward : public Delivery {
 protected:
  Answer read_it(std::string extension = "") {
    return read_forward({.verb = Verb::kReadForward, .user = "me", .place = std::move(extension)}, person);
  }
  std::string path() const { return home + "/.forward"; }
};

TEST_F(Forward, IsReadAsItIs) {
  EXPECT_EQ(read_it().cause, Cause::kNotFound);
  write(".forward", "a@b.example\n|cmd\n");
  chmod(path().c_str(), 0644);
  EXPECT_EQ(read_it().cause, Cause::kDone);
  EXPECT_EQ(read_it().text, "a@b.example\n|cmd\n");
  EXPECT_EQ(read_it("list").text, "a@b.example\n|cmd\n");
  write(".forward+list", "x@y\n");
  EXPECT_EQ(read_it("list").text, "x@y\n");
  person.home = home + "/none";
  EXPECT_EQ(read_it().cause, Cause::kNotFound);
}

TEST_F(Forward, TheLargestAndNoLarger) {
  write(".forward", std::string(kMaxForward, 'a'));
  EXPECT_EQ(read_it().text.size(), kMaxForward);
  write(".forward", std::string(kMaxForward + 1, 'a'));
  EXPECT_EQ(read_it().cause, Cause::kNotAllowed);
}

TEST_F(Forward, WhatOthersMayHaveWrittenIsRefused) {
  auto fresh = [this] {
    std::filesystem::remove_all(path());
    write(".forward", "a@b\n");
    chmod(path().c_str(), 0600);
  };
  for (unsigned mode : {0620u, 0602u, 0666u}) {
    fresh();
    chmod(path().c_str(), mode);
    EXPECT_EQ(read_it().cause, Cause::kNotAllowed) << mode;
  }
  fresh();
  std::filesystem::create_hard_link(path(), home + "/other");
  EXPECT_EQ(read_it().cause, Cause::kNotAllowed);
  std::filesystem::remove(home + "/other");
  EXPECT_EQ(read_it().cause, Cause::kDone);
  write("secret", "root@x\n");
  std::filesystem::remove(path());
  std::filesystem::create_symlink(home + "/secret", path());
  EXPECT_EQ(read_it().cause, Cause::kNotAllowed);
  std::filesystem::remove(path());
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_EQ(read_it().cause, Cause::kNotAllowed);  // and it does not hang
  fresh();
  chmod(home.c_str(), 0777);
  EXPECT_EQ(read_it().cause, Cause::kNotAllowed);
  chmod(home.c_str(), 0700);
  if (geteuid() != 0) return;
  fresh();
  EXPECT_EQ(chown(path().c_str(), 12345, 12345), 0);
  EXPECT_EQ(read_it().cause, Cause::kNotAllowed);
}

}  // namespace
}  // namespace sidegate::helper::forward_test
