// The courier with a real helper: what ends on this machine is scheduled, settled, reported and logged as relays' mail.
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "deliver/courier.h"
#include "deliver/local_connection.h"
#include "helper/run.h"
#include "queue/memory_store.h"

namespace sidegate::deliver::local_delivery_test {
namespace {

using mail::Destination;

// Before everything that has threads.
struct HelperProcess {
  HelperProcess() {
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pid = fork();
    if (pid == 0) {
      close(pair[0]);
      helper::run(pair[1]);
    }
    close(pair[1]);
    client = std::make_unique<helper::Client>(pair[0]);
  }
  ~HelperProcess() {
    client.reset();
    waitpid(pid, nullptr, 0);
  }
  pid_t pid = -1;
  std::unique_ptr<helper::Client> client;
};

struct Here {
  explicit Here(std::function<void(LocalSettings&)> change = {}) {
    std::string path = (std::filesystem::temp_directory_path() / "sidegate-local-XXXXXX").string();
    folder = mkdtemp(path.data());
    chmod(folder.c_str(), 0777);
    settings.hostname = "here.example";
    if (change) change(settings.local);
    apply();
  }
  ~Here() {
    bool stopped = false;
    loop.spawn("stop", stop(&stopped));
    run_until([&] { return stopped; });
    std::filesystem::remove_all(folder);
  }
  net::Awaitable<void> stop(bool* done) {
    co_await courier.stop(Duration(300));
    *done = true;
  }
  void apply() {
    ways = Ways::make(settings);
    scheduler.set_wake([this](unsigned, queue::WayId way) { courier.kick(way); });
    courier.set_ways(ways);
    scheduler.set_ways(ways->limits(), [w = ways](const queue::ClassKey& key) { return w->table.ways(key); });
  }
  static std::string user() { return geteuid() == 0 ? "nobody" : getpwuid(geteuid())->pw_name; }
  static mail::Recipient to(Destination destination, std::string target) {
    mail::Recipient r;
    r.destination = destination;
    r.address = "bob@here.example";
    r.original = "alias@here.example";
    r.target = std::move(target);
    r.as_user = user();
    return r;
  }
  mail::Recipient file(const std::string& name) const { return to(Destination::kFile, folder + "/" + name); }

  QueueId add(std::vector<mail::Recipient> recipients, std::string header = "Subject: x\r\n",
              std::string body = "\r\nHello\r\n") {
    auto message = std::make_shared<queue::Message>();
    message->id = ids.next();
    message->envelope.reverse_path = "me@home.example";
    message->envelope.recipients = std::move(recipients);
    message->header_size = header.size();
    message->body_size = body.size();
    message->chunks = static_cast<std::uint32_t>((body.size() + queue::kChunkSize - 1) / queue::kChunkSize);
    queue::Accept accept;
    accept.header = std::move(header);
    accept.body = std::move(body);
    for (const auto& recipient : message->envelope.recipients) {
      bool fresh = false;
      auto key = route::class_key(message->envelope, message->origin, recipient);
      auto id = scheduler.intern(key, &fresh);
      if (fresh) store.commit(queue::Intern{{{id, key}}}, [](Status) {});
      message->classes.push_back(id);
      bool known = std::ranges::any_of(accept.due, [&](const auto& row) { return row.class_id == id; });
      if (!known) accept.due.push_back({.id = message->id, .class_id = id, .due = system_clock().wall()});
    }
    auto due = accept.due;
    QueueId id = message->id;
    accept.message = std::move(message);
    store.commit(std::move(accept), [](Status s) { EXPECT_TRUE(s); });
    scheduler.add(due, 0);
    return id;
  }
  void run_until(const std::function<bool()>& done) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    loop.context().restart();
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "waited in vain";
      loop.context().run_one_for(std::chrono::milliseconds(20));
      loop.check_deadlines();
      scheduler.tick();
    }
  }
  bool gone(QueueId id) { return !store.message(id).has_value(); }
  std::string read(const std::string& name) const {
    std::ifstream in(folder + "/" + name, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  std::optional<queue::ListRow> report() {
    auto rows = store.find({}, QueueId{}, 100);
    for (auto& row : *rows) {
      if (row.message.is_report) return std::move(row);
    }
    return std::nullopt;
  }
  std::string log_text() {
    log.flush();
    std::string text;
    char buffer[4096];
    ::lseek(log_fd, 0, SEEK_SET);
    for (ssize_t n; (n = ::read(log_fd, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
    return text;
  }

  HelperProcess process;
  std::string folder;
  int log_fd = ::memfd_create("log", 0);
  Log log{log_fd, plain_log_style(), LogLevel::kDebug};
  net::Loop loop{0, system_clock(), log};
  queue::MemoryCluster cluster{system_clock()};
  queue::MemoryStore store{cluster, 0};
  queue::Scheduler scheduler{queue::ScheduleSettings{}, system_clock(), 1};
  dns::Resolver resolver{dns::ResolverSettings{}, system_clock()};
  net::WorkerPool workers{1};
  QueueIdSource ids{system_clock()};
  DeliverSettings settings;
  std::shared_ptr<const Ways> ways;
  Courier courier{Parts{.loop = loop,
                        .scheduler = scheduler,
                        .store = store,
                        .resolver = resolver,
                        .workers = workers,
                        .ids = ids,
                        .schedule = queue::ScheduleSettings{},
                        .cached = {},
                        .forget = {},
                        .helper = process.client.get()}};
};

TEST(LocalDelivery, EveryKindInOneMessage) {
  Here here;
  auto id =
      here.add({here.file("box"), here.file("dir/"), Here::to(Destination::kPipe, "cat >" + here.folder + "/piped"),
                Here::to(Destination::kDiscard, "")});
  here.run_until([&] { return here.gone(id); });
  const std::string fields =
      "Return-Path: <me@home.example>\nX-Original-To: alias@here.example\nDelivered-To: bob@here.example\n";
  const std::string content = fields + "Subject: x\n\nHello\n";
  EXPECT_TRUE(here.read("box").starts_with("From me@home.example  "));
  EXPECT_TRUE(here.read("box").ends_with("\n" + content + "\n"));
  EXPECT_TRUE(here.read("piped").starts_with("From me@home.example  "));
  EXPECT_TRUE(here.read("piped").ends_with("\n" + content));
  std::vector<std::string> fresh;
  for (const auto& entry : std::filesystem::directory_iterator(here.folder + "/dir/new")) fresh.push_back(entry.path());
  ASSERT_EQ(fresh.size(), 1u);
  EXPECT_EQ(here.read("dir/new/" + std::filesystem::path(fresh[0]).filename().string()), content);
  std::string log = here.log_text();
  for (const char* words : {"delivered to file: ", "delivered to maildir", "delivered to command: cat >", "discarded"})
    EXPECT_NE(log.find(words), std::string::npos) << words << log;
}

TEST(LocalDelivery, WhoseMailboxARouteMeans) {
  const struct {
    const char *address, *delimiters;
    std::vector<std::string> users;
  } kTable[] = {
      {"taro@x.example", "+", {"taro"}},      {"Taro@x.example", "+", {"taro", "Taro"}},
      {"taro+shop@x.example", "+", {"taro"}}, {"www-data@x.example", "-", {"www-data", "www"}},
      {"taro+shop@x.example", "", {}},        {"../taro@x.example", "+", {}},
      {"\"a b\"@x.example", "+", {}},         {"-rf@x.example", "+", {}},
  };
  for (const auto& row : kTable) EXPECT_EQ(mailboxes_of(row.address, row.delimiters), row.users) << row.address;
}

// An address that a route brings to a mailbox was never looked up: that nobody has the name is for its sender to know.
TEST(LocalDelivery, ARouteToNobodyIsAnUnknownUser) {
  Here here;
  here.settings.local.mbox = here.folder + "/%u";
  RouteSettings route;
  route.action = RouteAction::kLocal;
  here.settings.routes = {route};
  here.apply();
  std::vector<mail::Recipient> recipients;
  for (const std::string& name : {Here::user() + "+tag", std::string("nobody-of-that-name"), std::string("../x")}) {
    recipients.push_back({});
    recipients.back().address = name + "@archive.example";
  }
  auto id = here.add(recipients);
  here.run_until([&] { return here.gone(id) && here.report(); });
  EXPECT_TRUE(here.read(Here::user()).ends_with("Subject: x\n\nHello\n\n")) << here.log_text();
  EXPECT_EQ(here.report()->message.envelope.recipients.size(), 1u);
  for (const char* words : {"unknown user: \\\"nobody-of-that-name\\\"", "unknown user: \\\"../x\\\""})
    EXPECT_NE(here.log_text().find(words), std::string::npos) << here.log_text();
}

// RFC 3464 section 2.3.3
TEST(LocalDelivery, AnAddressThatStandsForSeveralIsReportedAsSuch) {
  for (auto [target, action] : {std::pair(mail::kExpanded, "expanded"), {mail::kHandedToList, "delivered"}}) {
    Here here;
    mail::Recipient told = Here::to(Destination::kDiscard, target);
    told.address = "team@here.example";
    told.original.clear();
    told.notify.success = true;
    auto id = here.add({here.file("box"), told});
    here.run_until([&] { return here.gone(id) && here.report(); });
    auto report = here.report();
    std::string body = here.store.body_chunk(report->message.id, 0, 0).value();
    EXPECT_NE(body.find("Final-Recipient: rfc822;team@here.example"), std::string::npos) << body;
    EXPECT_NE(body.find(std::string("Action: ") + action + "\r\n"), std::string::npos) << body;
    EXPECT_NE(body.find("Status: 2.0.0"), std::string::npos) << body;
    EXPECT_EQ(report->message.envelope.recipients.at(0).address, "me@home.example");
  }
}

TEST(LocalDelivery, ALargeMessageIsStreamedWhole) {
  Here here;
  std::string body = "\r\n";
  for (int i = 0; i < 60'000; ++i) body += std::string(50, static_cast<char>('a' + i % 26)) + "\r\n";
  auto id = here.add({Here::to(Destination::kPipe, "sleep 0.3; tail -n +7 >" + here.folder + "/piped")},
                     "Subject: x\r\n", body);
  here.run_until([&] { return here.gone(id); });
  std::erase(body, '\r');
  EXPECT_EQ(here.read("piped"), body.substr(1));
}

TEST(LocalDelivery, ACommandThatHangsDelaysNobodyElse) {
  Here here([](LocalSettings& s) { s.connections = 4; });
  const auto hangs = [&](const char* more) {
    return Here::to(Destination::kPipe, "echo >>" + here.folder + "/hangs; exec sleep 1000 " + more);
  };
  std::vector<QueueId> hanging;
  for (int i = 0; i < 20; ++i) hanging.push_back(here.add({hangs(""), hangs("0"), here.file("box")}));
  auto quick = here.add({Here::to(Destination::kPipe, "cat >" + here.folder + "/quick")});
  here.run_until([&] { return here.gone(quick) && std::ranges::count(here.read("box"), '\n') >= 20 * 8; });
  for (QueueId id : hanging) EXPECT_FALSE(here.gone(id));
  EXPECT_EQ(here.read("hangs"), "\n\n");  // a quarter of the places for each command
}

TEST(LocalDelivery, ARefusalIsReportedWithoutTheCommandsName) {
  Here here;
  auto bounced = Here::to(Destination::kPipe, "echo go away; exit 77 # s3cret");
  bounced.address = "|s3cret";
  auto id = here.add({bounced, Here::to(Destination::kPipe, "exit 75")});
  here.run_until([&] { return here.report().has_value(); });
  EXPECT_FALSE(here.gone(id));  // the other one is tried again
  auto report = here.report();
  std::string text = *here.store.header(report->message.id) +
                     *here.store.body_chunk(report->message.id, report->message.generation, 0);
  EXPECT_NE(text.find("Final-Recipient: rfc822;alias@here.example"), std::string::npos) << text;
  EXPECT_NE(text.find("Status: 5.7.0"), std::string::npos) << text;
  EXPECT_NE(text.find("go away"), std::string::npos) << text;
  EXPECT_EQ(text.find("s3cret"), std::string::npos) << text;
}

TEST(LocalDelivery, GoingRoundEnds) {
  Here here;
  auto id = here.add({here.file("box")}, "Subject: x\r\nDelivered-To: bob@here.example\r\n");
  here.run_until([&] { return here.gone(id); });
  EXPECT_EQ(here.read("box"), "");
  EXPECT_NE(here.log_text().find("5.4.6"), std::string::npos);
}

TEST(LocalDelivery, WithoutItsHelperMailWaitsAndNothingIsLost) {
  Here here;
  kill(here.process.pid, SIGKILL);
  waitpid(here.process.pid, nullptr, 0);
  auto id = here.add({here.file("box")});
  here.run_until([&] { return !here.scheduler.ways()[0].up; });
  EXPECT_FALSE(here.gone(id));
  EXPECT_NE(here.scheduler.ways()[0].reason.find("helper is gone"), std::string::npos)
      << here.scheduler.ways()[0].reason;
  EXPECT_FALSE(here.report());
}

TEST(LocalDelivery, WhatCannotBeWrittenIsTriedAgain) {
  Here here;
  std::filesystem::create_symlink(here.folder + "/victim", here.folder + "/link");
  auto id = here.add({here.file("link"), here.file("ok")});
  here.run_until([&] { return here.read("ok") != "" && here.scheduler.totals().active == 0; });
  EXPECT_FALSE(here.gone(id));
  EXPECT_FALSE(std::filesystem::exists(here.folder + "/victim"));
  auto rows = here.store.recipients(id);
  ASSERT_TRUE(rows);
  int pending = 0, delivered = 0;
  for (const auto& row : *rows) {
    pending += row.state == queue::RecipientState::kPending;
    delivered += row.state == queue::RecipientState::kDelivered;
  }
  EXPECT_EQ(delivered, 1);
  EXPECT_EQ(pending, 1);
}

}  // namespace
}  // namespace sidegate::deliver::local_delivery_test
