// The rules by which replies are read: data, one line a rule. The built-in ones are replies.txt, which is part of the
// program; a configuration's own go before them. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "provider/meanings.h"

namespace sidegate::provider {

// A rule fits when all that it names fits. Empty or 0: not asked.
struct Rule {
  std::string provider = {};  // "gmail"
  std::uint16_t stages = 0;   // any of these
  std::string code = {};      // "550", "4", "5": a prefix of the basic code
  std::string status = {};  // "5.7.139", "x.7.139" (any class), "5.7.": ending in a dot a prefix; alternatives with '|'
  std::string words = {};   // lower case; alternatives with '|', within one '*' stands for anything
  Meaning meaning = Meaning::kTemporaryRemote;
  std::string from = {};  // for people: where it is written
  bool operator==(const Rule&) const = default;
};

// What one rule says, as it is written in replies.txt or in a [[reply]] block; said in words where it makes no sense.
struct RuleText {
  std::string provider = {}, stage = {}, code = {}, status = {}, words = {}, meaning = {};
};
Result<Rule> make_rule(const RuleText& text);
Result<std::uint16_t> stages_of(std::string_view names);  // "auth", "mail,rcpt", "any", "" as any
Status check_code(std::string_view code);
Status check_status(std::string_view status);

class ReplyTable {
 public:
  explicit ReplyTable(std::vector<Rule> own = {}) : own_(std::move(own)) {}
  static const ReplyTable& built_in();

  // The first rule that fits, own ones before the built-in; there is always one (the last are the classes of codes).
  const Rule& find(Stage stage, const mail::Reply& reply, std::string_view provider) const;

  std::span<const Rule> own() const { return own_; }

 private:
  std::vector<Rule> own_;
};

// The rules of replies.txt; they are read when they are asked for first.
std::span<const Rule> built_in_rules();
// Lines of that form; for the built-in ones and their test.
Result<std::vector<Rule>> parse_rules(std::string_view text);

// By the name of a host that answers: "smtp.gmail.com" -> "gmail"; empty: none that is known.
std::string_view provider_of_host(std::string_view host);

// lower_text: the reply's, with a space before it.
bool fits(const Rule& rule, Stage stage, int code, std::string_view status, std::string_view lower_text);
// One pattern with '*'; searched anywhere in the text. Exposed for its test.
bool contains_pattern(std::string_view text, std::string_view pattern);

}  // namespace sidegate::provider
