// A step of `relay test` as text and as JSON.
#include "base/i18n.h"
#include "base/text.h"
#include "deliver/probe.h"

namespace sidegate::deliver {
namespace {

const char* sign(ProbeMark mark) {
  return mark == ProbeMark::kGood ? _("ok") : mark == ProbeMark::kNote ? "--" : _("FAILED");
}
const char* word(ProbeMark mark) {
  return mark == ProbeMark::kGood ? "ok" : mark == ProbeMark::kNote ? "note" : "failed";
}

// RFC 8259 section 7. What is not well-formed UTF-8 was made printable by whoever made the step.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

struct ToJson {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(const std::string& value) const {
    return quoted(is_utf8(value) ? value : printable(value, 4000));
  }
  std::string operator()(const std::vector<std::string>& values) const {
    std::string out = "[";
    for (const std::string& value : values) out += (out.size() > 1 ? "," : "") + (*this)(value);
    return out + "]";
  }
};

}  // namespace

std::string probe_text(const ProbeStep& step, bool colour) {
  const char* begin = !colour                         ? ""
                      : step.mark == ProbeMark::kGood ? "\x1b[32m"
                      : step.mark == ProbeMark::kNote ? "\x1b[33m"
                                                      : "\x1b[31m";
  // fmt fills up by the columns a terminal shows, where a character of Japanese takes two.
  std::string out =
      fmt::format("{}{:<6}{} {:<11} {}\n", begin, sign(step.mark), colour ? "\x1b[0m" : "", step.name, step.text);
  if (!step.cause.empty()) out += fmt::format("{:19}{}\n", "", tr("cause: {}", step.cause));
  if (!step.cure.empty()) out += fmt::format("{:19}{}\n", "", tr("cure:  {}", step.cure));
  return out;
}

std::string probe_json(const ProbeStep& step) {
  ToJson json;
  std::string out = fmt::format("{{\"step\":{},\"ok\":{},\"mark\":{},\"text\":{}", json(step.name), json(step.ok()),
                                json(std::string(word(step.mark))), json(step.text));
  if (!step.cause.empty()) out += ",\"cause\":" + json(step.cause);
  if (!step.cure.empty()) out += ",\"cure\":" + json(step.cure);
  for (const auto& [key, value] : step.details) out += fmt::format(",{}:{}", json(key), std::visit(json, value));
  return out + "}";
}

}  // namespace sidegate::deliver
