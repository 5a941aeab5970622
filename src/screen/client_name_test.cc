#include "screen/client_name.h"

#include <gtest/gtest.h>

#include "screen/table_asker.h"

namespace sidegate::screen::client_name_test {
namespace {

using Names = std::vector<std::string>;

net::Awaitable<void> find(Asker* asker, net::Loop* loop, std::string address, ClientName* out) {
  *out = co_await find_client_name(*asker, *loop, std::move(address), Duration(1000));
}

ClientName found(TableAsker& asker, const std::string& address) {
  ManualClock clock;
  net::Loop loop(0, clock, null_log());
  ClientName out;
  run_on(loop, find(&asker, &loop, address, &out));
  return out;
}

TEST(ClientName, IsBelievedWhenItLeadsBack) {
  struct {
    const char *why, *address;
    Names ptr;
    std::map<std::string, Names> forward;
    std::map<std::string, ErrorKind> trouble;
    const char *verified, *shown;
    Reverse reverse;
  } cases[] = {
      {"it does",
       "192.0.2.1",
       {"mx.example"},
       {{"mx.example A", {"192.0.2.9", "192.0.2.1"}}},
       {},
       "mx.example",
       "mx.example",
       Reverse::kConfirmed},
      {"over IPv6, however written",
       "2001:db8::1",
       {"mx.example"},
       {{"mx.example AAAA", {"2001:db8:0:0::1"}}, {"mx.example A", {"192.0.2.1"}}},
       {},
       "mx.example",
       "mx.example",
       Reverse::kConfirmed},
      {"the second name does",
       "192.0.2.1",
       {"a.example", "b.example"},
       {{"b.example A", {"192.0.2.1"}}},
       {},
       "b.example",
       "b.example",
       Reverse::kConfirmed},
      {"it leads elsewhere",
       "192.0.2.1",
       {"mx.example"},
       {{"mx.example A", {"192.0.2.2"}}},
       {},
       "",
       "mx.example",
       Reverse::kUnconfirmed},
      {"it leads nowhere", "192.0.2.1", {"mx.example"}, {}, {}, "", "mx.example", Reverse::kUnconfirmed},
      {"there is none", "192.0.2.1", {}, {}, {}, "", "", Reverse::kMissing},
      {"what stands there is no host name",
       "192.0.2.1",
       {"a b", "x\r\ny.example", "[192.0.2.1]", "192.0.2.1", "."},
       {},
       {},
       "",
       "",
       Reverse::kMissing},
      {"nobody can say", "192.0.2.1", {}, {}, {{"192.0.2.1 PTR", ErrorKind::kTimeout}}, "", "", Reverse::kUnknown},
      {"nobody can say where it leads",
       "192.0.2.1",
       {"mx.example"},
       {},
       {{"mx.example A", ErrorKind::kUnreachable}},
       "",
       "mx.example",
       Reverse::kUnknown},
  };
  for (const auto& c : cases) {
    TableAsker asker;
    if (!c.ptr.empty()) asker.table[std::string(c.address) + " PTR"] = c.ptr;
    for (const auto& [key, list] : c.forward) asker.table[key] = list;
    asker.trouble = c.trouble;
    ClientName name = found(asker, c.address);
    EXPECT_EQ(name.verified, c.verified) << c.why;
    EXPECT_EQ(name.ptr, c.shown) << c.why;
    EXPECT_EQ(name.reverse, c.reverse) << c.why;
  }
}

TEST(ClientName, FollowsFewNames) {
  TableAsker asker;
  for (int i = 0; i < 100; ++i) asker.table["192.0.2.1 PTR"].push_back("n" + std::to_string(i) + ".example");
  EXPECT_EQ(found(asker, "192.0.2.1").reverse, Reverse::kUnconfirmed);
  EXPECT_EQ(asker.asked.size(), 5u);
}

}  // namespace
}  // namespace sidegate::screen::client_name_test
