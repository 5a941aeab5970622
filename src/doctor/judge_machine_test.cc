#include "doctor/judge_machine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "doctor/look_machine.h"

namespace sidegate::doctor::judge_machine_test {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kMiB = 1 << 20;

TEST(Machine, Disk) {
  EXPECT_EQ(judge_disk({"/q", 10'000 * kMiB, 256 * kMiB}).mark, Mark::kGood);
  EXPECT_EQ(judge_disk({"/q", 300 * kMiB, 256 * kMiB}).mark, Mark::kWarning);
  EXPECT_EQ(judge_disk({"/q", 255 * kMiB, 256 * kMiB}).mark, Mark::kWrong);
  EXPECT_EQ(judge_disk({"/q", fail(ErrorKind::kRefused, "x"), 256 * kMiB}).mark, Mark::kNote);
  EXPECT_TRUE(look_at_disk("/tmp/nothing/of/this/name", 0).free_octets) << "the disk of the nearest directory";
}

TEST(Machine, Clock) {
  const WallTime now{std::chrono::seconds(1'790'000'000)};
  EXPECT_EQ(judge_clock({now, true, 0}).mark, Mark::kGood);
  EXPECT_EQ(judge_clock({now, std::nullopt, 0}).mark, Mark::kGood);
  EXPECT_EQ(judge_clock({now, false, 0}).mark, Mark::kNote);
  EXPECT_EQ(judge_clock({WallTime{std::chrono::seconds(1'000)}, true, 0}).mark, Mark::kWrong);
}

TEST(Machine, Queue) {
  QueueSeen seen{.known = true, .messages = 3, .oldest_seconds = 60, .oldest_id = "ID", .lifetime_seconds = 432'000};
  EXPECT_EQ(judge_queue(seen).mark, Mark::kGood);
  seen.oldest_seconds = 2 * 3600;
  EXPECT_EQ(judge_queue(seen).mark, Mark::kNote);
  seen.oldest_seconds = 5 * 3600;
  EXPECT_EQ(judge_queue(seen).mark, Mark::kWarning);
  EXPECT_NE(judge_queue(seen).next.find("queue show ID"), std::string::npos);
  EXPECT_EQ(judge_queue({.known = true}).mark, Mark::kGood);
  EXPECT_EQ(judge_queue({.known = false, .why = "x"}).mark, Mark::kNote);
}

TEST(Machine, Certificates) {
  auto with = [](int days, bool verified) {
    CertificateSeen seen{"/c.pem", std::vector<tls::CertificateFacts>{tls::CertificateFacts{}}, {days}, {}};
    if (!verified) seen.verified = fail(ErrorKind::kTls, "unknown CA");
    return judge_certificates({seen}, "mail.example.org").at(0).mark;
  };
  EXPECT_EQ(with(60, true), Mark::kGood);
  EXPECT_EQ(with(60, false), Mark::kNote);
  EXPECT_EQ(with(5, true), Mark::kWarning);
  EXPECT_EQ(with(-1, true), Mark::kWrong);
  CertificateSeen broken{"/c.pem", fail(ErrorKind::kTls, "no PEM"), {}, {}};
  EXPECT_EQ(judge_certificates({broken}, "x").at(0).mark, Mark::kWrong);
}

TEST(Machine, AnotherMta) {
  EXPECT_EQ(judge_other_mta({}).at(0).mark, Mark::kGood);
  EXPECT_EQ(judge_other_mta({.sendmail = "/usr/sbin/exim4", .installed = true}).at(0).mark, Mark::kWarning);
  EXPECT_EQ(judge_other_mta({.sendmail = "/usr/sbin/exim4"}).at(0).mark, Mark::kNote) << "tried beside another one";
  EXPECT_EQ(
      judge_other_mta({.sendmail = "/usr/lib/sidegate/x", .sendmail_is_ours = true, .installed = true}).at(0).mark,
      Mark::kGood);
  EXPECT_EQ(judge_other_mta({.held = {{"127.0.0.1:25", "master (7)"}}}).at(0).mark, Mark::kWrong);
}

TEST(Machine, WhoseSendmail) {
  const std::string root = fs::temp_directory_path() / ("doctor-" + std::to_string(::getpid()));
  fs::create_directories(root + "/usr/sbin");
  fs::create_directories(root + "/usr/lib/sidegate");
  std::ofstream(root + "/usr/lib/sidegate/sidegate-sendmail") << "x";
  std::ofstream(root + "/usr/sbin/exim4") << "x";
  EXPECT_EQ(look_at_sendmail(root).sendmail, "");
  fs::create_symlink("exim4", root + "/usr/sbin/sendmail");
  EXPECT_FALSE(look_at_sendmail(root).sendmail_is_ours);
  fs::remove(root + "/usr/sbin/sendmail");
  fs::create_symlink("../lib/sidegate/sidegate-sendmail", root + "/usr/sbin/sendmail");
  EXPECT_TRUE(look_at_sendmail(root).sendmail_is_ours);
  fs::remove_all(root);
}

}  // namespace
}  // namespace sidegate::doctor::judge_machine_test
