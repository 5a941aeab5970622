#include "alias/map_file.h"

#include "alias/address.h"
#include "base/i18n.h"
#include "base/text.h"
#include "mail/idna.h"
#include "mail/mailbox.h"

namespace sidegate::alias {
namespace {

std::string shown(std::string_view text) {
  return "\"" + printable(text, 100) + "\"";
}

void add(MapFile& file, Severity severity, unsigned line, std::string what, std::string next) {
  file.problems.push_back({severity, {file.path, line}, std::move(what), std::move(next)});
}

// Something on the line is wrong: whoever asks for this key is told to wait, nobody is told that there is no such one.
void add_broken(MapFile& file, std::string key, unsigned line) {
  if (key.empty()) return;  // no name at all: nobody can ask for it
  file.entries.push_back({std::move(key), {file.path, line}, {}, true});
}

void add_entry(MapFile& file, std::string key, unsigned line, std::string_view right, ListKind kind) {
  Targets targets = parse_targets(right, {file.path, line}, kind);
  bool broken = has_error(targets.problems);
  if (targets.list.empty() && targets.problems.empty()) {
    add(file, Severity::kError, line, tr("{} leads nowhere", shown(key)),
        kind == ListKind::kAlias ? tr("write {}: user@domain", key) : tr("write {} user@domain", key));
    broken = true;
  }
  std::ranges::move(targets.problems, std::back_inserter(file.problems));
  file.entries.push_back({std::move(key), {file.path, line}, std::move(targets.list), broken});
}

std::string first_word(std::string_view text) {
  return lower(text.substr(0, text.find_first_of(" \t\n,\"")));
}

// What the name of a line whose quote does not end was most likely meant to be.
std::string behind_quote(std::string_view text) {
  std::string_view name = text.substr(std::min(text.find('"') + 1, text.size()));
  return lower(trim(name.substr(0, name.find_first_of(":\""))));
}

// Where the name on the left ends; npos: its quote does not.
std::size_t name_length(std::string_view text, std::string_view ends) {
  std::size_t at = 0;
  while (at < text.size() && ends.find(text[at]) == std::string_view::npos) {
    std::size_t length = text[at] == '"' ? quoted_length(text.substr(at)) : 1;
    if (length == 0) return std::string_view::npos;
    at += length;
  }
  return at;
}

void read_alias(MapFile& file, const LogicalLine& line) {
  std::size_t length = name_length(line.text, ":");
  if (length == std::string_view::npos) {
    add(file, Severity::kError, line.line, _("a quote is opened and not closed"), _("add the closing \""));
    return add_broken(file, behind_quote(line.text), line.line);
  }
  if (length == line.text.size()) {
    std::string word = first_word(line.text);
    add(file, Severity::kError, line.line, _("no colon behind the name"),
        tr("write {}: user@domain", word.empty() ? "name" : printable(word, 100)));
    return add_broken(file, word, line.line);
  }
  std::string_view left = trim(std::string_view(line.text).substr(0, length));
  bool quoted = left.starts_with('"') && quoted_length(left) == left.size();
  std::string key = lower(unquoted(left));
  if (key.empty()) {
    add(file, Severity::kError, line.line, _("no name before the colon"), _("write name: user@domain"));
    return add_broken(file, {}, line.line);
  }
  if (!quoted && key.find_first_of(" \t\n,\"") != std::string::npos) {
    add(file, Severity::kError, line.line, tr("{} is no name", shown(left)),
        _("one name before the colon; one with spaces stands in quotes"));
    return add_broken(file, first_word(key), line.line);
  }
  if (!quoted && key.find('@') != std::string::npos) {
    // As Postfix does: said and passed over. Local parts that hold an "@" stand in quotes.
    return add(file, Severity::kWarning, line.line, tr("{} has a domain: this line is passed over", shown(left)),
               _("write the name alone, or put addresses with a domain into a file of virtual_files"));
  }
  add_entry(file, std::move(key), line.line, std::string_view(line.text).substr(length + 1), ListKind::kAlias);
}

// "user@domain", "@domain" or "user" in the form look-ups have; empty: it is none of them.
std::string virtual_key(std::string_view left) {
  if (left.starts_with('@'))
    return mail::is_domain(left.substr(1), true) ? mail::dns_form_of_address(left) : std::string();
  if (mail::is_mailbox(left, true) && left.find('@') != std::string_view::npos) {
    Split split = split_address(left);
    return lower(split.local) + "@" + split.domain;
  }
  if (left.find('@') == std::string_view::npos && mail::is_mailbox(std::string(left) + "@x", true))
    return lower(unquoted(left));
  return {};
}

void read_virtual(MapFile& file, const LogicalLine& line) {
  std::size_t length = name_length(line.text, " \t\n");
  if (length == std::string_view::npos) {
    add(file, Severity::kError, line.line, _("a quote is opened and not closed"), _("add the closing \""));
    return add_broken(file, behind_quote(line.text), line.line);
  }
  std::string_view left = std::string_view(line.text).substr(0, length);
  if (left.ends_with(':')) left.remove_suffix(1);  // the habit of the other file
  std::string key = virtual_key(left);
  if (key.empty()) {
    add(file, Severity::kError, line.line, tr("{} is no address", shown(left)),
        _("write user@domain, @domain or a user's name, then where it leads"));
    return add_broken(file, lower(left), line.line);
  }
  add_entry(file, std::move(key), line.line, std::string_view(line.text).substr(length), ListKind::kVirtual);
}

template <typename ReadLine>
MapFile parse(const std::string& path, std::string_view text, ReadLine read_line) {
  MapFile file;
  file.path = path;
  if (text.find('\0') != std::string_view::npos) {
    add(file, Severity::kError, 0, _("this is no text file"), _("write it as text; a compiled .db is not read"));
    file.unreadable = true;
    return file;
  }
  for (const LogicalLine& line : logical_lines(text)) {
    if (line.orphan) {
      add(file, Severity::kError, line.line,
          _("the line begins with a space, but there is nothing before to go on with"), _("remove the space"));
      LogicalLine whole{std::string(trim(line.text)), line.line};
      add_broken(file, first_word(whole.text.substr(0, whole.text.find(':'))), line.line);
      continue;
    }
    read_line(file, line);
  }
  return file;
}

}  // namespace

MapFile MapFile::unread(std::string path, Problem why) {
  MapFile file;
  file.path = std::move(path);
  file.problems.push_back(std::move(why));
  file.unreadable = true;
  return file;
}

MapFile parse_aliases(const std::string& path, std::string_view text) {
  return parse(path, text, read_alias);
}

MapFile parse_virtual(const std::string& path, std::string_view text) {
  return parse(path, text, read_virtual);
}

Targets parse_list(const std::string& path, std::string_view text, ListKind kind) {
  Targets out;
  if (text.find('\0') != std::string_view::npos) {
    out.problems.push_back({Severity::kError, {path, 0}, _("this is no text file"), _("write one address a line")});
    return out;
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark that an editor left
  unsigned number = 0;
  for (std::string_view line : split(text, '\n')) {  // each line by itself, indented or not
    ++number;
    line = trim(line);
    if (line.empty() || line.front() == '#') continue;
    Targets one = parse_targets(line, {path, number}, kind);
    std::ranges::move(one.list, std::back_inserter(out.list));
    std::ranges::move(one.problems, std::back_inserter(out.problems));
  }
  return out;
}

}  // namespace sidegate::alias
