#include "spf/dmarc.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/text.h"

namespace sidegate::spf {
namespace {

// The second label of these under a country's domain is a kind of organisation, not an organisation.
bool is_kind(std::string_view label) {
  static constexpr std::array<std::string_view, 24> kKinds = {"ac", "ad",  "asn", "co", "com", "ed",  "edu", "gen",
                                                              "go", "gob", "gov", "gr", "id",  "lg",  "ltd", "mil",
                                                              "ne", "net", "nom", "or", "org", "plc", "sch", "web"};
  return std::ranges::find(kKinds, label) != kKinds.end();
}

std::optional<Policy> policy_of(std::string_view word) {
  if (iequals(word, "none")) return Policy::kNone;
  if (iequals(word, "quarantine")) return Policy::kQuarantine;
  if (iequals(word, "reject")) return Policy::kReject;
  return std::nullopt;
}

}  // namespace

const char* name(Policy policy) {
  return policy == Policy::kNone ? "none" : policy == Policy::kQuarantine ? "quarantine" : "reject";
}

bool is_dmarc(std::string_view text) {
  const std::string_view first = trim(text.substr(0, text.find(';')));
  const std::size_t equals = first.find('=');
  return equals != std::string_view::npos && trim(first.substr(0, equals)) == "v" &&
         trim(first.substr(equals + 1)) == "DMARC1";
}

Result<Dmarc> parse_dmarc(std::string_view text) {
  if (!is_dmarc(text)) return fail(ErrorKind::kBadInput, "DMARC: the record does not begin with v=DMARC1");
  Dmarc out;
  bool policy = false, subdomains = false;
  for (std::string_view tag : split(text, ';')) {
    tag = trim(tag);
    const std::size_t equals = tag.find('=');
    if (equals == std::string_view::npos) continue;  // section 6.3: what is not understood is ignored
    const std::string key = lower(trim(tag.substr(0, equals)));
    const std::string_view value = trim(tag.substr(equals + 1));
    if (key == "p") {
      auto word = policy_of(value);
      if (!word) return fail(ErrorKind::kBadInput, "DMARC: p=" + printable(value, 60) + " is no policy");
      out.policy = *word;
      policy = true;
    } else if (key == "sp") {
      if (auto word = policy_of(value)) {
        out.subdomains = *word;
        subdomains = true;
      }
    } else if (key == "aspf") {
      out.strict_spf = iequals(value, "s");
    } else if (key == "adkim") {
      out.strict_dkim = iequals(value, "s");
    } else if (key == "rua") {
      out.reports = std::string(value);
    }
  }
  // Section 6.6.3: without a policy it stands for p=none where reports are asked for, else it is no record.
  if (!policy && out.reports.empty()) return fail(ErrorKind::kBadInput, "DMARC: the record has no policy (p=)");
  if (!subdomains) out.subdomains = out.policy;
  return out;
}

std::string organizational_domain(std::string_view domain) {
  std::string name = lower(domain);
  if (name.ends_with('.')) name.pop_back();
  const std::vector<std::string_view> labels = split(name, '.');
  std::size_t keep = 2;
  if (labels.size() >= 3 && labels.back().size() == 2 && is_kind(labels[labels.size() - 2])) keep = 3;
  if (labels.size() <= keep) return name;
  std::string out;
  for (std::size_t i = labels.size() - keep; i < labels.size(); ++i)
    out += (out.empty() ? "" : ".") + std::string(labels[i]);
  return out;
}

bool is_aligned(std::string_view from, std::string_view authenticated, bool strict) {
  if (authenticated.empty() || from.empty()) return false;
  auto bare = [](std::string_view name) { return lower(name.ends_with('.') ? name.substr(0, name.size() - 1) : name); };
  if (strict) return bare(from) == bare(authenticated);
  return organizational_domain(from) == organizational_domain(authenticated);
}

}  // namespace sidegate::spf
