// The whole helper, forked as the server forks it, and its client; then what a server that was taken over might send.
#include "helper/run.h"

#include <poll.h>
#include <pwd.h>
#include <sys/wait.h>

#include <csignal>

#include "helper/client.h"
#include "helper/delivery_fixture.h"

namespace sidegate::helper::run_test {
namespace {

class Helper : public Delivery {
 protected:
  Helper() {
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pid = fork();
    if (pid == 0) {
      close(pair[0]);
      run(pair[1]);
    }
    close(pair[1]);
    raw = pair[0];
    client.emplace(pair[0]);
  }
  ~Helper() override {
    if (!client) return;
    client.reset();  // it ends with its server
    int status = -1;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  static const std::string& own_name() {
    static const std::string name = getpwuid(geteuid())->pw_name;  // asked once: threads ask for it
    return name;
  }

  // A delivery of kContent; nullopt: an end of file without an answer.
  std::optional<Answer> deliver(Request request) {
    request.size = kContent.size();
    auto fd = client->begin(request);
    EXPECT_TRUE(fd) << fd.error().text;
    (void)!send(*fd, kContent.data(), kContent.size(), MSG_NOSIGNAL);
    return answer_on(*fd);
  }
  static std::optional<Answer> answer_on(int fd) {
    std::string bytes;
    char some[4096];
    for (;;) {
      pollfd look{fd, POLLIN, 0};
      EXPECT_EQ(poll(&look, 1, 20'000), 1);
      ssize_t n = recv(fd, some, sizeof some, 0);
      if (n <= 0) break;
      bytes.append(some, static_cast<std::size_t>(n));
    }
    close(fd);
    return decode_answer(bytes);
  }
  // A packet as it is, with as many descriptors; our end of the first one.
  int send_raw(std::string_view packet, unsigned descriptors, int type = SOCK_STREAM) const {
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 20)] = {};
    iovec part{const_cast<char*>(packet.data()), packet.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (descriptors > 0) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors);
      cmsghdr* c = CMSG_FIRSTHDR(&message);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(sizeof(int) * descriptors);
      for (unsigned i = 0; i < descriptors; ++i) std::memcpy(CMSG_DATA(c) + i * sizeof(int), &pair[1], sizeof(int));
    }
    EXPECT_GE(sendmsg(raw, &message, MSG_NOSIGNAL), 0);
    close(pair[1]);
    return pair[0];
  }

  pid_t pid = -1;
  int raw = -1;
  std::optional<Client> client;
};

TEST_F(Helper, FindsUsers) {
  auto own = client->find_user(own_name());
  ASSERT_TRUE(own) << own.error().text;
  EXPECT_EQ(own->uid, geteuid());
  EXPECT_EQ(own->home, getpwuid(geteuid())->pw_dir);
  for (const char* name : {"sidegate-no-such-user", "", "../x", "-x", "a/b"}) {
    auto none = client->find_user(name);
    ASSERT_FALSE(none) << name;
    EXPECT_EQ(none.error().kind, ErrorKind::kNotFound) << name;
  }
}

TEST_F(Helper, SaysWhatItCannotDo) {
  EXPECT_EQ(client->what_is_off().empty(), geteuid() == 0);
}

TEST_F(Helper, DeliversAsAUserAndNeverAsRoot) {
  chmod(home.c_str(), 0777);
  Request request{.verb = Verb::kCommand, .user = own_name(), .place = "id -u; id -G; exit 1", .patience = 10'000};
  auto a = deliver(request);
  ASSERT_TRUE(a);
  if (geteuid() != 0) {
    EXPECT_TRUE(a->text.starts_with(std::to_string(geteuid()))) << a->text;
    return;
  }
  EXPECT_EQ(a->cause, Cause::kNotAllowed) << a->text;  // root, and nobody named in its place
  request.instead = "root";
  EXPECT_EQ(deliver(request)->cause, Cause::kNotAllowed);
  request.instead = "sidegate-no-such-user";
  EXPECT_EQ(deliver(request)->cause, Cause::kNotAllowed);
  request.instead = "nobody";
  EXPECT_EQ(deliver(request)->text, "65534 65534");
  request.user = "nobody";
  EXPECT_EQ(deliver(request)->text, "65534 65534");
  request.verb = Verb::kFile;
  request.place = "/etc/sidegate-helper-test";
  EXPECT_EQ(deliver(request)->code, EACCES);
  request.place = home + "/made";
  ASSERT_EQ(deliver(request)->cause, Cause::kDone);
  struct stat st{};
  ASSERT_EQ(stat((home + "/made").c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, 65534u);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
}

TEST_F(Helper, WithoutRootServesItsOwnUserAlone) {
  if (geteuid() == 0) GTEST_SKIP() << "runs as root";
  auto a = deliver({.verb = Verb::kCommand, .user = "nobody", .place = "true", .patience = 1000});
  ASSERT_TRUE(a);
  EXPECT_EQ(a->cause, Cause::kNotAllowed);
}

TEST_F(Helper, RefusesWhatNobodyMayAsk) {
  Request bad{.verb = Verb::kCommand, .user = "nobody", .place = "touch " + home + "/made", .patience = 1000};
  bad.environment = {{"LD_PRELOAD", "/tmp/x.so"}};
  auto a = answer_on(send_raw(encode(bad), 1));
  ASSERT_TRUE(a);
  EXPECT_EQ(a->cause, Cause::kBadRequest);
  EXPECT_TRUE(client->find_user(own_name())) << "it goes on";
}

TEST_F(Helper, OddPacketsAndDescriptorsAreDropped) {
  const std::string good = encode(Request{.verb = Verb::kFindUser, .user = own_name()});
  EXPECT_FALSE(answer_on(send_raw(good, 0)));                  // no descriptor
  EXPECT_FALSE(answer_on(send_raw(good, 1, SOCK_SEQPACKET)));  // of the wrong kind
  EXPECT_FALSE(answer_on(send_raw(good, 20)));                 // more than there is room for
  EXPECT_TRUE(answer_on(send_raw(good, 3)));                   // more than needed: the first one counts
  EXPECT_FALSE(answer_on(send_raw(std::string(kMaxRequest + 100, 'x'), 1)));
  for (std::size_t n = 1; n < good.size(); ++n) {
    auto a = answer_on(send_raw(good.substr(0, n), 1));
    EXPECT_TRUE(a && a->cause == Cause::kBadRequest) << n;
  }
  EXPECT_TRUE(client->find_user(own_name()));
}

// Whether PAM can say anything here is the machine's affair; that nobody gets in is ours.
TEST_F(Helper, NobodyGetsInWithAWrongPassword) {
  for (const std::string& user : {own_name(), std::string("no-such-user-here"), std::string("root")}) {
    auto answer = client->verify_password(user, "sidegate-test", "certainly not the password", Duration(20'000));
    EXPECT_FALSE(answer) << user;
  }
  EXPECT_EQ(client->verify_password("a/b", "smtp", "x", Duration(20'000)).error().kind, ErrorKind::kAuth);
  EXPECT_EQ(client->verify_password(own_name(), "smtp", "", Duration(20'000)).error().kind, ErrorKind::kAuth);
  EXPECT_FALSE(client->verify_password(own_name(), "../smtp", "x", Duration(20'000)));
  EXPECT_TRUE(client->find_user(own_name()));
}

TEST_F(Helper, ManyAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 40; ++k) good += client->find_user(own_name()).has_value();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 320);
}

TEST_F(Helper, AGoneHelperIsTold) {
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  auto a = client->find_user(own_name());
  ASSERT_FALSE(a);
  EXPECT_EQ(a.error().kind, ErrorKind::kUnreachable);
  EXPECT_NE(client->what_is_off(), "");
  client.reset();
}

}  // namespace
}  // namespace sidegate::helper::run_test
