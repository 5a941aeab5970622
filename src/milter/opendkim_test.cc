// A real filter: OpenDKIM signs a message on its way through, and another OpenDKIM finds the signature good, so every
// octet of header and body got there and back. No DNS: the public key stands in a file.
#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/text.h"
#include "milter/filters.h"
#include "milter/string_body.h"
#include "net/test_pair.h"

namespace sidegate::milter::opendkim_test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kProgram = "/usr/sbin/opendkim";

struct Directory {
  Directory() { EXPECT_NE(mkdtemp(path.data()), nullptr); }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(path + "/" + name) << text;
    return path + "/" + name;
  }
  std::string path = (std::filesystem::temp_directory_path() / "sidegate-milter-XXXXXX").string();
};

struct Key {
  Key() : key(EVP_RSA_gen(2048)) {}
  ~Key() { EVP_PKEY_free(key); }
  std::string pem() const {
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    return text_of(out);
  }
  std::string record() const {
    BIO* out = BIO_new(BIO_s_mem());
    i2d_PUBKEY_bio(out, key);
    return "s1._domainkey.example.org v=DKIM1; k=rsa; p=" + base64(text_of(out)) + "\n";
  }
  static std::string text_of(BIO* bio) {
    char* bytes = nullptr;
    long size = BIO_get_mem_data(bio, &bytes);
    std::string text(bytes, static_cast<std::size_t>(size));
    BIO_free(bio);
    return text;
  }
  EVP_PKEY* key;
};

class OpenDkim {
 public:
  OpenDkim(const Directory& at, const std::string& name, const std::string& options) {
    socket_ = at.path + "/" + name + ".sock";
    std::string common = "Background no\nSyslog no\nRequireSafeKeys no\nSocket local:" + socket_ + "\n";
    std::string config = at.file(name + ".conf", common + options);
    std::string words[] = {kProgram, "-f", "-x", config};
    char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
    EXPECT_EQ(posix_spawn(&pid_, kProgram, nullptr, nullptr, arguments, environ), 0);
  }
  ~OpenDkim() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  // Until it listens; false: it never did.
  bool wait() const {
    for (int i = 0; i < 600; ++i) {
      if (listens()) return true;
      if (::waitpid(pid_, nullptr, WNOHANG) != 0) return false;
      std::this_thread::sleep_for(50ms);
    }
    return false;
  }
  Settings settings() const {
    Settings settings{.name = "opendkim", .address = {.path = socket_, .host = {}, .port = 0}};
    return settings;
  }

 private:
  bool listens() const {
    sockaddr_un to{.sun_family = AF_UNIX, .sun_path = {}};
    socket_.copy(to.sun_path, sizeof(to.sun_path) - 1);
    int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool made = ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0;
    ::close(fd);
    return made;
  }

  std::string socket_;
  pid_t pid_ = 0;
};

struct Passed {
  Decision decision;
  Message message;
  std::vector<std::string> notes;
};

net::Awaitable<void> pass(net::Loop& loop, Settings settings, Client client, std::string body_text, Passed* out) {
  const std::vector<Settings> all{settings};
  Filters filters(all, dial_on(loop));
  filters.macros() = {{"i", "4bXqTest"}, {"j", "me.example"}, {"daemon_name", "smtp"}};
  StringBody body(body_text);
  out->decision = co_await filters.connect(client);
  if (out->decision.kind == Decision::Kind::kPass) out->decision = co_await filters.helo("c.example");
  if (out->decision.kind == Decision::Kind::kPass)
    out->decision = co_await filters.mail("<a@example.org>", {"SIZE=100"});
  if (out->decision.kind == Decision::Kind::kPass) out->decision = co_await filters.rcpt("<b@b.example>", {});
  if (out->decision.kind == Decision::Kind::kPass) out->decision = co_await filters.data();
  if (out->decision.kind == Decision::Kind::kPass) out->decision = co_await filters.message(out->message, body);
  co_await filters.quit();
  for (const Note& note : filters.take_notes()) {
    if (note.what == Note::What::kFailed) out->notes.push_back(note.text);
  }
}

Passed pass_through(const OpenDkim& filter, const Client& client, Message message, const std::string& body) {
  net::Bench bench;
  Passed passed{.decision = {}, .message = std::move(message), .notes = {}};
  bench.run(pass(bench.loop, filter.settings(), client, body, &passed));
  return passed;
}

TEST(OpenDkim, SignsAndFindsItsSignatureGood) {
  if (::access(kProgram, X_OK) != 0) GTEST_SKIP() << kProgram << " is not installed";
  Directory directory;
  Key key;
  std::string hosts = directory.file("hosts", "127.0.0.1\n");
  OpenDkim signer(directory, "sign",
                  "Mode s\nDomain example.org\nSelector s1\nCanonicalization simple/simple\nKeyFile " +
                      directory.file("key.pem", key.pem()) + "\nInternalHosts " + hosts + "\n");
  OpenDkim verifier(directory, "verify",
                    "Mode v\nAuthservID me.example\nInternalHosts " + hosts + "\nTestPublicKeys " +
                        directory.file("keys", key.record()) + "\n");
  ASSERT_TRUE(signer.wait());
  ASSERT_TRUE(verifier.wait());

  // Simple canonicalization: one space more or less, and the signature is bad.
  Message message{.own = "Received: from c by me.example;\r\n\tnow\r\n",
                  .header =
                      "From:  Eve <a@example.org>\r\nTo:b@b.example\r\nSubject: folded\r\n \t text \r\n"
                      "Date: Sat, 21 Nov 2026 22:25:12 +0000\r\nMessage-ID: <1@example.org>\r\n",
                  .from = "a@example.org",
                  .recipients = {{"b@b.example", ""}}};
  std::string body = "\r\n.one \t\r\n";
  for (int i = 0; i < 10'000; ++i) body += "line " + std::to_string(i) + "\r\n";  // more than one piece

  Passed signed_one = pass_through(signer, {"localhost", "127.0.0.1", 4321}, message, body);
  EXPECT_EQ(signed_one.decision.kind, Decision::Kind::kPass);
  EXPECT_THAT(signed_one.notes, testing::IsEmpty());
  // It inserts at 0: before our trace field, which is one like others from there on.
  EXPECT_EQ(signed_one.message.own, "");
  EXPECT_THAT(signed_one.message.header, testing::EndsWith(message.own + message.header));
  ASSERT_THAT(signed_one.message.header, StartsWith("DKIM-Signature:"));

  Client outside{"c.example", "192.0.2.1", 4321};
  Passed good = pass_through(verifier, outside, signed_one.message, body);
  EXPECT_THAT(good.message.header, HasSubstr("Authentication-Results: me.example"));
  EXPECT_THAT(good.message.header, HasSubstr("dkim=pass"));

  body[5] = 'X';
  Passed bad = pass_through(verifier, outside, signed_one.message, body);
  EXPECT_THAT(bad.message.header, HasSubstr("dkim=fail"));
}

}  // namespace
}  // namespace sidegate::milter::opendkim_test
