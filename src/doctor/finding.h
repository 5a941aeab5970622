// What a check has come to: one thing that is right, worth knowing or wrong, with the next step.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sidegate::doctor {

enum class Mark : std::uint8_t {
  kGood,
  kNote,     // not as it could be, or cannot be known from here
  kWarning,  // mail goes, and somebody should look
  kWrong,    // the command ends with an error
};
const char* word(Mark mark);  // "ok", "note", "warning", "wrong": stable

using FindingValue = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

struct Finding {
  std::string check;  // a stable word: "open_relay", "certificate", ...
  Mark mark = Mark::kGood;
  std::string text = {};            // what was seen, one line, free of control characters
  std::string why = {}, next = {};  // where it is not good
  std::vector<std::pair<std::string, FindingValue>> details = {};  // for --json
  std::string place = {};                                          // where it was seen; empty: of the whole machine
  std::string paste = {};  // lines to write somewhere, as they are: TOML, a DNS record
};
using Findings = std::vector<Finding>;

Mark worst(const Findings& findings);
bool any_wrong(const Findings& findings);
// One object, without line end.
std::string finding_json(const Finding& finding);

}  // namespace sidegate::doctor
