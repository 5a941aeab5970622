// For tests: an Asker that answers at once from a table. Names are asked for as they are; a PTR by its address.
#pragma once

#include <map>

#include "screen/asker.h"

namespace sidegate::screen {

class TableAsker final : public Asker {
 public:
  std::map<std::string, std::vector<std::string>> table;  // "a.example A", "192.0.2.1 PTR"; absent: there is none
  std::map<std::string, ErrorKind> trouble;               // these cannot be answered now
  std::vector<std::string> asked;

  net::Awaitable<Found> records(net::Loop&, std::string name, dns::RecordType type, Duration) override {
    const char* word = type == dns::RecordType::kA      ? " A"
                       : type == dns::RecordType::kAaaa ? " AAAA"
                       : type == dns::RecordType::kMx   ? " MX"
                                                        : " TXT";
    co_return answer(name + word);
  }
  net::Awaitable<Found> names(net::Loop&, std::string address, Duration) override {
    co_return answer(address + " PTR");
  }

 private:
  Found answer(const std::string& key) {
    asked.push_back(key);
    if (auto at = trouble.find(key); at != trouble.end()) return fail(at->second, "no answer about " + key);
    if (auto at = table.find(key); at != table.end()) return at->second;
    return fail(ErrorKind::kNotFound, "there is no " + key);
  }
};

// Runs a loop on this thread until `work` has ended; what others wait for goes on meanwhile.
inline void run_on(net::Loop& loop, net::Awaitable<void> work) {
  auto stopping = [](net::Loop* on, net::Awaitable<void> inner) -> net::Awaitable<void> {
    co_await std::move(inner);
    on->stop();
  };
  loop.spawn("test", stopping(&loop, std::move(work)));
  loop.run();
}

}  // namespace sidegate::screen
