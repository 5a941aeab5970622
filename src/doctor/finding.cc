#include "doctor/finding.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/text.h"

namespace sidegate::doctor {
namespace {

namespace json = boost::json;

std::string clean(const std::string& text) {
  return is_utf8(text) ? text : printable(text, 4000);
}

struct ToJson {
  json::value operator()(bool value) const { return value; }
  json::value operator()(std::int64_t value) const { return value; }
  json::value operator()(const std::string& value) const { return json::string(clean(value)); }
  json::value operator()(const std::vector<std::string>& values) const {
    json::array out;
    for (const std::string& value : values) out.emplace_back(clean(value));
    return out;
  }
};

}  // namespace

const char* word(Mark mark) {
  return mark == Mark::kGood ? "ok" : mark == Mark::kNote ? "note" : mark == Mark::kWarning ? "warning" : "wrong";
}

Mark worst(const Findings& findings) {
  Mark out = Mark::kGood;
  for (const Finding& f : findings) out = std::max(out, f.mark);
  return out;
}

bool any_wrong(const Findings& findings) {
  return std::ranges::any_of(findings, [](const Finding& f) { return f.mark == Mark::kWrong; });
}

std::string finding_json(const Finding& finding) {
  json::object out{{"check", finding.check}, {"mark", word(finding.mark)}, {"ok", finding.mark != Mark::kWrong}};
  if (!finding.place.empty()) out["place"] = clean(finding.place);
  out["text"] = clean(finding.text);
  if (!finding.why.empty()) out["why"] = clean(finding.why);
  if (!finding.next.empty()) out["next"] = clean(finding.next);
  if (!finding.paste.empty()) out["paste"] = clean(finding.paste);
  for (const auto& [key, value] : finding.details) out[key] = std::visit(ToJson(), value);
  return json::serialize(out);
}

}  // namespace sidegate::doctor
