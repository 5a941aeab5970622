#include "drop/request.h"

#include <gtest/gtest.h>

namespace sidegate::drop::request_test {
namespace {

Request::State run(std::string_view text, Request& request) {
  Request::State state = Request::State::kMore;
  while (!text.empty() && state == Request::State::kMore) {
    const std::size_t end = text.find('\n');
    state = request.take(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return state;
}

const std::string kStart = "sidegate-drop 1\n";

TEST(Request, Good) {
  for (std::string_view text :
       {"from a@x\nto b@x\nmessage 5\n", "from \nto b\nto c\nmessage 0\n",
        "from a\nbody 8bitmime\nret full\nenvid x+20y\nsmtputf8 yes\nto b\nnotify success,failure\norcpt rfc822;b\nto "
        "c\nnotify never\nmessage 268435456\n",
        "from \xe5\xb1\xb1@x\nto \"j o\"@x\nmessage 1\n"}) {
    Request request;
    EXPECT_EQ(run(kStart + std::string(text), request), Request::State::kMessage) << text << request.why();
    EXPECT_EQ(request.lines(), text);
  }
}

TEST(Request, Bad) {
  const std::string cases[] = {"",
                               "from a\n",
                               "to b\n",
                               "from a\nmessage 1\n",
                               "from a\nfrom b\n",
                               "from a\nto b\nfrom c\n",
                               "from a\nto \n",
                               "from a\nto b\nbody 8bitmime\n",
                               "from a\nbody x\n",
                               "from a\nret x\n",
                               "from a\nret full\nret hdrs\n",
                               "from a\nnotify never\n",
                               "from a\nto b\nnotify never,success\n",
                               "from a\nto b\nnotify success,\n",
                               "from a\nto b\nnotify \n",
                               "from a\nto b\nnotify never\nnotify never\n",
                               "from a\nto b\norcpt x\norcpt y\n",
                               "from a\nto b\nmessage 268435457\n",
                               "from a\nto b\nmessage -1\n",
                               "from a\nto b\nmessage \n",
                               "from a\nto b\nmessage 99999999999\n",
                               "from a\rb\n",
                               "from a\tb\n",
                               std::string("from a\0b\n", 9),
                               "uid 0\n",
                               "from a\nuid 0\n",
                               "from a\ntime 1\n",
                               "from a\nx y\n",
                               "from a\n\n",
                               "from " + std::string(kMaxLine, 'a') + "\n",
                               "from a\nenvid \n",
                               "from a\nsmtputf8 no\n",
                               "from\n"};
  for (const std::string& text : cases) {
    Request request;
    const Request::State state = run(kStart + text, request);
    EXPECT_NE(state, Request::State::kMessage) << text;
    if (!text.empty() && text != "from a\n") EXPECT_EQ(state, Request::State::kBad) << text;
  }
  Request other;
  EXPECT_EQ(other.take("sidegate-drop 2"), Request::State::kBad);
}

TEST(Request, IsBounded) {
  Request request;
  ASSERT_EQ(run(kStart + "from a\n", request), Request::State::kMore);
  std::size_t taken = 0;
  while (request.take("to " + std::string(1000, 'b')) == Request::State::kMore) ASSERT_LT(++taken, 2000u);
  EXPECT_LE(request.lines().size(), kMaxEnvelope);
}

}  // namespace
}  // namespace sidegate::drop::request_test
