// For the room's own tests: a courier with the real scheduler, a store in memory, and relays on loopback.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <optional>

#include "deliver/courier.h"
#include "deliver/test_relay.h"
#include "queue/content_cache.h"
#include "queue/memory_store.h"
#include "test_certificates.h"

namespace sidegate::deliver {

struct House {
  explicit House(Answers answers = {}, std::function<void(RelaySettings&)> change = {}) {
    relays.push_back(std::make_unique<TestRelay>(loop, std::move(answers)));
    configure(std::move(change));
  }
  // Several relays, in the order of their preference.
  explicit House(std::vector<Answers> answers, std::function<void(RelaySettings&)> change = {}) {
    for (Answers& one : answers) relays.push_back(std::make_unique<TestRelay>(loop, std::move(one)));
    configure(std::move(change));
  }
  House(std::unique_ptr<TestRelay> (*make)(net::Loop&, test::TestCa&), std::function<void(RelaySettings&)> change) {
    ca = std::make_unique<test::TestCa>();
    relays.push_back(make(loop, *ca));
    configure(std::move(change));
  }
  ~House() {
    bool stopped = false;
    loop.spawn("stop", stop(&stopped));
    run_until([&] { return stopped; });
  }
  net::Awaitable<void> stop(bool* done) {
    co_await courier.stop(Duration(1000));
    *done = true;
  }

  void configure(std::function<void(RelaySettings&)> change) {
    settings.hostname = "client.example";
    for (auto& relay : relays) {
      RelaySettings one;
      one.name = "relay" + std::to_string(settings.relays.size());
      one.host = "127.0.0.1";
      one.port = relay->port;
      one.tls = TlsMode::kNone;
      if (change) change(one);
      settings.relays.push_back(one);
    }
    apply();
  }
  void apply() {
    auto ways = Ways::make(settings);
    scheduler.set_wake([this](unsigned, queue::WayId way) { courier.kick(way); });
    courier.set_ways(ways);
    scheduler.set_ways(ways->limits(), [ways](const queue::ClassKey& key) { return ways->table.ways(key); });
    all_ways = ways;
  }

  QueueId add(std::vector<std::string> to, std::function<void(queue::Message&)> change = {},
              std::string body = "\r\nHello\r\n.dot\r\n", Duration age = Duration(0),
              std::string header = "Subject: x\r\n") {
    auto message = std::make_shared<queue::Message>();
    message->id = ids.next();
    if (age.count() > 0)
      message->id.value =
          (static_cast<std::uint64_t>((system_clock().wall() - age).time_since_epoch().count()) << 22) | ++old;
    message->envelope.reverse_path = "me@home.example";
    for (auto& address : to) {
      mail::Recipient recipient;
      recipient.address = address;
      message->envelope.recipients.push_back(recipient);
    }
    if (change) change(*message);
    queue::Accept accept;
    accept.header = std::move(header);
    message->header_size = accept.header.size();
    message->body_size = body.size();
    message->chunks = static_cast<std::uint32_t>((body.size() + queue::kChunkSize - 1) / queue::kChunkSize);
    accept.body = std::move(body);
    std::vector<queue::ClassRow> fresh_rows;
    for (const auto& recipient : message->envelope.recipients) {
      bool fresh = false;
      auto key = route::class_key(message->envelope, message->origin, recipient);
      auto id = scheduler.intern(key, &fresh);
      if (fresh) fresh_rows.push_back({id, key});
      message->classes.push_back(id);
      bool known = std::ranges::any_of(accept.due, [&](const auto& row) { return row.class_id == id; });
      if (known) continue;
      queue::DueRow row;
      row.id = message->id;
      row.class_id = id;
      row.due = system_clock().wall();
      accept.due.push_back(row);
    }
    store.commit(queue::Intern{fresh_rows}, [](Status s) { EXPECT_TRUE(s); });
    auto due = accept.due;
    QueueId id = message->id;
    if (in_memory) {
      auto content = [](const std::string& text) { return std::make_shared<const std::string>(text); };
      memory[id.value] = {message, content(accept.header), content(accept.body)};
    }
    accept.message = std::move(message);
    store.commit(std::move(accept), [](Status s) { EXPECT_TRUE(s); });
    scheduler.add(due, 0);
    return id;
  }

  void run_until(const std::function<bool()>& done) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(15);
    loop.context().restart();
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "waited in vain";
      loop.context().run_one_for(std::chrono::milliseconds(20));
      loop.check_deadlines();
    }
  }
  // Until nothing is under way, and nothing would be without a new message or a later hour.
  void settle() {
    run_until([&] {
      auto totals = scheduler.totals();
      return totals.active == 0 && (totals.ready == 0 || !scheduler.ways()[0].up);
    });
    for (int i = 0; i < 20; ++i) loop.context().run_one_for(std::chrono::milliseconds(1));
  }
  bool gone(QueueId id) { return !store.message(id).has_value(); }
  std::vector<queue::ListRow> reports() {
    auto rows = store.find({}, QueueId{}, 100);
    std::vector<queue::ListRow> found;
    for (auto& row : *rows) {
      if (row.message.is_report) found.push_back(std::move(row));
    }
    return found;
  }
  std::string report_text(const queue::ListRow& row) {
    return *store.header(row.message.id) + *store.body_chunk(row.message.id, row.message.generation, 0);
  }
  TestRelay& relay(std::size_t i = 0) { return *relays[i]; }
  std::string log_text() {
    run_until([&] { return true; });
    std::string text;
    char buffer[4096];
    for (int i = 0; i < 50; ++i) {  // the log's own thread writes
      std::this_thread::yield();
      usleep(2000);
    }
    ::lseek(log_fd, 0, SEEK_SET);
    for (ssize_t n; (n = ::read(log_fd, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
    return text;
  }
  static int count(const std::string& text, std::string_view word) {
    int n = 0;
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
    return n;
  }

  int log_fd = ::memfd_create("log", 0);
  Log log{log_fd, plain_log_style(), LogLevel::kDebug};
  net::Loop loop{0, system_clock(), log};
  queue::MemoryCluster cluster{system_clock()};
  queue::MemoryStore store{cluster, 0};
  queue::Scheduler scheduler{queue::ScheduleSettings{}, system_clock(), 1};
  // Nobody is asked: a test that needs a name server brings one of its own.
  dns::Resolver resolver{dns::ResolverSettings{.servers = {"127.0.0.1@1"}, .timeout = Duration(500)}, system_clock()};
  net::WorkerPool workers{1};
  QueueIdSource ids{system_clock()};
  std::unique_ptr<test::TestCa> ca;
  std::vector<std::unique_ptr<TestRelay>> relays;
  DeliverSettings settings;
  std::shared_ptr<const Ways> all_ways;
  bool in_memory = false;  // messages added from now on are fresh: known without the store (queue/content_cache.h)
  std::map<std::uint64_t, queue::Content> memory;
  std::optional<queue::Content> remembered(QueueId id) const {
    const auto known = memory.find(id.value);
    return known == memory.end() ? std::nullopt : std::optional(known->second);
  }
  Courier courier{Parts{loop, scheduler, store, resolver, workers, ids, queue::ScheduleSettings{},
                        [this](QueueId id) { return remembered(id); }, [this](QueueId id) { memory.erase(id.value); }}};
  std::uint64_t old = 0;
};

inline std::string long_body(int lines) {
  std::string body = "\r\n";
  for (int i = 0; i < lines; ++i) body += std::string(i % 2 ? 98 : 97, static_cast<char>('a' + i % 26)) + "\r\n";
  return body;
}

}  // namespace sidegate::deliver
