#include "cli/senders.h"

#include <gtest/gtest.h>

namespace sidegate::cli::senders_test {
namespace {

std::string senders(const std::string& block, const std::string& more = {}) {
  config::LoadRequest request;
  request.path = "test";
  request.system_name = "box.home.example";
  request.text = more + "[[relay]]\nname = \"isp\"\nhost = \"smtp.isp.example\"\npassword = \"x\"\n" + block;
  request.open_files = false;
  auto loaded = config::load(request);
  if (!loaded) return loaded.error().front().what;
  std::string out;
  for (const Sender& sender : senders_by(*loaded, loaded->settings.deliver.relays.at(0)))
    out += (out.empty() ? "" : " ") + sender.address + (sender.guessed ? "?" : "");
  return out;
}

TEST(Senders, TheAccountsOwnFirst) {
  struct {
    const char *block, *more, *want;
  } cases[] = {
      {"user = \"me@isp.example\"\n", "", "me@isp.example postmaster@box.home.example?"},
      {"user = \"me\"\naddress = \"me@isp.example\"\nidentity = \"account\"\n", "", "me@isp.example"},
      {"user = \"me@isp.example\"\nallowed = [\"you@isp.example\", \"@own.example\"]\n", "",
       "me@isp.example you@isp.example postmaster@own.example"},
      {"user = \"me@isp.example\"\n", "local_domains = [\"own.example\"]\n", "me@isp.example postmaster@own.example"},
      {"user = \"me@isp.example\"\n", "local_domains = [\"localhost.own.example\"]\nhostname = \"a.own.example\"\n",
       "me@isp.example root@a.own.example?"},
  };
  for (const auto& c : cases) EXPECT_EQ(senders(c.block, c.more), c.want) << c.block << c.more;
}

}  // namespace
}  // namespace sidegate::cli::senders_test
