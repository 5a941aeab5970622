#include "provider/reply_table.h"

#include <algorithm>

#include "base/text.h"
#include "provider/replies_data.h"
#include "provider/reply_providers.h"

namespace sidegate::provider {
namespace {

struct StageName {
  std::string_view name;
  std::uint16_t stages;
};
constexpr StageName kStages[] = {
    {"greeting", kGreeting}, {"ehlo", kEhlo}, {"starttls", kStartTls}, {"auth", kAuth},           {"mail", kMail},
    {"rcpt", kRcpt},         {"data", kData}, {"final", kFinal},       {"sending", kTransaction}, {"any", kAny},
};

std::unexpected<Error> bad(std::string text) {
  return fail(ErrorKind::kBadInput, std::move(text));
}

// fn(alternative) for each of "a|b"; true as soon as it is.
template <typename Fn>
bool any_of(std::string_view alternatives, Fn fn) {
  while (!alternatives.empty()) {
    const auto bar = alternatives.find('|');
    if (fn(alternatives.substr(0, bar))) return true;
    alternatives = bar == std::string_view::npos ? std::string_view() : alternatives.substr(bar + 1);
  }
  return false;
}

bool status_fits(std::string_view wanted, std::string_view status) {
  if (status.size() < 5) return false;
  return any_of(wanted, [&](std::string_view one) {
    const bool any_class = one.front() == 'x';
    const auto have = any_class ? status.substr(1) : status;
    const auto want = any_class ? one.substr(1) : one;
    return want.ends_with('.') ? have.starts_with(want) : have == want;
  });
}

bool is_status(std::string_view one) {
  if (one.size() < 4 || (one[0] != 'x' && one[0] != '4' && one[0] != '5') || one[1] != '.') return false;
  const auto parts = split(one.substr(2), '.');
  if (parts.size() != 2 || parts[0].empty()) return false;
  return std::ranges::all_of(parts, [](std::string_view part) {
    return part.size() <= 3 && std::ranges::all_of(part, is_digit);  // the second may be empty: a prefix
  });
}

std::string_view take_field(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view field = line.substr(0, end);
  line.remove_prefix(std::min(line.find_first_not_of(' ', end), line.size()));
  return field;
}

std::string given(std::string_view field) {
  return field == "-" ? std::string() : std::string(field);
}

// "stage code status meaning words", with the provider of the section before it.
RuleText rule_text(std::string_view line, std::string_view provider) {
  RuleText text;
  text.provider = provider;
  text.stage = take_field(line);
  text.code = given(take_field(line));
  text.status = given(take_field(line));
  text.meaning = take_field(line);
  text.words = line;
  return text;
}

struct ProviderHost {
  std::string_view suffix, provider;
};
constexpr ProviderHost kHosts[] = {
    {"gmail.com", "gmail"},
    {"google.com", "gmail"},
    {"googlemail.com", "gmail"},
    {"office365.com", "microsoft"},
    {"outlook.com", "microsoft"},
    {"hotmail.com", "microsoft"},
    {"live.com", "microsoft"},
    {"yahoo.com", "yahoo"},
    {"yahoodns.net", "yahoo"},
    {"aol.com", "yahoo"},
    {"yahoo.co.jp", "yahoo-jp"},
    {"mail.me.com", "icloud"},
    {"icloud.com", "icloud"},
    {"amazonaws.com", "ses"},
    {"sendgrid.net", "sendgrid"},
    {"mailgun.org", "mailgun"},
    {"ocn.ne.jp", "ocn"},
    {"nifty.com", "nifty"},
    {"biglobe.ne.jp", "biglobe"},
    {"so-net.ne.jp", "so-net"},
    {"docomo.ne.jp", "docomo"},
    {"ezweb.ne.jp", "au"},
    {"au.com", "au"},
    {"auone-net.jp", "au-one-net"},
    {"softbank.jp", "softbank"},
    {"softbank.ne.jp", "softbank"},
    {"sakura.ne.jp", "sakura"},
    {"xserver.jp", "xserver"},
    {"gmx.net", "gmx"},
    {"gmx.com", "gmx"},
    {"secureserver.net", "godaddy"},
    {"qq.com", "qq"},
    {"yandex.ru", "yandex"},
    {"pphosted.com", "proofpoint"},
    {"mimecast.com", "mimecast"},
    {"zoho.com", "zoho"},
};

}  // namespace

Result<std::uint16_t> stages_of(std::string_view names) {
  if (names.empty()) return static_cast<std::uint16_t>(kAny);
  std::uint16_t stages = 0;
  for (std::string_view name : split(names, ',')) {
    const auto at = std::ranges::find_if(kStages, [&](const StageName& s) { return iequals(s.name, trim(name)); });
    if (at == std::end(kStages)) return bad(fmt::format("\"{}\" is no stage", printable(name, 60)));
    stages |= at->stages;
  }
  return stages;
}

Status check_code(std::string_view code) {
  const bool good = code.empty() || (code.size() <= 3 && (code[0] == '2' || code[0] == '4' || code[0] == '5') &&
                                     std::ranges::all_of(code, is_digit));
  if (!good) return bad(fmt::format("\"{}\" is no code of a refusal, nor its beginning", printable(code, 60)));
  return {};
}

Status check_status(std::string_view status) {
  for (std::string_view one : split(status, '|')) {
    if (!status.empty() && !is_status(one))
      return bad(fmt::format("\"{}\" is no enhanced code such as 5.7.1, x.7.1 or 5.7.", printable(one, 60)));
  }
  return {};
}

Result<Rule> make_rule(const RuleText& text) {
  Rule rule;
  auto stages = stages_of(text.stage);
  if (!stages) return std::unexpected(stages.error());
  if (Status good = check_code(text.code); !good) return std::unexpected(good.error());
  if (Status good = check_status(text.status); !good) return std::unexpected(good.error());
  const Facts* facts = facts_of_word(text.meaning);
  if (facts == nullptr) return bad(fmt::format("\"{}\" is no meaning", printable(text.meaning, 60)));
  rule.provider = lower(text.provider);
  rule.stages = *stages;
  rule.code = text.code;
  rule.status = lower(text.status);
  rule.words = lower(text.words);
  rule.meaning = facts->meaning;
  return rule;
}

Result<std::vector<Rule>> parse_rules(std::string_view text) {
  std::vector<Rule> rules;
  std::string provider;
  unsigned number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.empty() || line.starts_with('#')) continue;
    if (line.starts_with('[')) {  // the rules that follow are those of one provider; "[any]" ends that
      provider = line.substr(1, line.find(']') - 1);
      if (provider == "any") provider.clear();
      continue;
    }
    auto rule = make_rule(rule_text(line, provider));
    if (!rule) return bad(fmt::format("replies.txt:{}: {}", number, rule.error().text));
    rule->from = fmt::format("replies.txt:{}", number);
    rules.push_back(std::move(*rule));
  }
  return rules;
}

std::span<const Rule> built_in_rules() {
  static const std::vector<Rule> kRules = [] {
    auto rules = parse_rules(kRepliesText);
    return rules ? std::move(*rules) : std::vector<Rule>();  // a test reads them too and says what is wrong
  }();
  return kRules;
}

const ReplyTable& ReplyTable::built_in() {
  static const ReplyTable kTable;
  return kTable;
}

const Rule& ReplyTable::find(Stage stage, const mail::Reply& reply, std::string_view provider) const {
  static const Rule kLater{.stages = kAny, .code = "4", .meaning = Meaning::kTemporaryRemote, .from = "4yz"};
  static const Rule kNever{.stages = kAny, .code = "5", .meaning = Meaning::kPermanentRemote, .from = "5yz"};
  static const Rule kDone{.stages = kAny, .code = "2", .meaning = Meaning::kDelivered, .from = "2yz"};
  if (reply.positive()) return kDone;
  const std::string text = ' ' + lower(reply.text());  // so that a word of a rule may begin with a space
  const std::string status = reply.status ? reply.status->text() : std::string();
  for (std::span<const Rule> rules : {std::span<const Rule>(own_), built_in_rules()}) {
    for (const Rule& rule : rules) {
      if (!rule.provider.empty() && rule.provider != provider) continue;
      if (fits(rule, stage, reply.code, status, text)) return rule;
    }
  }
  return reply.transient() ? kLater : kNever;
}

std::string_view provider_of_host(std::string_view host) {
  const std::string name = lower(host);
  for (const ProviderHost& known : kHosts) {
    if (!name.ends_with(known.suffix)) continue;
    const std::size_t before = name.size() - known.suffix.size();
    if (before == 0 || name[before - 1] == '.') return known.provider;
  }
  return {};
}

std::vector<std::string_view> reply_providers() {
  std::vector<std::string_view> names;
  for (const ProviderHost& known : kHosts) {
    if (std::ranges::find(names, known.provider) == names.end()) names.push_back(known.provider);
  }
  return names;
}

bool contains_pattern(std::string_view text, std::string_view pattern) {
  while (!pattern.empty()) {
    auto star = pattern.find('*');
    auto piece = pattern.substr(0, star);
    auto at = text.find(piece);
    if (at == std::string_view::npos) return false;
    text = text.substr(at + piece.size());
    pattern = star == std::string_view::npos ? std::string_view() : pattern.substr(star + 1);
  }
  return true;
}

bool fits(const Rule& rule, Stage stage, int code, std::string_view status, std::string_view lower_text) {
  if (!(rule.stages & stage)) return false;
  const char digits[3] = {static_cast<char>('0' + code / 100 % 10), static_cast<char>('0' + code / 10 % 10),
                          static_cast<char>('0' + code % 10)};
  if (!std::string_view(digits, 3).starts_with(rule.code)) return false;
  if (!rule.status.empty() && !status_fits(rule.status, status)) return false;
  return rule.words.empty() ||
         any_of(rule.words, [&](std::string_view one) { return contains_pattern(lower_text, one); });
}

}  // namespace sidegate::provider
