#include "dns/system_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "dns/files_on_disk.h"

namespace sidegate::dns::system_files_test {
namespace {

using Names = std::vector<std::string>;

TEST(ResolvConf, Parse) {
  ResolvConf conf = parse_resolv_conf(
      "# comment\nnameserver 192.0.2.53 # here\n nameserver\t2001:db8::53\nnameserver fe80::1%eth0\nnameserver "
      "nonsense\nnameserver\n"
      "domain old.example\nsearch A.example. b.example\noptions rotate ndots:5 timeout:1\n; nameserver 192.0.2.1\n");
  EXPECT_EQ(conf.servers, (Names{"192.0.2.53", "2001:db8::53", "fe80::1%eth0"}));
  EXPECT_EQ(conf.search, (Names{"a.example", "b.example"}));
  EXPECT_EQ(conf.ndots, 5u);
  EXPECT_EQ(parse_resolv_conf("").servers, Names{"127.0.0.1"});
  EXPECT_EQ(parse_resolv_conf("options ndots:x\nsearch .").ndots, 1u);
}

TEST(Hosts, Find) {
  constexpr std::string_view kHosts =
      "127.0.0.1 localhost\n::1 localhost ip6\n# 192.0.2.9 relay\n192.0.2.1\tRelay.Example relay # here\r\n2001:db8::1 "
      "relay.example.\nnonsense relay\n192.0.2.2 relay2 relay";
  EXPECT_EQ(find_in_hosts(kHosts, "relay"), (Names{"192.0.2.1", "192.0.2.2"}));
  EXPECT_EQ(find_in_hosts(kHosts, "relay.example"), (Names{"192.0.2.1", "2001:db8::1"}));
  EXPECT_EQ(find_in_hosts(kHosts, "rel"), Names{});
  EXPECT_EQ(find_in_hosts(kHosts, "here"), Names{});
  EXPECT_EQ(find_in_hosts("", "x"), Names{});
}

TEST(Hosts, NamesOfAnAddress) {
  constexpr std::string_view kText =
      "# 192.0.2.7 no\n 192.0.2.7  Printer.Lan. printer\n192.0.2.70 other\n2001:db8::1 six\n192.0.2.8\n";
  EXPECT_EQ(find_name_in_hosts(kText, "192.0.2.7"), "printer.lan");
  EXPECT_EQ(find_name_in_hosts(kText, "2001:DB8::1"), "six");
  EXPECT_EQ(find_name_in_hosts(kText, "192.0.2.8"), "");
  EXPECT_EQ(find_name_in_hosts(kText, "192.0.2"), "");
  EXPECT_EQ(find_name_in_hosts("", "192.0.2.7"), "");
}

TEST(Literal, Addresses) {
  struct Case {
    std::string_view in;
    const char* out;
  } cases[] = {{"192.0.2.1", "192.0.2.1"},
               {"[192.0.2.1]", "192.0.2.1"},
               {"2001:db8::1", "2001:db8::1"},
               {"[2001:db8::1]", "2001:db8::1"},
               {"[IPv6:2001:db8::1]", "2001:db8::1"},
               {"fe80::1%eth0", "fe80::1%eth0"},
               {"host", nullptr},
               {"192.0.2", nullptr},
               {"192.0.2.256", nullptr},
               {"", nullptr},
               {"[", nullptr},
               {"[]", nullptr},
               {"::1%", nullptr},
               {"192.0.2.1%eth0", nullptr}};
  for (const auto& c : cases) {
    auto address = literal_address(c.in);
    EXPECT_EQ(address.has_value(), c.out != nullptr) << c.in;
    if (address && c.out != nullptr) EXPECT_EQ(*address, c.out);
  }
  EXPECT_TRUE(is_localhost("LocalHost"));
  EXPECT_TRUE(is_localhost("a.localhost"));
  EXPECT_FALSE(is_localhost("mylocalhost"));
  EXPECT_FALSE(is_localhost(".localhost"));
}

TEST(Interleaved, SixFirst) {
  EXPECT_EQ(interleaved({"a:", "b:", "c:"}, {"1", "2"}), (Names{"a:", "1", "b:", "2", "c:"}));
  EXPECT_EQ(interleaved({}, {"1", "2", "1"}), (Names{"1", "2"}));
  EXPECT_EQ(interleaved({}, {}), Names{});
}

// Strangers make us ask for it with every connection: it is not read each time.
TEST(FileInMemory, IsReadAgainWhenItHasChanged) {
  const auto path = std::filesystem::temp_directory_path() / ("in_memory_" + std::to_string(::getpid()));
  std::filesystem::remove(path);
  const auto write = [&](const char* text) { std::ofstream(path) << text; };
  const SteadyTime start(std::chrono::hours(1));
  using std::chrono::seconds;
  FileInMemory file(path);
  EXPECT_EQ(*file.text(start), "");  // there is none
  write("one");
  EXPECT_EQ(*file.text(start + seconds(4)), "");
  const auto one = file.text(start + seconds(5));
  EXPECT_EQ(*one, "one");
  EXPECT_EQ(file.text(start + seconds(60)), one);  // the same octets
  write("another");
  EXPECT_EQ(*file.text(start + seconds(61)), "one");
  EXPECT_EQ(*file.text(start + seconds(66)), "another");
  std::filesystem::remove(path);
  EXPECT_EQ(*file.text(start + seconds(80)), "");
}

}  // namespace
}  // namespace sidegate::dns::system_files_test
