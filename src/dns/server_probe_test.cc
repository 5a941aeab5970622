#include "dns/server_probe.h"

#include <gtest/gtest.h>

namespace sidegate::dns::server_probe_test {
namespace {

using namespace std::string_literals;

std::string header(std::uint16_t flags, int questions, int answers, int more) {
  std::string out = "\x12\x34"s;
  out += {static_cast<char>(flags >> 8), static_cast<char>(flags)};
  for (int n : {questions, answers, 0, more}) out += {'\0', static_cast<char>(n)};
  return out;
}
const std::string kQuestion = "\0\0\6\0\1"s;
const std::string kSoaRecord = "\0\0\6\0\1\0\0\0\1\0\3abc"s;
const std::string kRrsigRecord = "\0\0\56\0\1\0\0\0\1\0\2xy"s;
const std::string kOptRecord = "\0\0\51\4\xd0\0\0\x80\0\0\0"s;

TEST(ServerProbe, ReadsWhatMatters) {
  auto rich = read_root_answer(header(0x81a0, 1, 2, 1) + kQuestion + kSoaRecord + kRrsigRecord + kOptRecord, 0x1234);
  ASSERT_TRUE(rich);
  EXPECT_TRUE(rich->edns && rich->signatures && rich->authentic);
  EXPECT_EQ(rich->rcode, 0);
  auto poor = read_root_answer(header(0x8180, 1, 1, 0) + kQuestion + kSoaRecord, 0x1234);
  ASSERT_TRUE(poor);
  EXPECT_FALSE(poor->edns || poor->signatures || poor->authentic);
  auto refused = read_root_answer(header(0x8185, 0, 0, 0), 0x1234);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->rcode, 5);
}

TEST(ServerProbe, PassesOverWhatIsNoAnswer) {
  EXPECT_FALSE(read_root_answer(header(0x8180, 1, 0, 0), 0x4321)) << "another question's";
  EXPECT_FALSE(read_root_answer(header(0x0100, 1, 0, 0), 0x1234)) << "a question";
  EXPECT_FALSE(read_root_answer("short", 0x1234));
  // Cut anywhere: never more than what is there.
  const std::string whole = header(0x81a0, 1, 2, 1) + kQuestion + kSoaRecord + kRrsigRecord + kOptRecord;
  for (std::size_t n = 0; n < whole.size(); ++n) {
    auto cut = read_root_answer(std::string_view(whole).substr(0, n), 0x1234);
    EXPECT_TRUE(!cut || !cut->edns) << n;
  }
}

TEST(ServerProbe, Asks) {
  EXPECT_EQ(make_root_question(0x1234, false), "\x12\x34\1\0\0\1\0\0\0\0\0\0\0\0\6\0\1"s);
  EXPECT_EQ(make_root_question(0x1234, true), "\x12\x34\1\x20\0\1\0\0\0\0\0\1\0\0\6\0\1\0\0\51\4\xd0\0\0\x80\0\0\0"s);
}

TEST(ServerProbe, NoAddress) {
  EXPECT_FALSE(probe_server("not a server", Duration(100)).answers);
}

}  // namespace
}  // namespace sidegate::dns::server_probe_test
