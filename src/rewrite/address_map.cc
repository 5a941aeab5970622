#include "rewrite/address_map.h"

#include <algorithm>

#include "base/i18n.h"
#include "base/text.h"
#include "mail/idna.h"
#include "mail/mailbox.h"
#include "rewrite/address_list.h"

namespace sidegate::rewrite {
namespace {

bool has_at(std::string_view text) {
  return local_part(text).size() < text.size();
}

std::string shown(std::string_view text) {
  return "\"" + printable(text, 100) + "\"";
}

// As look-ups spell it: no quotes where none are needed, lower case.
std::string folded(std::string_view local, std::string_view domain) {
  return lower(local) + "@" + mail::dns_form(domain);
}

bool is_key(std::string_view key) {
  if (key.starts_with('@')) return mail::is_domain(key.substr(1), true);
  if (has_at(key)) return mail::is_mailbox(key, true);
  return !key.empty() && mail::is_mailbox(std::string(key) + "@x.example", true);
}

// RFC 6531 is left out: a relay without SMTPUTF8 could not be given such a sender.
bool is_value(std::string_view value) {
  if (value.starts_with('@')) return mail::is_domain(value.substr(1), false);
  if (has_at(value)) return mail::is_mailbox(value, false);
  return !value.empty() && mail::is_mailbox(std::string(value) + "@x.example", false);
}

std::string index_key(std::string_view key) {
  if (key.starts_with('@')) return mail::dns_form_of_address(key);
  return has_at(key) ? folded(unquoted(local_part(key)), domain_part(key)) : lower(unquoted(key));
}

}  // namespace

bool OwnNames::has(std::string_view domain) const {
  return domain.empty() || mail::same_domain(domain, hostname) ||
         std::ranges::any_of(domains, [&](const std::string& own) { return mail::same_domain(own, domain); });
}

std::string OwnNames::qualified(std::string_view address) const {
  if (has_at(address)) return std::string(address);
  return std::string(address) + "@" + hostname;
}

std::optional<std::string> fault_of(const MapEntry& entry) {
  if (entry.key.starts_with('/') && entry.key.size() > 2)
    return tr("{} looks like a regular expression, and those are not read here", shown(entry.key));
  if (!is_key(entry.key)) return tr("{} is no address, no user's name and no @domain", shown(entry.key));
  if (!is_value(entry.value))
    return tr("{} leads to {}, which is no address and no @domain", shown(entry.key), shown(entry.value));
  return std::nullopt;
}

AddressMap::AddressMap(MapText entries) {
  for (MapEntry& entry : entries) {
    if (fault_of(entry)) continue;
    if (!index_.emplace(index_key(entry.key), entries_.size()).second) continue;
    entries_.push_back(std::move(entry));
  }
}

const MapEntry* AddressMap::entry(const std::string& key) const {
  auto at = index_.find(key);
  return at == index_.end() ? nullptr : &entries_[at->second];
}

std::optional<AddressMap::Hit> AddressMap::find(std::string_view address, const OwnNames& own, bool tag) const {
  if (empty() || address.empty()) return std::nullopt;
  const std::string local = unquoted(local_part(address));
  const std::string_view written = domain_part(address);
  const std::string_view domain = written.empty() ? std::string_view(own.hostname) : written;
  const bool ours = own.has(written);
  auto cut = own.delimiter.empty() ? std::string::npos : local.find_first_of(own.delimiter, 1);
  const std::string user = local.substr(0, cut);
  const bool tagged = user.size() < local.size();
  // canonical(5), "ADDRESS EXTENSION": the whole before what is left without the tag.
  const MapEntry* found = entry(folded(local, domain));
  bool whole = found != nullptr;
  if (!found && tagged) found = entry(folded(user, domain));
  if (!found && ours) whole = (found = entry(lower(local))) != nullptr;
  if (!found && ours && tagged) found = entry(lower(user));
  if (!found) found = entry("@" + mail::dns_form(domain));
  if (!found) return std::nullopt;
  const std::string& value = found->value;
  if (value.starts_with('@')) return Hit{quoted_local(local) + value, found};
  std::string result = own.qualified(value);
  if (tag && tagged && !whole && !found->key.starts_with('@')) {
    const std::string left = unquoted(local_part(result)) + local.substr(cut);
    result = quoted_local(left) + "@" + std::string(domain_part(result));
  }
  return Hit{std::move(result), found};
}

MapText parse_map_file(const std::string& path, std::string_view text, std::vector<std::string>& problems) {
  MapText entries;
  auto problem = [&](unsigned line, const std::string& what) {
    problems.push_back(fmt::format("{}:{}: {}", path, line, what));
  };
  if (text.contains('\0')) {
    problem(1, _("this is no text file; a compiled .db is not read"));
    return entries;
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark that an editor left
  struct Line {
    std::string text;
    unsigned number;
  };
  std::vector<Line> lines;
  unsigned number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    std::string_view words = trim(line);
    if (words.empty() || words.front() == '#') continue;
    const bool goes_on = line.front() == ' ' || line.front() == '\t';
    if (goes_on && lines.empty()) {
      problem(number, _("the line begins with a space, but there is nothing before to go on with"));
    } else if (goes_on) {
      lines.back().text.append(" ").append(words);
    } else {
      lines.push_back({std::string(words), number});
    }
  }
  for (const Line& line : lines) {
    std::string_view words = line.text;
    std::size_t end = words.find_first_of(" \t");
    if (words.starts_with('"')) {  // a quoted local part may hold spaces
      const std::size_t close = words.find('"', 1);
      end = close == std::string_view::npos ? end : words.find_first_of(" \t", close);
    }
    MapEntry entry;
    entry.key = words.substr(0, end);
    if (end != std::string_view::npos) entry.value = trim(words.substr(end));
    entry.at = fmt::format("{}:{}", path, line.number);
    if (entry.value.empty()) {
      problem(line.number, tr("{} leads nowhere", shown(entry.key)));
    } else if (auto fault = fault_of(entry)) {
      problem(line.number, *fault);
    } else {
      entries.push_back(std::move(entry));
    }
  }
  return entries;
}

}  // namespace sidegate::rewrite
