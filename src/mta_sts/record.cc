#include "mta_sts/record.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace sidegate::mta_sts {
namespace {

constexpr std::string_view kRecordBegin = "v=STSv1";

bool is_letter_or_digit(char c) {
  return is_alpha(c) || is_digit(c);
}

std::string_view without_spaces(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_extension_value(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != ';' && c != '='; });
}

}  // namespace

bool is_extension_name(std::string_view text) {
  if (text.empty() || text.size() > 32 || !is_letter_or_digit(text.front())) return false;
  return std::ranges::all_of(text, [](char c) { return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.'; });
}

Result<Record> parse_record(std::string_view text) {
  std::vector<std::string_view> fields = split(text, ';');
  // The version is not preceded by white space; a delimiter may end the record.
  if (fields.front().substr(0, fields.front().find_last_not_of(" \t") + 1) != kRecordBegin)
    return bad("the record does not begin with v=STSv1");
  if (without_spaces(fields.back()).empty()) fields.pop_back();
  std::optional<std::string> id;
  for (std::size_t i = 1; i < fields.size(); ++i) {
    const std::string_view field = without_spaces(fields[i]);
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos) return bad("a field has no \"=\": " + printable(field, 100));
    const std::string_view name = field.substr(0, equals), value = field.substr(equals + 1);
    if (name != "id") {  // an extension: to be passed over, but well formed
      if (!is_extension_name(name) || !is_extension_value(value))
        return bad("a field is malformed: " + printable(field, 100));
      continue;
    }
    if (id) return bad("there are two ids");
    if (value.empty() || value.size() > 32 || !std::ranges::all_of(value, is_letter_or_digit))
      return bad("the id is not 1 to 32 letters and digits: " + printable(value, 100));
    id = value;
  }
  if (!id) return bad("there is no id");
  return Record{std::move(*id)};
}

Result<Record> find_record(const std::vector<std::string>& texts) {
  const std::string* ours = nullptr;
  for (const std::string& text : texts) {
    // RFC 8461 section 3.1: records that do not begin so are discarded; if the number of those left is not one, there
    // is no policy.
    if (!text.starts_with("v=STSv1;")) continue;
    if (ours != nullptr) return fail(ErrorKind::kNotFound, "there are several MTA-STS records, which count as none");
    ours = &text;
  }
  if (ours == nullptr) return fail(ErrorKind::kNotFound, "there is no MTA-STS record");
  auto record = parse_record(*ours);
  if (!record) return bad("the MTA-STS record is malformed: " + record.error().text);
  return record;
}

}  // namespace sidegate::mta_sts
