#include "helper/maildir.h"

#include "helper/delivery_fixture.h"

namespace sidegate::helper::maildir_test {
namespace {

class Maildir : public Delivery {
 protected:
  std::optional<Answer> deliver(std::string content = kContent, std::size_t cut = std::string::npos) {
    request.verb = Verb::kMaildir;
    request.user = "me";
    request.head = "Return-Path: <a@b>\n";
    return with_content(request, deliver_maildir, std::move(content), cut);
  }
  Request request{.place = "~/mail/Maildir/"};
};

TEST_F(Maildir, IsMadeAndGetsTheWholeMessage) {
  auto a = deliver();
  ASSERT_TRUE(a);
  EXPECT_EQ(a->cause, Cause::kDone) << a->text;
  auto fresh = files("mail/Maildir/new");
  ASSERT_EQ(fresh.size(), 1u);
  EXPECT_EQ(read("mail/Maildir/new/" + fresh[0]), "Return-Path: <a@b>\nSubject: x\n\nbody\nFrom nowhere\n.\n");
  EXPECT_EQ(fresh[0].find(':'), std::string::npos) << fresh[0];  // flags are the reader's
  EXPECT_TRUE(files("mail/Maildir/tmp").empty());
  for (const char* folder : {"mail", "mail/Maildir", "mail/Maildir/tmp", "mail/Maildir/new", "mail/Maildir/cur"})
    EXPECT_EQ(mode(home + "/" + folder), 0700u) << folder;
  EXPECT_EQ(mode(home + "/mail/Maildir/new/" + fresh[0]), 0600u);
  for (int i = 0; i < 20; ++i) deliver();
  EXPECT_EQ(files("mail/Maildir/new").size(), 21u);
}

TEST_F(Maildir, AServerThatGoesAwayLeavesNothing) {
  const std::string large = "a: b\r\n\r\n" + std::string(300'000, 'x') + "\r\n";
  for (std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{7}, large.size() / 2, large.size() - 1}) {
    EXPECT_FALSE(deliver(large, cut)) << cut;
    EXPECT_TRUE(files("mail/Maildir/new").empty()) << cut;
    EXPECT_TRUE(files("mail/Maildir/tmp").empty()) << cut;
  }
}

TEST_F(Maildir, LinksAreNotFollowed) {
  std::string elsewhere = home + "/elsewhere";
  std::filesystem::create_directories(elsewhere + "/tmp");
  std::filesystem::create_directories(elsewhere + "/new");
  std::filesystem::create_directories(elsewhere + "/cur");
  for (const char* link : {"mail", "mail/Maildir", "mail/Maildir/tmp", "mail/Maildir/new"}) {
    std::filesystem::remove_all(home + "/mail");
    std::filesystem::create_directories(std::filesystem::path(home + "/" + link).parent_path());
    std::filesystem::create_directory_symlink(elsewhere, home + "/" + link);
    auto a = deliver();
    ASSERT_TRUE(a) << link;
    EXPECT_EQ(a->cause, Cause::kNotAllowed) << link << a->text;
    EXPECT_TRUE(files("elsewhere/new").empty() && files("elsewhere/tmp").empty()) << link;
  }
}

TEST_F(Maildir, PathsThatClimbAreRefused) {
  for (const char* place : {"~/../x/", "/..", "relative", "~/", "/x/%q"}) {
    request.place = place;
    auto a = deliver();
    ASSERT_TRUE(a) << place;
    EXPECT_EQ(a->cause, Cause::kNotAllowed) << place;
  }
}

TEST_F(Maildir, AFileInTheWayIsTold) {
  write("mail", "I am a file");
  auto a = deliver();
  ASSERT_TRUE(a);
  EXPECT_EQ(a->cause, Cause::kSystem);
  EXPECT_EQ(a->code, ENOTDIR);
}

}  // namespace
}  // namespace sidegate::helper::maildir_test
