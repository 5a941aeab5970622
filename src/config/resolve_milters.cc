// Milters: which listeners' mail each of them sees.
#include "base/i18n.h"
#include "base/text.h"
#include "config/codec.h"
#include "config/resolve.h"

namespace sidegate::config {
namespace {

constexpr std::string_view kSubmit = "submit";

milter::Settings settings_of(const MilterBlock& block, milter::Address address) {
  milter::Settings settings;
  settings.name = block.name;
  settings.address = std::move(address);
  settings.on_failure = block.failure;
  settings.timeouts = block.timeouts;
  settings.version = block.protocol;
  for (const std::string& macro : block.macros) {
    const std::size_t equals = macro.find('=');
    settings.macros[macro.substr(0, equals)] = macro.substr(equals + 1);
  }
  return settings;
}

// By its name, else by its profile.
std::vector<intake::ListenerSettings*> listeners_called(Settings& settings, std::string_view word) {
  std::vector<intake::ListenerSettings*> found;
  for (intake::ListenerSettings& l : settings.listeners) {
    if (iequals(l.name, word)) found.push_back(&l);
  }
  if (!found.empty()) return found;
  const std::string profile = quoted(lower(word));
  for (intake::ListenerSettings& l : settings.listeners) {
    if (codec<intake::Profile>().text(&l.profile) == profile) found.push_back(&l);
  }
  return found;
}

void add(std::vector<milter::Settings>& to, milter::Settings settings, std::uint64_t max_message_size) {
  settings.max_body = max_message_size == 0 ? ~std::uint64_t{0} : max_message_size;
  const bool twice = std::ranges::any_of(to, [&](const auto& one) { return one.name == settings.name; });
  if (!twice) to.push_back(std::move(settings));
}

void attach(Draft& draft, std::size_t i, const milter::Settings& settings) {
  Settings& all = draft.loaded.settings;
  const std::vector<std::string>& words = all.milters[i].listeners;
  std::vector<intake::ListenerSettings*> chosen;
  for (const std::string& word : words) {
    if (iequals(word, kSubmit)) {
      add(all.submit_milters, settings, 0);
      continue;
    }
    std::vector<intake::ListenerSettings*> found = listeners_called(all, word);
    if (found.empty()) {
      std::vector<std::string_view> names{kSubmit};
      for (const intake::ListenerSettings& l : all.listeners) names.push_back(l.name);
      const std::string_view near = suggest(word, names);
      std::string list;
      for (std::string_view name : names) list += (list.empty() ? "" : ", ") + quoted(name);
      draft.error(
          draft.where("milter", i, "listeners"),
          tr("milter {}: no listener is called {}, and none has that profile", all.milters[i].name, quoted(word)),
          near.empty() ? tr("there are {}", list) : tr("did you mean {}?", quoted(near)));
      continue;
    }
    chosen.insert(chosen.end(), found.begin(), found.end());
  }
  if (words.empty()) {
    for (intake::ListenerSettings& l : all.listeners) chosen.push_back(&l);
  }
  for (intake::ListenerSettings* l : chosen) add(l->milters, settings, l->smtp.max_message_size);
}

}  // namespace

void resolve_milters(Draft& draft) {
  auto& blocks = draft.loaded.settings.milters;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    auto address = milter::parse_address(blocks[i].address);
    if (!address) continue;  // told of already
    if (blocks[i].name.empty()) blocks[i].name = address->text();
    for (std::size_t j = 0; j < i; ++j) {
      if (iequals(blocks[j].name, blocks[i].name))
        draft.error(draft.where("milter", i, "name"), tr("[[milter]] {} is there twice", quoted(blocks[i].name)),
                    _("give each a name of its own"));
    }
    attach(draft, i, settings_of(blocks[i], std::move(*address)));
  }
}

}  // namespace sidegate::config
