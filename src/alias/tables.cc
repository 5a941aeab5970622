#include "alias/tables.h"

#include <algorithm>

#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::alias {

Tables Tables::make(std::vector<MapFile> aliases, std::vector<MapFile> virtuals) {
  Tables tables;
  tables.alias_files_ = std::move(aliases);
  tables.virtual_files_ = std::move(virtuals);
  tables.add_all(tables.aliases_, tables.alias_files_);
  tables.add_all(tables.virtuals_, tables.virtual_files_);
  tables.add_domains();
  auto unreadable = [](const MapFile& file) { return file.unreadable; };
  tables.aliases_unreadable_ = std::ranges::any_of(tables.alias_files_, unreadable);
  tables.virtuals_unreadable_ = std::ranges::any_of(tables.virtual_files_, unreadable);
  return tables;
}

void Tables::add_all(Map& map, std::vector<MapFile>& files) {
  for (std::size_t f = 0; f < files.size(); ++f) {
    for (std::size_t e = 0; e < files[f].entries.size(); ++e) {
      const Entry& entry = files[f].entries[e];
      auto [at, first] = map.index.try_emplace(entry.key, At{f, e});
      if (first) continue;
      const Entry& before = files[at->second.file].entries[at->second.entry];
      files[f].problems.push_back({Severity::kWarning, entry.at,
                                   tr("\"{}\" stands there twice, the first time at {}: the first one counts",
                                      printable(entry.key, 100), before.at.text()),
                                   _("put both on one line, with a comma between them")});
    }
    std::ranges::sort(files[f].problems, {}, [](const Problem& p) { return std::tuple(p.at.line, p.what); });
  }
}

void Tables::add_domains() {
  for (const auto& [key, at] : virtuals_.index) {
    if (auto mark = key.rfind('@'); mark != std::string::npos) domains_.insert(key.substr(mark + 1));
  }
  // Postfix's way to declare a domain: a line that names it alone. Only where it is clear that it is no user's name.
  for (const auto& [key, at] : virtuals_.index) {
    const Entry& entry = virtual_files_[at.file].entries[at.entry];
    bool declares = key.find('@') == std::string::npos && key.find('.') != std::string::npos &&
                    entry.targets.size() == 1 && entry.targets[0].text.find_first_of("@.") == std::string::npos;
    if (declares) domains_.insert(key);
  }
}

const Entry* Tables::find(const Map& map, std::string_view key) const {
  auto at = map.index.find(key);
  return at == map.index.end() ? nullptr : &(this->*map.files)[at->second.file].entries[at->second.entry];
}

unsigned Tables::owner(std::string_view path) const {
  for (const auto* files : {&alias_files_, &virtual_files_}) {
    for (const MapFile& file : *files) {
      if (file.path == path) return file.owner;
    }
  }
  return 0;
}

Problems Tables::problems() const {
  Problems out;
  for (const auto* files : {&alias_files_, &virtual_files_}) {
    for (const MapFile& file : *files) out.insert(out.end(), file.problems.begin(), file.problems.end());
  }
  return out;
}

}  // namespace sidegate::alias
