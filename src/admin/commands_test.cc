// The whole way: client, socket, server, commands, store and scheduler.
#include "admin/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <future>

#include "admin/control_client.h"
#include "admin/control_server.h"
#include "admin/offline.h"
#include "admin/user_rows.h"
#include "queue/memory_store.h"

namespace sidegate::admin::commands_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CommandsTest : public testing::Test {
 protected:
  CommandsTest() {
    std::string name = (std::filesystem::temp_directory_path() / "sidegate-admin-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    scheduler_.set_ways({{"isp", 10}, {"backup", 10}}, router_);
    for (const char* to : {"a@example.net", "b@example.org", "c@example.org"}) ids_.push_back(add(to));
    commands_ = std::make_unique<Commands>(Parts{loops_[0], pool_, store_, scheduler_, router_, reload_,
                                                 [] { return std::vector<std::string>{"tls = \"none\""}; }, "1.2",
                                                 "no sandbox", "/etc/x.toml"});
    auto fd = bind_control_socket(path(), "");
    EXPECT_TRUE(fd) << fd.error().text;
    server_ = std::make_unique<ControlServer>(loops_[0], *fd, *commands_);
    loops_.start();
    server_->start();
  }
  ~CommandsTest() override {
    server_->stop();
    loops_.stop_and_join();
    std::filesystem::remove_all(directory_);
  }

  std::string path() const { return directory_ + "/control"; }

  QueueId add(const std::string& to) {
    auto message = std::make_shared<queue::Message>();
    message->id = source_.next();
    message->envelope.reverse_path = sender_;
    message->envelope.recipients.push_back({to, {}, {}});
    message->header_size = 100;
    bool fresh = false;
    queue::ClassRow row{0, {to.substr(to.find('@') + 1), "me@example.com", "", "in"}};
    row.id = scheduler_.intern(row.key, &fresh);
    if (fresh) store_.commit(queue::Intern{{row}}, [](Status s) { EXPECT_TRUE(s); });
    message->classes = {row.id};
    queue::DueRow due{message->id, row.id, clock_.wall(), 0, 0, false, 0};
    const QueueId id = message->id;
    store_.commit(queue::Accept{message, "Subject: x\r\n", "\r\n", 0, {due}},
                  [](Status s) { EXPECT_TRUE(s) << s.error().text; });
    scheduler_.add(std::span(&due, 1), 0);
    return id;
  }

  struct Answered {
    std::vector<std::string> rows;
    Result<std::string> end;
  };
  Answered ask(Request request) {
    Answered out{{}, {}};
    auto client = ControlClient::connect(path());
    if (!client) return {{}, std::unexpected(client.error())};
    out.end = client->ask(
        request,
        [&](std::string row) {
          out.rows.push_back(std::move(row));
          return true;
        },
        std::chrono::seconds(30));
    return out;
  }
  static std::string member(const std::string& json, const char* key) {
    return boost::json::value_to<std::string>(boost::json::parse(json).at(key));
  }
  std::vector<std::string> members(const Answered& answered, const char* key) {
    std::vector<std::string> out;
    for (const std::string& row : answered.rows) out.push_back(member(row, key));
    return out;
  }

  std::string sender_ = "me@example.com";
  ManualClock clock_;
  queue::MemoryCluster cluster_{clock_};
  queue::MemoryStore store_{cluster_, 0, std::chrono::hours(24 * 365)};
  queue::Scheduler scheduler_{{}, clock_, 1};
  queue::Scheduler::Router router_ = [](const queue::ClassKey& key) {
    return key.recipient_domain == "example.net" ? std::vector<queue::WayId>{0, 1} : std::vector<queue::WayId>{1};
  };
  std::function<Result<std::vector<std::string>>()> reload_ = [] {
    return Result<std::vector<std::string>>(std::vector<std::string>{"threads"});
  };
  QueueIdSource source_{clock_};
  net::Loops loops_{1, system_clock(), null_log()};
  net::WorkerPool pool_{1};  // before the loops it answers to
  std::vector<QueueId> ids_;
  std::string directory_;
  std::unique_ptr<Commands> commands_;
  std::unique_ptr<ControlServer> server_;
};

TEST_F(CommandsTest, UsersAreSuspendedAndResumed) {
  intake::UserAccounts users(clock_, null_log());
  ASSERT_TRUE(users.load(store_));
  std::promise<void> known;
  loops_[0].post([&] {
    commands_->set_users(&users);
    known.set_value();
  });
  known.get_future().wait();
  const auto of = [](Verb verb, bool dry_run) {
    return Request{.verb = verb,
                   .selection = {},
                   .dry_run = dry_run,
                   .limit = 0,
                   .user = "Taro@Example.jp",
                   .reason = "asked for"};
  };
  EXPECT_TRUE(ask(of(Verb::kUserSuspend, true)).end);
  EXPECT_FALSE(users.stopped("taro@example.jp"));
  Answered done = ask(of(Verb::kUserSuspend, false));
  ASSERT_TRUE(done.end) << done.end.error().text;
  EXPECT_EQ(*done.end, "{\"user\":\"taro@example.jp\",\"suspended\":true}");
  EXPECT_EQ(ask(of(Verb::kUserSuspend, false)).end.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(ask(of(Verb::kUserSuspend, true)).end.error().kind, ErrorKind::kConflict);
  EXPECT_THAT(*ask({.verb = Verb::kStatus, .selection = {}}).end, HasSubstr("\"reason\":\"asked for\""));
  Answered list = ask({.verb = Verb::kUserList, .selection = {}});
  ASSERT_EQ(list.rows.size(), 1u);
  EXPECT_THAT(list.rows[0], HasSubstr("\"suspended\":true"));
  std::vector<std::string> offline;  // the same from the store
  ASSERT_TRUE(list_users_offline(store_, {}, clock_, [&](std::string row) {
    offline.push_back(std::move(row));
    return true;
  }));
  EXPECT_EQ(offline, list.rows);
  EXPECT_TRUE(ask(of(Verb::kUserResume, false)).end);
  EXPECT_FALSE(users.stopped("taro@example.jp"));
  EXPECT_EQ(ask({.verb = Verb::kUserSuspend, .selection = {}, .user = "a b"}).end.error().kind, ErrorKind::kBadInput);
}

TEST_F(CommandsTest, ListsAndSelects) {
  Answered all = ask({.verb = Verb::kList, .selection = {}});
  ASSERT_TRUE(all.end) << all.end.error().text;
  EXPECT_THAT(members(all, "id"), ElementsAre(ids_[0].text(), ids_[1].text(), ids_[2].text()));
  EXPECT_THAT(members(all, "relay"), ElementsAre("isp", "backup", "backup"));
  EXPECT_EQ(*all.end, "{\"messages\":3}");
  EXPECT_EQ(ask({.verb = Verb::kList, .selection = {.to = "@example.org"}}).rows.size(), 2u);
  EXPECT_EQ(ask({.verb = Verb::kList, .selection = {.to = "B@"}}).rows.size(), 1u);
  EXPECT_EQ(ask({.verb = Verb::kList, .selection = {.from = "nobody"}}).rows.size(), 0u);
  EXPECT_EQ(ask({.verb = Verb::kList, .selection = {.relay = "isp"}}).rows.size(), 1u);
  EXPECT_EQ(ask({.verb = Verb::kList, .selection = {}, .limit = 2}).rows.size(), 2u);
}

TEST_F(CommandsTest, AReasonIsWhyTheRelayIsDown) {
  scheduler_.way_down(1, std::chrono::minutes(5), "535 bad password");
  Answered listed = ask({.verb = Verb::kList, .selection = {.ids = {ids_[1].text()}}});
  ASSERT_EQ(listed.rows.size(), 1u);
  EXPECT_EQ(member(listed.rows[0], "reason"), "535 bad password");
  EXPECT_EQ(member(listed.rows[0], "state"), "waiting");
}

// Of ways that are all down, the one that is tried first is what it waits for.
TEST_F(CommandsTest, AMessageWaitsForTheWayThatIsTriedFirst) {
  scheduler_.way_down(0, std::chrono::hours(1), "550 5.4.5 quota");
  scheduler_.way_down(1, std::chrono::minutes(5), "connection refused");
  Answered shown = ask({.verb = Verb::kShow, .selection = {.ids = {ids_[0].text()}}});
  ASSERT_EQ(shown.rows.size(), 1u);
  EXPECT_EQ(member(shown.rows[0], "relay"), "backup");
  EXPECT_EQ(member(shown.rows[0], "relay_down"), "connection refused");
  EXPECT_EQ(member(shown.rows[0], "relay_again_at"), time_text(clock_.wall() + std::chrono::minutes(5)));
  scheduler_.way_up(0);
  EXPECT_EQ(member(ask({.verb = Verb::kShow, .selection = {.ids = {ids_[0].text()}}}).rows.at(0), "relay"), "isp");
}

TEST_F(CommandsTest, ShowsEveryAttempt) {
  queue::AttemptRow attempt{clock_.wall(),
                            "isp",
                            "192.0.2.1:587",
                            "rcpt",
                            "450 4.2.0 later",
                            "the server is busy",
                            {},
                            false,
                            clock_.wall() + std::chrono::minutes(1),
                            {0}};
  store_.commit(queue::Outcome{ids_[0],
                               {{0, queue::RecipientState::kPending, 1, false, true, "450 4.2.0 \x1b[31mlater",
                                 "smtp.example", clock_.wall()}},
                               {},
                               {},
                               attempt,
                               false,
                               {}},
                [](Status) {});
  Answered shown = ask({.verb = Verb::kShow, .selection = {.ids = {ids_[0].text()}}});
  ASSERT_EQ(shown.rows.size(), 1u) << shown.end.error().text;
  for (const char* part : {"\"phase\":\"rcpt\"", "450 4.2.0 later", "the server is busy", "\"uncertain\":true",
                           "\"address\":\"192.0.2.1:587\""})
    EXPECT_THAT(shown.rows[0], HasSubstr(part));
  EXPECT_THAT(shown.rows[0], testing::Not(HasSubstr("\x1b")));
  EXPECT_EQ(ask({.verb = Verb::kShow, .selection = {.ids = {QueueId{77}.text()}}}).end.error().kind,
            ErrorKind::kNotFound);
  EXPECT_EQ(ask({.verb = Verb::kShow, .selection = {.ids = {"nonsense"}}}).end.error().kind, ErrorKind::kBadInput);
}

TEST_F(CommandsTest, ChangingNeedsASelectionAndADryRunChangesNothing) {
  EXPECT_EQ(ask({.verb = Verb::kDelete, .selection = {}}).end.error().kind, ErrorKind::kBadInput);
  Answered dry = ask({.verb = Verb::kDelete, .selection = {.all = true}, .dry_run = true});
  EXPECT_THAT(members(dry, "result"), ElementsAre("would", "would", "would"));
  EXPECT_EQ(*dry.end, "{\"matched\":3,\"changed\":0,\"would\":3,\"dry_run\":true}");
  dry = ask({.verb = Verb::kRelease, .selection = {.all = true}, .dry_run = true});
  EXPECT_THAT(members(dry, "result"), ElementsAre("not_held", "not_held", "not_held"));
  EXPECT_EQ(*dry.end, "{\"matched\":3,\"changed\":0,\"would\":0,\"dry_run\":true}");
  EXPECT_EQ(ask({.verb = Verb::kList, .selection = {}}).rows.size(), 3u);
  EXPECT_EQ(ask({.verb = Verb::kDelete, .selection = {.relay = "nowhere"}}).end.error().kind, ErrorKind::kNotFound);
}

TEST_F(CommandsTest, DeletesAndTellsWhatIsUnderWay) {
  auto lease = scheduler_.lease(0);
  ASSERT_TRUE(lease);
  Answered deleted =
      ask({.verb = Verb::kDelete, .selection = {.ids = {ids_[0].text(), ids_[1].text(), QueueId{77}.text()}}});
  ASSERT_TRUE(deleted.end) << deleted.end.error().text;
  EXPECT_THAT(members(deleted, "result"), ElementsAre("done_under_way", "done", "not_found"));
  EXPECT_EQ(*deleted.end, "{\"matched\":2,\"changed\":2,\"dry_run\":false}");
  EXPECT_EQ(store_.message(ids_[1]).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(ask({.verb = Verb::kList, .selection = {}}).rows.size(), 1u);
}

TEST_F(CommandsTest, HoldsOnDiskAndReleases) {
  EXPECT_THAT(members(ask({.verb = Verb::kHold, .selection = {.to = "@example.org"}}), "result"),
              ElementsAre("done", "done"));
  EXPECT_TRUE(store_.find({}, QueueId{ids_[1].value - 1}, 1)->front().due.front().held);
  EXPECT_FALSE(scheduler_.lease(1).has_value() && scheduler_.totals().held == 0);
  EXPECT_THAT(members(ask({.verb = Verb::kList, .selection = {}}), "state"), ElementsAre("ready", "held", "held"));
  EXPECT_THAT(members(ask({.verb = Verb::kRelease, .selection = {.all = true}}), "result"),
              ElementsAre("not_held", "done", "done"));
  EXPECT_FALSE(store_.find({}, QueueId{ids_[1].value - 1}, 1)->front().due.front().held);
  EXPECT_EQ(scheduler_.totals().held, 0u);
}

TEST_F(CommandsTest, WhatIsHeldStaysHeldAndSaysSo) {
  ask({.verb = Verb::kHold, .selection = {.ids = {ids_[1].text()}}});
  for (bool dry_run : {true, false}) {
    Answered retried = ask({.verb = Verb::kRetry, .selection = {.all = true}, .dry_run = dry_run});
    const char* free = dry_run ? "would" : "done";
    EXPECT_THAT(members(retried, "result"), ElementsAre(free, "held", free));
    EXPECT_THAT(*retried.end, HasSubstr(dry_run ? "\"would\":2" : "\"matched\":3,\"changed\":2"));
  }
  EXPECT_EQ(scheduler_.totals().held, 1u);
}

// A rehearsal says what the performance would: all but `delete` find the attempt under way.
TEST_F(CommandsTest, ADryRunKnowsWhatIsUnderWay) {
  auto lease = scheduler_.lease(0);
  ASSERT_TRUE(lease);
  for (Verb verb : {Verb::kRetry, Verb::kRelease})
    EXPECT_THAT(members(ask({.verb = verb, .selection = {.ids = {ids_[0].text()}}, .dry_run = true}), "result"),
                ElementsAre("under_way"));
  for (Verb verb : {Verb::kDelete, Verb::kHold})
    EXPECT_THAT(members(ask({.verb = verb, .selection = {.ids = {ids_[0].text()}}, .dry_run = true}), "result"),
                ElementsAre("would"));
}

// A slow attempt keeps nobody waiting: the message is held when it has ended, on disk too.
TEST_F(CommandsTest, WhatIsUnderWayIsHeldAtItsEnd) {
  auto lease = scheduler_.lease(0);
  ASSERT_TRUE(lease);
  const Request hold{.verb = Verb::kHold, .selection = {.ids = {ids_[0].text()}}};
  const auto put_off = [&] {
    const queue::ClassResult later{lease->classes[0], queue::ClassResult::Next::kAt, clock_.wall(), true};
    scheduler_.finish(*lease, std::span(&later, 1), 0);
  };
  const auto on_disk = [&] { return store_.find({}, QueueId{ids_[0].value - 1}, 1)->front().due.front().held; };
  EXPECT_THAT(members(ask(hold), "result"), ElementsAre("done_later"));
  EXPECT_FALSE(on_disk());
  put_off();
  for (int i = 0; i < 100 && !on_disk(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(on_disk());
  EXPECT_EQ(scheduler_.totals().held, 1u);

  // Released meanwhile: as if nothing had been asked.
  EXPECT_THAT(members(ask({.verb = Verb::kRelease, .selection = {.all = true}}), "result"),
              ElementsAre("done", "not_held", "not_held"));
  for (lease = scheduler_.lease(0); lease && lease->id != ids_[0]; lease = scheduler_.lease(0)) {
  }
  ASSERT_TRUE(lease);
  EXPECT_THAT(members(ask(hold), "result"), ElementsAre("done_later"));
  EXPECT_THAT(members(ask({.verb = Verb::kRelease, .selection = {.ids = {ids_[0].text()}}}), "result"),
              ElementsAre("under_way"));
  put_off();
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  EXPECT_FALSE(on_disk());
  EXPECT_EQ(scheduler_.totals().held, 0u);
}

TEST_F(CommandsTest, AnIdCountsOnceAndOneThatIsNotThereIsNamed) {
  const std::string id = ids_[1].text(), nobody = QueueId{77}.text();
  Answered listed = ask({.verb = Verb::kList, .selection = {.ids = {id, nobody, id}}});
  EXPECT_THAT(members(listed, "id"), ElementsAre(id));
  EXPECT_EQ(*listed.end, "{\"messages\":1,\"missing\":[\"" + nobody + "\"]}");
  std::vector<std::string> rows;
  auto offline = read_offline(store_, {.verb = Verb::kList, .selection = {.ids = {id, nobody, id}}}, clock_.wall(),
                              [&](std::string row) {
                                rows.push_back(std::move(row));
                                return true;
                              });
  EXPECT_EQ(rows.size(), 1u);
  EXPECT_EQ(*offline, "{\"messages\":1,\"missing\":[\"" + nobody + "\"],\"offline\":true}");
  EXPECT_EQ(*ask({.verb = Verb::kDelete, .selection = {.ids = {id, id}}}).end,
            "{\"matched\":1,\"changed\":1,\"dry_run\":false}");
}

TEST_F(CommandsTest, TheNullSenderIsFoundAsItIsShown) {
  EXPECT_EQ(ask({.verb = Verb::kList, .selection = {.from = "<>"}}).rows.size(), 0u);
  sender_.clear();
  const QueueId report = add("me@example.org");
  for (Verb verb : {Verb::kList, Verb::kHold})
    EXPECT_THAT(members(ask({.verb = verb, .selection = {.from = "<>"}}), "id"), ElementsAre(report.text()));
}

// While its relay is down a message is not tried when it is due, but when the relay is.
TEST_F(CommandsTest, TheNextTryIsNotBeforeTheRelays) {
  const auto next = [&] {
    return member(ask({.verb = Verb::kShow, .selection = {.ids = {ids_[1].text()}}}).rows.at(0), "next");
  };
  EXPECT_EQ(next(), time_text(clock_.wall()));
  scheduler_.way_down(1, std::chrono::minutes(5), "535 bad password");
  Answered shown = ask({.verb = Verb::kShow, .selection = {.ids = {ids_[1].text()}}});
  EXPECT_EQ(next(), member(shown.rows.at(0), "relay_again_at"));
  EXPECT_GT(next(), time_text(clock_.wall()));
}

TEST_F(CommandsTest, RetriesNow) {
  auto lease = scheduler_.lease(0);
  ASSERT_TRUE(lease);
  const queue::ClassResult later{lease->classes[0], queue::ClassResult::Next::kAt,
                                 clock_.wall() + std::chrono::hours(1), true};
  scheduler_.finish(*lease, std::span(&later, 1), 0);
  EXPECT_FALSE(scheduler_.lease(0));
  EXPECT_THAT(members(ask({.verb = Verb::kRetry, .selection = {.ids = {ids_[0].text()}}}), "result"),
              ElementsAre("done"));
  EXPECT_TRUE(scheduler_.lease(0));
  EXPECT_THAT(members(ask({.verb = Verb::kRetry, .selection = {.ids = {ids_[0].text()}}}), "result"),
              ElementsAre("under_way"));
}

TEST_F(CommandsTest, StatusReloadAndNonsense) {
  Answered status = ask({.verb = Verb::kStatus, .selection = {}});
  ASSERT_TRUE(status.end);
  for (const char* part : {"\"messages\":3", "\"name\":\"isp\"", "\"version\":\"1.2\"", "\"store\":\"open\"", "none"})
    EXPECT_THAT(*status.end, HasSubstr(part));
  EXPECT_EQ(*ask({.verb = Verb::kReload, .selection = {}}).end, "{\"restart_needed\":[\"threads\"]}");
  EXPECT_EQ(ask({.verb = Verb::kVersion, .selection = {}}).end.value_or(""), "{\"version\":\"1.2\"}");
}

TEST_F(CommandsTest, MailThatHasNoWayOutSaysSo) {
  EXPECT_THAT(*ask({.verb = Verb::kStatus, .selection = {}}).end, HasSubstr("\"advice\":\"\""));
  std::promise<void> set;
  loops_[0].post([&] {
    commands_->set_router([](const queue::ClassKey&) { return queue::Route{}; });
    set.set_value();
  });
  set.get_future().wait();
  EXPECT_THAT(*ask({.verb = Verb::kStatus, .selection = {}}).end, HasSubstr("\"advice\":\"no-way-out\""));
  Answered shown = ask({.verb = Verb::kShow, .selection = {.ids = {ids_[0].text()}}});
  ASSERT_EQ(shown.rows.size(), 1u);
  for (const char* part : {"\"state\":\"waiting\"", "\"advice\":\"no-way-out\"", "direct delivery is switched off"})
    EXPECT_THAT(shown.rows[0], HasSubstr(part));
}

// What to write for a refused sender names the way's own address, where it has one.
TEST_F(CommandsTest, TheRuleForARefusedSenderIsTheWays) {
  queue::AttemptRow attempt{clock_.wall(),        "isp", "192.0.2.1:587", "mail", "550 no",
                            "sender-not-allowed", {},    false,           {},     {0}};
  store_.commit(queue::Outcome{ids_[0], {}, {}, {}, attempt, false, {}}, [](Status) {});
  const Request show{.verb = Verb::kShow, .selection = {.ids = {ids_[0].text()}}};
  EXPECT_THAT(ask(show).rows.at(0), HasSubstr("the account's own"));
  std::promise<void> set;
  loops_[0].post([&] {
    commands_->set_router(router_, [](const std::string& way, const std::string& sender) {
      return way == "isp" ? "generic for " + sender : std::string();
    });
    set.set_value();
  });
  set.get_future().wait();
  EXPECT_THAT(ask(show).rows.at(0), HasSubstr("\"rule\":\"generic for me@example.com\""));
}

TEST_F(CommandsTest, OfflineReadsTheSame) {
  std::vector<std::string> rows;
  auto done = read_offline(store_, {.verb = Verb::kList, .selection = {.to = "@example.org"}}, clock_.wall(),
                           [&](std::string row) {
                             rows.push_back(std::move(row));
                             return true;
                           });
  ASSERT_TRUE(done);
  EXPECT_EQ(rows.size(), 2u);
  EXPECT_EQ(read_offline(store_, {.verb = Verb::kDelete, .selection = {.all = true}}, clock_.wall(),
                         [](std::string) { return true; })
                .error()
                .kind,
            ErrorKind::kConflict);
  EXPECT_TRUE(read_offline(store_, {.verb = Verb::kShow, .selection = {.ids = {ids_[0].text()}}}, clock_.wall(),
                           [](std::string) { return true; }));
  rows.clear();
  done = read_offline(
      store_, {.verb = Verb::kDelete, .selection = {.ids = {ids_[1].text(), QueueId{77}.text()}}, .dry_run = true},
      clock_.wall(), [&](std::string row) {
        rows.push_back(std::move(row));
        return true;
      });
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_THAT(rows[0], HasSubstr("\"result\":\"would\""));
  EXPECT_THAT(rows[1], HasSubstr("\"result\":\"not_found\""));
  EXPECT_THAT(*done, HasSubstr("\"would\":1"));
  EXPECT_TRUE(store_.message(ids_[1]));
}

TEST_F(CommandsTest, WhoHasGotItIsNoRecipientAnyMore) {
  const std::string to = store_.message(ids_[0])->envelope.recipients[0].address;
  EXPECT_EQ(ask({.verb = Verb::kList, .selection = {.ids = {ids_[0].text()}, .to = to}}).rows.size(), 1u);
  queue::Outcome outcome;
  outcome.id = ids_[0];
  outcome.recipients = {{0, queue::RecipientState::kDelivered, 1, false, true, "250 ok", "x", clock_.wall()}};
  store_.commit(std::move(outcome), [](Status) {});
  EXPECT_EQ(ask({.verb = Verb::kList, .selection = {.ids = {ids_[0].text()}, .to = to}}).rows.size(), 0u);
}

}  // namespace
}  // namespace sidegate::admin::commands_test
