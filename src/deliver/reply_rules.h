// From [[reply]] blocks to the table that a way's replies are read by. Pure.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "deliver/settings.h"

namespace sidegate::deliver {

// number: which [[reply]] block it is, from 1.
Result<provider::Rule> rule_of(const ReplyRule& block, std::size_t number);

// The blocks that concern this way; null where there is none. way: its name, empty: of no way in particular.
std::shared_ptr<const provider::ReplyTable> replies_for(const std::vector<ReplyRule>& blocks, const std::string& way);

// Into the way's settings: its table, and whose rules are asked.
void give_replies(RelaySettings& way, const std::vector<ReplyRule>& blocks);

}  // namespace sidegate::deliver
