// SPF and DMARC records from anybody's DNS: each line is a record; those of SPF stand at example.com, a.example,
// b.example and so on. Whatever they say, an evaluation ends, asks nothing twice, and keeps to its limits.
#include <string>
#include <string_view>

#include "base/text.h"
#include "check.h"
#include "spf/dmarc.h"
#include "spf/evaluate.h"
#include "spf/macro.h"

using namespace sidegate;
using namespace sidegate::spf;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Answers known;
  std::string name = "example.com";
  char letter = 'a';
  for (std::string_view line : split(bytes, '\n')) {
    if (auto dmarc = parse_dmarc(line)) SIDEGATE_CHECK(is_dmarc(line));
    (void)organizational_domain(line);
    auto expanded = expand(line, {"a-b@example.com", "example.com", "2001:db8::1", "mail.example"});
    SIDEGATE_CHECK(expanded.has_value() == is_macro_string(line));
    if (letter > 'z') continue;
    Answer& answer = known[{Type::kTxt, name}];
    answer.kind = Answer::Kind::kFound;
    answer.list.emplace_back(line);
    name = std::string(1, letter++) + ".example";
  }
  for (const char* address : {"192.0.2.1", "2001:db8::1"}) {
    Answers all = known;
    unsigned asked = 0;
    for (;; ++asked) {
      const Evaluation e = evaluate({address, "example.com", "a-b@example.com", "mail.example"}, all);
      SIDEGATE_CHECK(e.lookups <= kMostLookups + 1);
      if (!e.needed) break;
      SIDEGATE_CHECK(!all.contains(*e.needed) && asked < kMostQuestions);
      Answer& answer = all[*e.needed];
      answer.kind = Answer::Kind::kFound;
      if (e.needed->type == Type::kMx || e.needed->type == Type::kPtr) {
        answer.list = {"a.example", "b.example"};
      } else if (e.needed->type != Type::kTxt) {
        answer.list = {e.needed->type == Type::kA ? "192.0.2.2" : "2001:db8::2"};
      }
    }
  }
  return 0;
}
