#include "queue/test_stores.h"

#include <future>
#include <set>
#include <thread>

namespace sidegate::queue {

Status commit_and_wait(Store& store, Change change) {
  std::promise<Status> answer;
  auto got = answer.get_future();
  store.commit(std::move(change), [&](Status status) { answer.set_value(std::move(status)); });
  if (got.wait_for(std::chrono::seconds(120)) != std::future_status::ready)
    return fail(ErrorKind::kTimeout, "no callback");
  return got.get();
}

QueueId sample_id(std::uint64_t n) {
  return QueueId{(1'700'000'000'000ull << 22) + n};
}

Accept sample(const Sample& s) {
  auto message = std::make_shared<Message>();
  message->id = sample_id(s.id);
  message->envelope.reverse_path = s.from;
  Accept accept;
  for (const auto& to : s.to) {
    message->envelope.recipients.push_back({.address = to, .notify = {.failure = true}, .orcpt = "rfc822;" + to});
    ClassId id = s.own_classes ? static_cast<ClassId>(message->classes.size() + 1) : 1;
    message->classes.push_back(id);
    if (accept.due.empty() || s.own_classes) {
      accept.due.push_back({.id = message->id, .class_id = id, .due = message->id.time()});
    }
  }
  message->origin = {
      .listener = "submission", .peer_address = "192.0.2.1", .helo = "client", .user = "u", .protocol = "ESMTPSA"};
  message->header_size = s.header.size();
  message->body_size = s.body.size();
  message->chunks = static_cast<std::uint32_t>((s.body.size() + kChunkSize - 1) / kChunkSize);
  message->body_hash_simple[0] = 7;
  message->message_id = "<x@example.org>";
  accept.message = std::move(message);
  accept.header = s.header;
  accept.body = s.body;
  return accept;
}

Outcome outcome_of(std::uint64_t id) {
  Outcome outcome;
  outcome.id = sample_id(id);
  return outcome;
}
Outcome finished(std::uint64_t id) {
  Outcome outcome = outcome_of(id);
  outcome.finished = true;
  return outcome;
}

std::vector<DueRow> StoreConformance::claim_all(std::size_t page) {
  std::vector<DueRow> all;
  for (int i = 0; i < 10'000; ++i) {
    auto got = store().claim(page, clock().wall() + std::chrono::minutes(1));
    EXPECT_TRUE(got) << got.error().text;
    if (!got) break;
    EXPECT_LE(got->rows.size(), page);
    all.insert(all.end(), got->rows.begin(), got->rows.end());
    if (got->end) break;
  }
  return all;
}

void StoreConformance::expect_gone(QueueId id) {
  auto kind = [](const auto& result) { return result ? "there" : std::string(name(result.error().kind)); };
  const std::string gone = name(ErrorKind::kNotFound);
  EXPECT_EQ(kind(store().message(id)), gone);
  EXPECT_EQ(kind(store().header(id)), gone);
  EXPECT_EQ(kind(store().body_chunk(id, 0, 0)), gone);
  EXPECT_EQ(kind(store().recipients(id)), gone);
  EXPECT_EQ(kind(store().attempts(id)), gone);
  auto found = store().find({}, QueueId{id.value - 1}, 1);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->empty() || found->front().message.id != id);
}

void StoreConformance::expect_whole(const Accept& accept) {
  const Message& sent = *accept.message;
  auto message = store().message(sent.id);
  ASSERT_TRUE(message) << message.error().text;
  EXPECT_EQ(message->id, sent.id);
  EXPECT_EQ(message->envelope, sent.envelope);
  EXPECT_EQ(message->origin, sent.origin);
  EXPECT_EQ(message->classes, sent.classes);
  EXPECT_EQ(message->body_size, sent.body_size);
  EXPECT_EQ(message->body_hash_simple, sent.body_hash_simple);
  EXPECT_EQ(message->message_id, sent.message_id);
  auto header = store().header(sent.id);
  ASSERT_TRUE(header) << header.error().text;
  EXPECT_EQ(*header, accept.header);
  std::string body;
  for (std::uint32_t n = 0; n < message->chunks; ++n) {
    auto chunk = store().body_chunk(sent.id, message->generation, n);
    ASSERT_TRUE(chunk) << chunk.error().text;
    EXPECT_TRUE(n + 1 == message->chunks || chunk->size() == kChunkSize);
    body += *chunk;
  }
  EXPECT_EQ(body, accept.body);
}

namespace {

TEST_P(StoreConformance, AcceptedIsThereByteExact) {
  std::string octets;
  for (int i = 0; i < 256; ++i) octets.push_back(static_cast<char>(i));
  for (const Sample& s : {Sample{.id = 1}, Sample{.id = 2, .header = "", .body = ""}, Sample{.id = 3, .body = octets},
                          Sample{.id = 4, .from = "", .to = {"a@x", "b@y", "c@z"}, .own_classes = true},
                          Sample{.id = 5, .body = std::string(kChunkSize, 'a')},
                          Sample{.id = 6, .body = std::string(2 * kChunkSize + 17, 'b')}}) {
    Accept accept = sample(s);
    ASSERT_TRUE(commit_and_wait(store(), Accept(accept)));
    expect_whole(accept);
    if (under_test_->reopen()) expect_whole(accept);
  }
  EXPECT_EQ(store().highest_id(), sample_id(6));
}

TEST_P(StoreConformance, UnknownIsNotFound) {
  expect_gone(sample_id(99));
}

TEST_P(StoreConformance, StreamedMessage) {
  Accept accept = sample({.id = 1, .body = std::string(2 * kChunkSize, 'x') + "end"});
  const std::string whole = accept.body;
  for (std::uint32_t n = 0; n < 2; ++n) {
    ASSERT_TRUE(commit_and_wait(store(), PutChunk{sample_id(1), 0, n, whole.substr(n * kChunkSize, kChunkSize)}));
  }
  EXPECT_FALSE(store().message(sample_id(1)));  // not yet a message
  EXPECT_TRUE(claim_all().empty());
  Accept last = accept;
  last.body = "end";
  last.first_chunk = 2;
  ASSERT_TRUE(commit_and_wait(store(), std::move(last)));
  expect_whole(accept);
  ASSERT_TRUE(commit_and_wait(store(), Discard{sample_id(1)}));  // too late: it is a message now
  expect_whole(accept);
  if (under_test_->reopen()) expect_whole(accept);
  claim_all();
  ASSERT_TRUE(commit_and_wait(store(), finished(1)));
  expect_gone(sample_id(1));
  EXPECT_FALSE(store().body_chunk(sample_id(1), 0, 1));
}

TEST_P(StoreConformance, NewGenerationOfAStreamedBody) {
  ASSERT_TRUE(commit_and_wait(store(), PutChunk{sample_id(1), 0, 0, std::string(kChunkSize, 'a')}));
  ASSERT_TRUE(commit_and_wait(store(), PutChunk{sample_id(1), 1, 0, std::string(kChunkSize, 'b')}));
  Accept accept = sample({.id = 1, .body = std::string(kChunkSize, 'b') + "c"});
  auto message = std::make_shared<Message>(*accept.message);
  message->generation = 1;
  accept.message = message;
  Accept last = accept;
  last.body = "c";
  last.first_chunk = 1;
  ASSERT_TRUE(commit_and_wait(store(), std::move(last)));
  expect_whole(accept);
  EXPECT_FALSE(store().body_chunk(sample_id(1), 0, 0));  // the old body is gone
}

TEST_P(StoreConformance, ANewBodyThatIsNotWantedLeavesTheOldOne) {
  for (std::uint32_t n = 0; n < 2; ++n) {
    ASSERT_TRUE(commit_and_wait(store(), PutChunk{sample_id(1), 0, n, std::string(kChunkSize, 'a')}));
  }
  ASSERT_TRUE(commit_and_wait(store(), PutChunk{sample_id(1), 1, 0, std::string(kChunkSize, 'b')}));
  EXPECT_EQ(store().body_chunk(sample_id(1), 0, 1).value_or(""), std::string(kChunkSize, 'a'));
  EXPECT_EQ(store().body_chunk(sample_id(1), 1, 0).value_or(""), std::string(kChunkSize, 'b'));
  Accept accept = sample({.id = 1, .body = std::string(2 * kChunkSize, 'a') + "c"});
  Accept last = accept;
  last.body = "c";
  last.first_chunk = 2;
  ASSERT_TRUE(commit_and_wait(store(), std::move(last)));
  expect_whole(accept);
  EXPECT_FALSE(store().body_chunk(sample_id(1), 1, 0));
}

TEST_P(StoreConformance, ASmallNewBodyTakesTheChunksAway) {
  ASSERT_TRUE(commit_and_wait(store(), PutChunk{sample_id(1), 0, 0, std::string(kChunkSize, 'a')}));
  Accept accept = sample({.id = 1, .body = "\r\nsmall\r\n"});
  auto message = std::make_shared<Message>(*accept.message);
  message->generation = 1;
  accept.message = message;
  Accept given = accept;
  ASSERT_TRUE(commit_and_wait(store(), std::move(given)));
  expect_whole(accept);
  EXPECT_FALSE(store().body_chunk(sample_id(1), 0, 0));
}

TEST_P(StoreConformance, DiscardedStreamLeavesNothing) {
  for (std::uint32_t n = 0; n < 3; ++n) {
    ASSERT_TRUE(commit_and_wait(store(), PutChunk{sample_id(1), 0, n, std::string(kChunkSize, 'a')}));
  }
  ASSERT_TRUE(commit_and_wait(store(), Discard{sample_id(1)}));
  for (std::uint32_t n = 0; n < 3; ++n) EXPECT_FALSE(store().body_chunk(sample_id(1), 0, n));
  ASSERT_TRUE(commit_and_wait(store(), Discard{sample_id(1)}));
  Accept last = sample({.id = 1});
  last.first_chunk = 3;
  EXPECT_FALSE(commit_and_wait(store(), std::move(last)));  // its chunks are not there
  expect_gone(sample_id(1));
}

TEST_P(StoreConformance, ChunkOutOfOrderIsRefused) {
  EXPECT_FALSE(commit_and_wait(store(), PutChunk{sample_id(1), 0, 1, "x"}));
  ASSERT_TRUE(commit_and_wait(store(), PutChunk{sample_id(2), 0, 0, "x"}));
  EXPECT_FALSE(commit_and_wait(store(), PutChunk{sample_id(2), 0, 0, "x"}));
}

TEST_P(StoreConformance, StreamUnderWayIsGarbageAfterReopening) {
  ASSERT_TRUE(commit_and_wait(store(), PutChunk{sample_id(1), 0, 0, std::string(kChunkSize, 'a')}));
  ASSERT_TRUE(commit_and_wait(store(), sample({.id = 2})));
  if (!under_test_->reopen()) GTEST_SKIP() << "skipped: this body does not last";
  ASSERT_TRUE(commit_and_wait(store(), sample({.id = 3})));  // behind the sweep
  EXPECT_FALSE(store().body_chunk(sample_id(1), 0, 0));
  EXPECT_TRUE(store().message(sample_id(2)));
}

RecipientRow recipient_row(std::uint32_t n, RecipientState state) {
  return {.n = n,
          .state = state,
          .attempts = 2,
          .delay_reported = true,
          .uncertain = true,
          .last_reply = "450 4.2.1 later",
          .last_host = "mx.example",
          .last_at = WallTime(Duration(5))};
}

TEST_P(StoreConformance, OutcomeWritesItsRows) {
  ASSERT_TRUE(commit_and_wait(store(), sample({.id = 1, .to = {"a@x", "b@y"}, .own_classes = true})));
  Outcome outcome = outcome_of(1);
  outcome.recipients = {recipient_row(0, RecipientState::kDelivered), recipient_row(1, RecipientState::kPending)};
  outcome.due = {
      {.id = sample_id(1), .class_id = 2, .due = WallTime(Duration(77)), .attempts = 1, .priority = 3, .held = true}};
  outcome.due_removed = {1};
  outcome.attempt = AttemptRow{.at = WallTime(Duration(9)),
                               .way = "isp",
                               .address = "192.0.2.1:587",
                               .phase = "rcpt",
                               .reply = "450 later",
                               .meaning = "deferred",
                               .uncertain = true,
                               .next = WallTime(Duration(77)),
                               .recipients = {0, 1}};
  auto check = [&](std::size_t attempts) {
    auto rows = store().recipients(sample_id(1));
    ASSERT_TRUE(rows);
    ASSERT_EQ(rows->size(), 2u);
    EXPECT_EQ((*rows)[0].state, RecipientState::kDelivered);
    EXPECT_EQ((*rows)[1].last_reply, "450 4.2.1 later");
    EXPECT_TRUE((*rows)[1].uncertain && (*rows)[1].delay_reported);
    EXPECT_EQ((*rows)[1].attempts, 2);
    auto tried = store().attempts(sample_id(1));
    ASSERT_TRUE(tried);
    ASSERT_EQ(tried->size(), attempts);
    EXPECT_EQ((*tried)[0].address, "192.0.2.1:587");
    EXPECT_EQ((*tried)[0].next, WallTime(Duration(77)));
    EXPECT_EQ((*tried)[0].recipients, (std::vector<std::uint32_t>{0, 1}));
    auto found = store().find({}, {}, 10);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 1u);
    ASSERT_EQ((*found)[0].due.size(), 1u);
    EXPECT_EQ((*found)[0].due[0].class_id, 2u);
    EXPECT_EQ((*found)[0].due[0].due, WallTime(Duration(77)));
    EXPECT_EQ((*found)[0].due[0].priority, 3);
    EXPECT_TRUE((*found)[0].due[0].held);
  };
  ASSERT_TRUE(commit_and_wait(
      store(),
      Change(Outcome{outcome.id, outcome.recipients, outcome.due, outcome.due_removed, outcome.attempt, false, {}})));
  check(1);
  ASSERT_TRUE(commit_and_wait(store(), std::move(outcome)));
  check(2);
  if (under_test_->reopen()) check(2);
  claim_all();
  ASSERT_TRUE(commit_and_wait(store(), finished(1)));
  expect_gone(sample_id(1));
  EXPECT_TRUE(claim_all().empty());
}

TEST_P(StoreConformance, FinishedRemovesAllRows) {
  for (std::uint64_t id = 1; id <= 20; ++id) {
    ASSERT_TRUE(commit_and_wait(store(), sample({.id = id, .body = std::string(id * 40'000, 'x')})));
  }
  if (under_test_->reopen()) ASSERT_TRUE(store().message(sample_id(7)));
  claim_all();
  for (std::uint64_t id = 1; id <= 20; ++id) {
    ASSERT_TRUE(commit_and_wait(store(), finished(id)));
    expect_gone(sample_id(id));
    EXPECT_EQ(commit_and_wait(store(), finished(id)).error().kind, ErrorKind::kNotFound);
  }
  if (under_test_->reopen()) {
    auto found = store().find({}, {}, 100);
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->empty());
    EXPECT_GE(store().highest_id(), sample_id(20));  // ids are not given twice
  }
}

TEST_P(StoreConformance, FailureAndReportsAreOneWrite) {
  ASSERT_TRUE(commit_and_wait(store(), sample({.id = 1})));
  Accept report = sample({.id = 2, .from = "", .to = {"sender@example.org"}, .body = "\r\nit failed\r\n"});
  Accept other = sample({.id = 4, .from = "", .to = {"owner@example.org"}});
  Outcome outcome = finished(1);
  outcome.reports = {report, other};
  ASSERT_TRUE(commit_and_wait(store(), std::move(outcome)));
  expect_gone(sample_id(1));
  expect_whole(report);
  expect_whole(other);
  // The message is gone: nothing of this outcome is taken, its report neither.
  Outcome late = finished(1);
  late.reports.push_back(sample({.id = 3, .from = ""}));
  EXPECT_EQ(commit_and_wait(store(), std::move(late)).error().kind, ErrorKind::kNotFound);
  expect_gone(sample_id(3));
  if (under_test_->reopen()) expect_whole(report);
}

TEST_P(StoreConformance, RemoveByTheOperator) {
  ASSERT_TRUE(commit_and_wait(store(), sample({.id = 1, .to = {"a@x", "b@y"}, .own_classes = true})));
  ASSERT_TRUE(commit_and_wait(store(), Remove{sample_id(1)}));
  expect_gone(sample_id(1));
  EXPECT_EQ(commit_and_wait(store(), Remove{sample_id(1)}).error().kind, ErrorKind::kNotFound);
  // An attempt was under way: its outcome brings no row back.
  Outcome outcome = outcome_of(1);
  outcome.due = {{.id = sample_id(1), .class_id = 1}};
  outcome.recipients = {recipient_row(0, RecipientState::kPending)};
  EXPECT_EQ(commit_and_wait(store(), std::move(outcome)).error().kind, ErrorKind::kNotFound);
  expect_gone(sample_id(1));
  EXPECT_TRUE(claim_all().empty());
}

TEST_P(StoreConformance, ClaimPagesOverAllOnce) {
  for (std::uint64_t id = 1; id <= 25; ++id) {
    ASSERT_TRUE(commit_and_wait(store(), sample({.id = id, .to = {"a@x", "b@y"}, .own_classes = id % 2 == 0})));
  }
  under_test_->reopen();
  for (std::size_t page : {7, 100}) {
    auto rows = claim_all(page);
    std::set<std::pair<QueueId, ClassId>> seen;
    for (const auto& row : rows) EXPECT_TRUE(seen.emplace(row.id, row.class_id).second);
    if (page == 7) EXPECT_EQ(rows.size(), 13u + 24u);
    if (page == 100) EXPECT_TRUE(rows.empty());  // they are ours already
  }
}

// What a crash between two writes may leave behind is found after opening, whatever the size of a page.
TEST_P(StoreConformance, StraysAreFound) {
  for (std::uint64_t id = 1; id <= 6; ++id) {
    ASSERT_TRUE(commit_and_wait(store(), sample({.id = id, .to = {"a@x", "b@y"}, .own_classes = true})));
  }
  Outcome all_ended = outcome_of(2);
  all_ended.recipients = {recipient_row(0, RecipientState::kDelivered), recipient_row(1, RecipientState::kFailed)};
  all_ended.due_removed = {1, 2};
  Outcome one_ended = outcome_of(3);
  one_ended.recipients = {recipient_row(0, RecipientState::kDelivered)};
  one_ended.due_removed = {1};
  Outcome lost_its_row = outcome_of(4);
  lost_its_row.recipients = {recipient_row(1, RecipientState::kPending)};
  lost_its_row.recipients[0].attempts = 5;
  lost_its_row.due_removed = {2};
  Outcome lost_all = outcome_of(6);
  lost_all.due_removed = {1, 2};
  for (Outcome* outcome : {&all_ended, &one_ended, &lost_its_row, &lost_all}) {
    ASSERT_TRUE(commit_and_wait(store(), std::move(*outcome)));
  }
  ASSERT_TRUE(commit_and_wait(store(), finished(5)));
  under_test_->reopen();
  auto all_strays = [&](std::size_t page_size) {
    std::vector<Stray> found;
    QueueId after;
    for (int i = 0; i < 20; ++i) {
      auto page = store().strays(after, page_size);
      EXPECT_TRUE(page);
      if (!page) break;
      found.insert(found.end(), page->strays.begin(), page->strays.end());
      after = page->last;
      if (page->end) return found;
    }
    ADD_FAILURE() << "no end";
    return found;
  };
  for (std::size_t page_size : {1, 2, 100}) {
    auto found = all_strays(page_size);
    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(found[0].id, sample_id(2));
    EXPECT_TRUE(found[0].ended && found[0].missing.empty());
    EXPECT_EQ(found[1].id, sample_id(4));
    EXPECT_FALSE(found[1].ended);
    EXPECT_EQ(found[1].missing, std::vector<ClassId>{2});
    EXPECT_EQ(found[1].attempts, 5);
    EXPECT_EQ(found[2].missing, (std::vector<ClassId>{1, 2}));
  }
  claim_all();
  ASSERT_TRUE(commit_and_wait(store(), finished(2)));
  Outcome again = outcome_of(4);
  again.due = {{.id = sample_id(4), .class_id = 2}};
  ASSERT_TRUE(commit_and_wait(store(), std::move(again)));
  ASSERT_TRUE(commit_and_wait(store(), Remove{sample_id(6)}));
  EXPECT_TRUE(all_strays(100).empty());
}

TEST_P(StoreConformance, Classes) {
  std::vector<ClassRow> rows = {{1, {"example.com", "u", "u", "submission"}}, {2, {"example.net", "", "", "smtp"}}};
  ASSERT_TRUE(commit_and_wait(store(), Intern{rows}));
  ASSERT_TRUE(commit_and_wait(store(), sample({.id = 1, .to = {"a@x", "b@y"}, .own_classes = true})));
  under_test_->reopen();
  auto classes = store().classes();
  ASSERT_TRUE(classes);
  ASSERT_EQ(classes->size(), 2u);
  std::ranges::sort(*classes, {}, &ClassRow::id);
  EXPECT_EQ((*classes)[0].key, rows[0].key);
  EXPECT_EQ((*classes)[1].key, rows[1].key);
}

TEST_P(StoreConformance, NotesOfOtherRooms) {
  for (const char* name : {"user/b", "user/a", "way/a", "user/gone"})
    ASSERT_TRUE(commit_and_wait(store(), Note{name, std::string("\0x", 2) + name}));
  ASSERT_TRUE(commit_and_wait(store(), Note{"user/a", "anew"}));
  ASSERT_TRUE(commit_and_wait(store(), Note{"user/gone", ""}));
  ASSERT_TRUE(commit_and_wait(store(), Note{"user/never", ""}));
  under_test_->reopen();
  auto notes = store().notes("user/");
  ASSERT_TRUE(notes);
  ASSERT_EQ(notes->size(), 2u);
  EXPECT_EQ((*notes)[0].key, "user/a");
  EXPECT_EQ((*notes)[0].value, "anew");
  EXPECT_EQ((*notes)[1].value, std::string("\0x", 2) + "user/b");
  EXPECT_EQ(store().notes("way/")->size(), 1u);
}

TEST_P(StoreConformance, FindFiltersAndPages) {
  for (std::uint64_t id = 1; id <= 9; ++id) {
    Sample s{.id = id, .to = {id % 3 == 0 ? "Third@Example.NET" : "user@example.com", "other@sub.example.org"}};
    s.from = id % 2 ? "odd@a.example" : "";
    ASSERT_TRUE(commit_and_wait(store(), sample(s)));
  }
  struct Case {
    Filter filter;
    std::size_t expected;
  };
  for (const auto& [filter, expected] :
       {Case{{}, 9}, Case{{.to = "@example.net", .from = ""}, 3}, Case{{.to = "third", .from = ""}, 3},
        Case{{.to = "", .from = "ODD@"}, 5}, Case{{.to = "", .from = "<>"}, 4},
        Case{{.to = "@example.org", .from = ""}, 0}, Case{{.to = "@sub.example.org", .from = "odd"}, 5},
        Case{{.to = "nobody", .from = ""}, 0}}) {
    std::vector<QueueId> found;
    QueueId after;
    for (int i = 0; i < 20; ++i) {
      auto page = store().find(filter, after, 2);
      ASSERT_TRUE(page);
      EXPECT_LE(page->size(), 2u);
      for (const auto& row : *page) {
        EXPECT_GT(row.message.id, after);
        after = row.message.id;
        found.push_back(after);
        EXPECT_EQ(row.due.size(), 1u);
      }
      if (page->empty()) break;
    }
    EXPECT_EQ(found.size(), expected) << filter.to << "/" << filter.from;
  }
}

TEST_P(StoreConformance, OneCallersChangesKeepTheirOrder) {
  Answers answers;
  const std::uint64_t n = 200;
  for (std::uint64_t id = 1; id <= n; ++id) {
    bool two = id % 2 == 0;
    store().commit(sample({.id = id, .to = {"a@x", "b@y"}, .own_classes = two}), answers.next());
    Outcome outcome = outcome_of(id);
    outcome.recipients = {recipient_row(0, RecipientState::kDelivered)};
    store().commit(std::move(outcome), answers.next());
    store().commit(finished(id), answers.next());
  }
  for (const auto& status : answers.wait()) EXPECT_TRUE(status) << status.error().text;
  auto order = answers.order();
  EXPECT_TRUE(std::ranges::is_sorted(order));
  auto found = store().find({}, {}, 10);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->empty());
  EXPECT_TRUE(claim_all().empty());
}

TEST_P(StoreConformance, ManyCallersAtOnce) {
  Answers answers;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 100; ++i) store().commit(sample({.id = 1 + t * 1000 + i}), answers.next());
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& status : answers.wait()) EXPECT_TRUE(status) << status.error().text;
  auto found = store().find({}, {}, 1000);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), 400u);
}

TEST_P(StoreConformance, MayAcceptWhileAllIsWell) {
  EXPECT_TRUE(store().may_accept(1000));
  EXPECT_EQ(store().state(), StoreState::kOpen);
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(RocksDb, StoreConformance, ::testing::Values(rocksdb_body(), memory_body()),
                         [](const auto& info) { return info.param.name; });
void PrintTo(const Body& body, std::ostream* out) {
  *out << body.name;
}

}  // namespace sidegate::queue
