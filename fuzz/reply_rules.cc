// Rules of what replies mean, and the replies they are tried on: whatever both are, a rule is found, the same each
// time, and it does fit. A rule that was read comes out of what it says again.
#include <string_view>

#include "base/text.h"
#include "check.h"
#include "provider/reply_table.h"

using namespace sidegate;
using namespace sidegate::provider;

namespace {

void look(const ReplyTable& table, Stage stage, const mail::Reply& reply) {
  const Rule& rule = table.find(stage, reply, "gmail");
  SIDEGATE_CHECK(&rule == &table.find(stage, reply, "gmail"));
  if (reply.positive()) {
    SIDEGATE_CHECK(rule.meaning == Meaning::kDelivered);
  } else {
    const std::string status = reply.status ? reply.status->text() : "";
    SIDEGATE_CHECK(reply.code < 200 || fits(rule, stage, reply.code, status, ' ' + lower(reply.text())) ||
                   (rule.words.empty() && rule.status.empty()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto end = input.find('\0');
  std::vector<Rule> own;
  if (auto rules = parse_rules(input.substr(0, end))) own = std::move(*rules);
  if (own.size() > 64) own.resize(64);
  for (const Rule& rule : own) SIDEGATE_CHECK(facts_of_word(facts(rule.meaning).word) != nullptr);
  const ReplyTable table(std::move(own));
  if (end == std::string_view::npos) return 0;
  mail::ReplyParser parser;
  for (std::string_view line : split(input.substr(end + 1), '\n')) {
    auto step = parser.push(line);
    if (!step) return 0;
    if (*step != mail::ReplyParser::Step::kDone) continue;
    const mail::Reply reply = parser.take();
    for (Stage stage : {kGreeting, kEhlo, kStartTls, kAuth, kMail, kRcpt, kData, kFinal}) look(table, stage, reply);
  }
  return 0;
}
