// What was dropped, picked up: in order, once, and no file in another's way.
#include "intake/pickup.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/text.h"
#include "intake/test_house.h"

namespace sidegate::intake::pickup_test {
namespace {

using Names = std::vector<std::string>;

struct Fixture : LocalHouse {
  net::Loop loop{0, clock, null_log()};
  std::unique_ptr<Pickup> pickup;
  unsigned number = 0;

  Fixture() : LocalHouse("gate.test", "broken: nobodyhere\n") {
    std::filesystem::create_directories(folder + "/drop/bad");
    context.workers = &workers;
    settings.name = "submit";
    settings.address = "/";
    settings.submit = true;
    pickup = std::make_unique<Pickup>(loop, context, workers, folder + "/drop", ListenerPolicy::make(settings).value());
    pickup->give_up_after(std::chrono::hours(1));
  }

  // Dropped so long ago.
  std::string drop(const Names& to, const std::string& from = "me", Duration ago = Duration{}) {
    auto since = std::chrono::floor<std::chrono::seconds>((clock.wall() - ago).time_since_epoch()).count();
    std::string name = "00000000000000" + hex(std::string(1, static_cast<char>(number++))) + "-0123456789abcdef";
    std::string text = "Subject: x\r\n\r\nwords\r\n";
    std::ofstream out(folder + "/drop/" + name, std::ios::binary);
    out << "sidegate-drop 1\nuid " << ::geteuid() << "\ntime " << since << "\nfrom " << from << "\n";
    for (const std::string& one : to) out << "to " << one << "\n";
    out << "message " << text.size() << "\n" << text;
    out.close();
    ::chmod((folder + "/drop/" + name).c_str(), 0640);
    return name;
  }
  void look() { net::run_script(pickup->once()); }
  void pass(Duration time) { clock.advance(time); }
  Names dropped() const {
    Names out;
    for (const auto& one : std::filesystem::directory_iterator(folder + "/drop")) {
      if (one.is_regular_file()) out.push_back(one.path().filename());
    }
    std::ranges::sort(out);
    return out;
  }
  // Of each message in the queue: "sender > recipients".
  Names queued() const {
    Names out;
    for (const auto& [id, kept] : store.messages) {
      std::string text = kept.message.envelope.reverse_path + " >";
      for (const mail::Recipient& to : kept.message.envelope.recipients) text += " " + to.address;
      out.push_back(text);
    }
    return out;
  }
};

TEST(Pickup, InOrderAndGone) {
  Fixture f;
  f.drop({"a@far.example"});
  f.drop({"bob", "b@far.example"}, "");
  f.look();
  EXPECT_EQ(f.queued(), (Names{"me@gate.test > a@far.example", " > bob@gate.test b@far.example"}));
  EXPECT_EQ(f.dropped(), Names{});
}

TEST(Pickup, OneThatWaitsHoldsUpNoOther) {
  Fixture f;
  std::string waits = f.drop({"broken"});
  f.drop({"a@far.example"});
  f.look();
  EXPECT_EQ(f.queued(), Names{"me@gate.test > a@far.example"});
  EXPECT_EQ(f.dropped(), Names{waits});
  // It is looked at again, less and less often, and goes when its alias is mended.
  f.look();
  EXPECT_EQ(f.dropped(), Names{waits});
  f.write_aliases("broken: bob\n# mended\n");
  f.pass(std::chrono::seconds(5));
  f.look();
  EXPECT_EQ(f.queued().size(), 2u);
  EXPECT_EQ(f.dropped(), Names{});
}

TEST(Pickup, WhenTheQueueTakesNothingAllWait) {
  Fixture f;
  f.drop({"a@far.example"});
  f.drop({"b@far.example"});
  f.store.fail_all = "accept";
  f.look();
  f.store.fail_all.clear();
  f.look();
  EXPECT_EQ(f.dropped().size(), 2u);
  f.pass(std::chrono::seconds(5));
  f.look();
  EXPECT_EQ(f.queued(), (Names{"me@gate.test > a@far.example", "me@gate.test > b@far.example"}));
}

TEST(Pickup, WhatWaitsTooLongIsReported) {
  Fixture f;
  f.sources.users.insert("me");
  f.drop({"broken", "a@far.example"}, "me", std::chrono::hours(2));
  f.look();
  EXPECT_EQ(f.dropped(), Names{});
  EXPECT_EQ(f.queued(), (Names{"me@gate.test > a@far.example", " > me@gate.test"}));
  const FakeStore::Kept& report = f.store.messages.rbegin()->second;
  EXPECT_TRUE(report.message.is_report);
  EXPECT_FALSE(f.store.messages.begin()->second.message.is_report);
  EXPECT_NE(report.body.find("Status: 4.4.7"), std::string::npos) << report.body;
  EXPECT_NE(report.body.find("broken@gate.test"), std::string::npos) << report.body;
}

TEST(Pickup, RefusedIsReportedAndNoneWithoutASender) {
  Fixture f;
  f.sources.users.insert("me");
  f.drop({"nosuch"}, "me@gate.test");
  f.drop({"nosuch"}, "");
  f.look();
  EXPECT_EQ(f.queued(), Names{" > me@gate.test"});
  EXPECT_EQ(f.dropped(), Names{});
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(f.folder + "/drop/bad"), {}), 1);
}

}  // namespace
}  // namespace sidegate::intake::pickup_test
