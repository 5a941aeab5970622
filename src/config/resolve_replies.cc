// What is wrong in the [[reply]] blocks taken together with the rest.
#include <algorithm>

#include "base/i18n.h"
#include "base/text.h"
#include "config/option_checks.h"
#include "config/resolve.h"
#include "provider/reply_providers.h"

namespace sidegate::config {

namespace {

void check_provider(Draft& draft, std::size_t i, const deliver::ReplyRule& rule) {
  if (rule.provider.empty()) return;
  const std::vector<std::string_view> known = provider::reply_providers();
  if (std::ranges::find(known, lower(rule.provider)) != known.end()) return;
  const std::string_view near = suggest(lower(rule.provider), known);
  draft.warn(draft.where("reply", i, "provider"),
             tr("[[reply]]: no server is known as {}: the block never fits", quoted(printable(rule.provider, 100))),
             near.empty() ? tr("write way = [\"NAME\"] for one relay; the providers are: {}",
                               fmt::format("{}", fmt::join(known, ", ")))
                          : tr("did you mean {}?", quoted(near)));
}

// Words, with '*' and '|': who writes a regular expression gets it taken letter by letter.
void check_text(Draft& draft, std::size_t i, const deliver::ReplyRule& rule) {
  const std::string& text = rule.text;
  const bool slashes = text.size() > 2 && text.starts_with('/') && text.ends_with('/');
  const bool signs = text.find(".*") != std::string::npos || text.find(".+") != std::string::npos ||
                     text.find("\\d") != std::string::npos || text.find("\\s") != std::string::npos ||
                     text.find("[0-9]") != std::string::npos || text.starts_with('^') || text.ends_with('$');
  if (!slashes && !signs) return;
  std::string plain = slashes ? text.substr(1, text.size() - 2) : text;
  for (std::size_t at; (at = plain.find(".*")) != std::string::npos;) plain.erase(at, 1);
  if (plain.starts_with('^')) plain.erase(0, 1);
  if (plain.ends_with('$')) plain.pop_back();
  draft.warn(draft.where("reply", i, "text"),
             tr("[[reply]]: text = {} looks like a regular expression, and is taken letter by letter", quoted(text)),
             tr("write words, with * for anything between: text = {}", quoted(plain)));
}

}  // namespace

void check_replies(Draft& draft) {
  const deliver::DeliverSettings& settings = draft.loaded.settings.deliver;
  for (std::size_t i = 0; i < settings.replies.size(); ++i) {
    const deliver::ReplyRule& rule = settings.replies[i];
    if (rule.code.empty() && rule.status.empty() && rule.text.empty())
      draft.error(draft.where("reply", i, "meaning"), _("[[reply]] fits every reply"),
                  _("add text = \"...\", code or status"));
    check_provider(draft, i, rule);
    check_text(draft, i, rule);
    for (const std::string& way : rule.ways) {
      if (iequals(way, deliver::kDirectWay)) continue;
      const auto same = [&](const deliver::RelaySettings& relay) { return iequals(relay.name, way); };
      if (!std::ranges::any_of(settings.relays, same))
        draft.warn(draft.where("reply", i, "way"), tr("[[reply]]: no relay is called {}", quoted(way)),
                   _("it counts for nothing until there is one"));
    }
  }
}

}  // namespace sidegate::config
