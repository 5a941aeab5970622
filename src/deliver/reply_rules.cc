#include "deliver/reply_rules.h"

#include <algorithm>

#include "base/text.h"

namespace sidegate::deliver {

Result<provider::Rule> rule_of(const ReplyRule& block, std::size_t number) {
  provider::RuleText text{block.provider, fmt::format("{}", fmt::join(block.stages, ",")),
                          block.code,     block.status,
                          block.text,     block.meaning};
  auto rule = provider::make_rule(text);
  if (rule) rule->from = fmt::format("[[reply]] {}", number);
  return rule;
}

std::shared_ptr<const provider::ReplyTable> replies_for(const std::vector<ReplyRule>& blocks, const std::string& way) {
  std::vector<provider::Rule> rules;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto& ways = blocks[i].ways;
    const bool concerned = ways.empty() || std::ranges::any_of(ways, [&](const auto& w) { return iequals(w, way); });
    if (!concerned) continue;
    if (auto rule = rule_of(blocks[i], i + 1)) rules.push_back(std::move(*rule));
  }
  if (rules.empty()) return nullptr;
  return std::make_shared<const provider::ReplyTable>(std::move(rules));
}

void give_replies(RelaySettings& way, const std::vector<ReplyRule>& blocks) {
  way.replies = replies_for(blocks, way.name);
  if (way.reply_provider.empty()) way.reply_provider = provider::provider_of_host(way.host);
}

}  // namespace sidegate::deliver
