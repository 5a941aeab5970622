#include "daemon/certificates.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace sidegate::daemon::certificates_test {
namespace {

struct Folder {
  std::string path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sidegate-certificates-XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

intake::ListenerSettings listener(intake::Profile profile, intake::ListenerTls tls) {
  intake::ListenerSettings settings;
  settings.profile = profile;
  settings.tls = tls;
  settings.smtp.hostname = "mail.example.org";
  return settings;
}

using enum intake::ListenerTls;
using intake::Profile;

TEST(Certificates, ExpiryLimits) {
  struct {
    int days, limit;
  } cases[] = {{90, 1000}, {22, 1000}, {21, 21}, {8, 21}, {7, 7}, {0, 7}, {-1, 0}};
  for (const auto& c : cases) EXPECT_EQ(expiry_limit(c.days), c.limit) << c.days;
}

TEST(Certificates, WithoutOneTheServerSignsItsOwnAndKeepsIt) {
  Folder folder;
  std::string fingerprint;
  for (int start = 0; start < 2; ++start) {
    Certificates certificates(folder.path, system_clock(), null_log());
    auto contexts =
        certificates.contexts_for({listener(Profile::kSubmission, kStartTls), listener(Profile::kLocal, kStartTls),
                                   listener(Profile::kSmtp, kNone), listener(Profile::kSubmissions, kImplicit)});
    ASSERT_TRUE(contexts) << contexts.error().text;
    EXPECT_NE((*contexts)[0], nullptr);
    EXPECT_EQ((*contexts)[1], nullptr);  // programs would not take it
    EXPECT_EQ((*contexts)[2], nullptr);
    EXPECT_EQ((*contexts)[3], (*contexts)[0]);
    auto rows = certificates.rows();
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].facts.names, (std::vector<std::string>{"mail.example.org"}));
    EXPECT_TRUE(rows[0].facts.self_signed);
    EXPECT_EQ(certificates.warnings().size(), 1u);
    if (start == 0) fingerprint = rows[0].facts.fingerprint;
    EXPECT_EQ(rows[0].facts.fingerprint, fingerprint);
  }
  struct stat st{};
  ASSERT_EQ(stat((folder.path + "/self_signed.pem").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
}

TEST(Certificates, ALinkInItsPlaceIsNotFollowed) {
  Folder folder;
  const std::string victim = folder.path + "/victim";
  std::ofstream(victim) << "precious";
  std::filesystem::create_symlink(victim, folder.path + "/self_signed.pem");
  Certificates certificates(folder.path, system_clock(), null_log());
  ASSERT_TRUE(certificates.contexts_for({listener(Profile::kSmtp, kStartTls)}));
  std::string text;
  std::ifstream(victim) >> text;
  EXPECT_EQ(text, "precious");
  EXPECT_FALSE(std::filesystem::is_symlink(folder.path + "/self_signed.pem"));
}

TEST(Certificates, UnchangedOnesKeepTheirContext) {
  Folder folder;
  Certificates certificates(folder.path, system_clock(), null_log());
  auto first = certificates.contexts_for({listener(Profile::kSmtp, kStartTls)});
  auto second = certificates.contexts_for({listener(Profile::kSmtp, kStartTls)});
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->front(), second->front());
  auto third = listener(Profile::kSmtp, kStartTls);
  third.tls_server.minimum = tls::Version::kTls13;
  EXPECT_NE(certificates.contexts_for({third})->front(), first->front());
}

TEST(Certificates, AnErrorLeavesWhatWas) {
  Folder folder;
  Certificates certificates(folder.path, system_clock(), null_log());
  ASSERT_TRUE(certificates.contexts_for({listener(Profile::kSmtp, kStartTls)}));
  auto bad = listener(Profile::kSmtp, kStartTls);
  bad.tls_server.identities = {{"/nowhere.pem", "/nowhere.key"}};
  EXPECT_FALSE(certificates.contexts_for({bad}));
  EXPECT_EQ(certificates.rows().size(), 1u);
}

}  // namespace
}  // namespace sidegate::daemon::certificates_test
