// What administrators have configured elsewhere can be said in our configuration: relays, TLS, mechanisms, listeners
// and networks of a collection of real cases, where it is at hand (SIDEGATE_CASES).
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/load.h"
#include "config/test_load.h"

#ifndef SIDEGATE_SOURCE_DIR
#define SIDEGATE_SOURCE_DIR "."
#endif

namespace sidegate::config::corpus_test {
namespace {

namespace json = boost::json;

std::string word(const json::object& o, const char* key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_string() ? std::string(v->as_string()) : std::string();
}

std::vector<std::string> words(const json::object& o, const char* key) {
  std::vector<std::string> out;
  const json::value* list = o.if_contains(key);
  if (list == nullptr || !list->is_array()) return out;
  for (const json::value& v : list->as_array()) {
    if (v.is_string()) out.emplace_back(v.as_string());
  }
  return out;
}

std::string quoted_list(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const std::string& one : list) out.append(out.size() > 1 ? ", \"" : "\"").append(one).append("\"");
  return out + "]";
}

bool is_numeric(const std::string& network) {
  return network.find_first_not_of("0123456789abcdef.:/") == network.npos &&
         network.find_first_of(".:") != network.npos;
}

// Values such as "<mail.domain.tld>" stand for something the file does not define.
bool is_concrete(const std::string& host) {
  return !host.empty() && host.find_first_of("<>$ {") == host.npos;
}

struct Wanted {
  std::string host, tls;
  std::uint16_t port = 0;
  std::vector<std::string> mechanisms;
  bool login = false, verify = true;
};

Wanted wanted_of(const json::object& relay) {
  Wanted w;
  w.host = word(relay, "host");
  if (const json::value* port = relay.if_contains("port"); port != nullptr && port->is_int64())
    w.port = static_cast<std::uint16_t>(port->as_int64());
  const std::string tls = word(relay, "tls");
  w.tls = tls.starts_with("implicit") ? "implicit" : tls == "none" ? "none" : "starttls";
  w.mechanisms = words(relay, "auth");
  w.login = !w.mechanisms.empty();
  if (w.login && w.mechanisms[0] == "any-offered") w.mechanisms.clear();
  if (const json::value* verify = relay.if_contains("tls_verify"); verify != nullptr && verify->is_bool())
    w.verify = verify->as_bool();
  return w;
}

std::string block_of(const Wanted& w) {
  std::string text = "[[relay]]\nhost = \"[" + w.host + "]:" + std::to_string(w.port) + "\"\ntls = \"" + w.tls + "\"\n";
  if (!w.verify && w.tls != "none") text += "tls_verify = false\n";
  if (!w.mechanisms.empty()) text += "mechanisms = " + quoted_list(w.mechanisms) + "\n";
  if (w.login) text += "user = \"u\"\npassword = \"p\"\n";
  return text;
}

void check_relay(const json::object& relay) {
  const Wanted w = wanted_of(relay);
  if (w.port == 0) return;
  auto loaded = load_text(block_of(w));
  if (!is_concrete(w.host)) {
    ASSERT_FALSE(loaded);
    EXPECT_NE(text_of(loaded.error()).find("f:2:"), std::string::npos);
    return;
  }
  ASSERT_TRUE(loaded) << text_of(loaded.error());
  const deliver::RelaySettings& got = loaded->settings.deliver.relays.at(0);
  EXPECT_EQ(got.host, w.host);
  EXPECT_EQ(got.port, w.port);
  using deliver::TlsMode;
  EXPECT_EQ(got.tls, w.tls == "implicit" ? TlsMode::kImplicit : w.tls == "none" ? TlsMode::kNone : TlsMode::kStartTls);
  EXPECT_EQ(got.mechanisms, w.mechanisms);
  // Promise 5: what would send a password to anybody is told at each check.
  const bool told = text_of(loaded->warnings).find("password") != std::string::npos;
  if (w.login && (w.tls == "none" || !w.verify)) {
    EXPECT_TRUE(told) << text_of(loaded->warnings);
  }
}

void check_networks(const json::object& expected) {
  std::vector<std::string> networks;
  for (const std::string& network : words(expected, "networks_allowed")) {
    if (is_numeric(network)) networks.push_back(network);
  }
  if (networks.empty()) return;
  auto loaded =
      load_text("[[listener]]\naddress = \"0.0.0.0\"\nport = 2525\nnetworks = " + quoted_list(networks) + "\n");
  ASSERT_TRUE(loaded) << text_of(loaded.error());
  EXPECT_EQ(loaded->settings.listeners.at(0).networks.size(), networks.size());
}

TEST(Corpus, WhatOthersConfigureCanBeSaid) {
  const char* cases = std::getenv("SIDEGATE_CASES");
  const std::filesystem::path folder =
      std::string(cases != nullptr ? cases : SIDEGATE_SOURCE_DIR "/../shared/cases") + "/configs";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "skipped: no " << folder;
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path() / "expected.json");
    if (!file) continue;
    SCOPED_TRACE(entry.path().filename().string());
    std::stringstream text;
    text << file.rdbuf();
    const json::value all = json::parse(text.str());
    ++seen;
    if (const json::value* relays = all.as_object().if_contains("relays"); relays != nullptr && relays->is_array()) {
      for (const json::value& relay : relays->as_array()) check_relay(relay.as_object());
    }
    check_networks(all.as_object());
  }
  EXPECT_GT(seen, 0);
}

}  // namespace
}  // namespace sidegate::config::corpus_test
