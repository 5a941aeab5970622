#include "cli/relay_verdict.h"

#include <algorithm>

#include "base/i18n.h"
#include "base/text.h"
#include "deliver/candidates.h"

namespace sidegate::cli {
namespace {

using deliver::ProbeMark;
using deliver::ProbeStep;
using doctor::Finding;
using doctor::Mark;

// One server of the relay's, and how far the dialogue with it came.
struct Tried {
  std::string where;
  std::size_t steps = 0;
  const ProbeStep* failed = nullptr;
  std::string tls = {}, login = {};

  std::string story() const { return failed == nullptr ? where : where + ": " + failed->name + ": " + failed->text; }
};

std::vector<Tried> tried_of(const deliver::RelaySettings& relay, const std::vector<ProbeStep>& steps) {
  const std::string first = deliver::candidates_of(relay).front().text();
  std::vector<Tried> all;
  for (const ProbeStep& step : steps) {
    if (step.name == "candidate") {
      all.push_back({step.text});
      continue;
    }
    if (all.empty()) all.push_back({first});
    Tried& last = all.back();
    if (step.name == "result") continue;
    last.steps += step.ok();
    if (step.name == "auth" && step.ok()) last.login = step.text;
    if (step.name == "tls" && step.ok()) last.tls = step.text;
    if (!step.ok() && last.failed == nullptr) last.failed = &step;
  }
  return all;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : "; ") + printable(part, 400);
  return out;
}

// Where none takes mail: what is said of the server with which the dialogue came furthest.
Finding told_bad(const std::string& name, const std::vector<Tried>& all, Finding f) {
  f.mark = Mark::kWrong;
  f.next = tr("sidegate relay test {}", name);
  f.text = tr("relay {}: would not take mail", name);
  auto furthest = std::ranges::max_element(all, {}, &Tried::steps);
  if (furthest == all.end() || furthest->failed == nullptr) return f;
  const ProbeStep& step = *furthest->failed;
  f.details.emplace_back("step", step.name);
  f.text = tr("relay {} ({}): {}: {}", name, printable(furthest->where, 200), step.name, step.text);
  f.why = step.cause;
  if (!step.cure.empty()) f.next = step.cure;
  std::vector<std::string> others;
  for (const Tried& one : all) {
    if (&one != &*furthest) others.push_back(one.story());
  }
  if (!others.empty()) f.why += (f.why.empty() ? "" : "; ") + tr("no other does better: {}", joined(others));
  return f;
}

}  // namespace

Finding judge_relay(const deliver::RelaySettings& relay, const std::vector<ProbeStep>& steps, bool good) {
  const std::string name = printable(relay.name, 100);
  const std::vector<Tried> all = tried_of(relay, steps);
  std::vector<std::string> stories;
  for (const Tried& one : all) stories.push_back(one.story());
  Finding f{"relay", Mark::kGood};
  f.details = {{"relay", relay.name}, {"host", relay.host}, {"port", std::int64_t(relay.port)}, {"tried", stories}};
  if (!good || all.empty()) return told_bad(name, all, std::move(f));
  const Tried& answers = all.back();  // the first that takes mail ends the search
  f.details.emplace_back("answers", answers.where);
  f.text = tr("relay {} ({}): would take mail", name, printable(answers.where, 200));
  if (!answers.tls.empty()) f.text += "; " + answers.tls;
  if (!answers.login.empty()) f.text += "; " + answers.login;
  if (all.size() == 1) return f;
  stories.pop_back();
  f.mark = Mark::kNote;
  f.why = tr("not by {}", joined(stories));
  f.next = tr("nothing to do while {} answers", printable(answers.where, 200));
  return f;
}

}  // namespace sidegate::cli
