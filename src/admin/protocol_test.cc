#include "admin/protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sidegate::admin::protocol_test {
namespace {

TEST(Protocol, ARequestComesBackAsItWas) {
  Request r;
  r.verb = Verb::kDelete;
  r.selection = {true, {"0DPQJXK3G8001", "x\"y\n"}, "@example.org", "me", "isp"};
  r.dry_run = true;
  r.limit = 7;
  r.domain = "example.net";
  const std::string line = request_line(r);
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
  auto back = parse_request(line);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->verb, Verb::kDelete);
  EXPECT_EQ(back->selection.ids, r.selection.ids);
  EXPECT_EQ(back->selection.to, "@example.org");
  EXPECT_EQ(back->selection.relay, "isp");
  EXPECT_TRUE(back->selection.all && back->dry_run);
  EXPECT_EQ(back->limit, 7u);
  EXPECT_EQ(back->domain, "example.net");
}

TEST(Protocol, BadRequestsAreErrors) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "JSON object"},
      {"[]", "JSON object"},
      {"{", "JSON object"},
      {"{\"command\":5}", "must be text"},
      {"{\"command\":\"queue.lst\"}", "did you mean queue.list"},
      {"{\"command\":\"status\",\"ids\":\"x\"}", "must be a list"},
      {"{\"command\":\"status\",\"ids\":[1]}", "list of texts"},
      {"{\"command\":\"status\",\"all\":1}", "true or false"},
      {"{\"command\":\"status\",\"limit\":-1}", "whole number"},
  };
  for (const auto& [line, expected] : cases) {
    auto request = parse_request(line);
    ASSERT_FALSE(request) << line;
    EXPECT_THAT(request.error().text, testing::HasSubstr(expected)) << line;
  }
  EXPECT_FALSE(parse_request(std::string(100'000, '[')));
}

TEST(Protocol, Answers) {
  auto row = parse_answer(row_line("{\"id\":\"x\"}"));
  ASSERT_TRUE(row);
  EXPECT_EQ(row->kind, Answer::Kind::kRow);
  EXPECT_EQ(row->json, "{\"id\":\"x\"}");
  auto error = parse_answer(error_line({ErrorKind::kNotFound, "no\nsuch"}));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, Answer::Kind::kError);
  EXPECT_EQ(error->error.kind, ErrorKind::kNotFound);
  EXPECT_EQ(parse_answer(done_line("{}"))->kind, Answer::Kind::kDone);
  for (const char* line : {"", "{}", "{\"rows\":1}", "{\"error\":5}", "nonsense"})
    EXPECT_FALSE(parse_answer(line)) << line;
}

}  // namespace
}  // namespace sidegate::admin::protocol_test
