#include "config/toml_source.h"

#include <toml++/toml.h>

#include <utility>

#include "base/i18n.h"
#include "base/text.h"
#include "config/options.h"

namespace sidegate::config {
namespace {

constexpr std::size_t kMaxFile = 4 << 20;

unsigned line_of(const toml::node& node) {
  return static_cast<unsigned>(node.source().begin.line);
}

Value value_of(const toml::node& node, const std::string& file, unsigned line) {
  Value value;
  value.where = {file, line};
  if (const auto* text = node.as_string()) {
    value.string = text->get();
  } else if (const auto* number = node.as_integer()) {
    value.kind = Value::Kind::kInteger;
    value.integer = number->get();
  } else if (const auto* truth = node.as_boolean()) {
    value.kind = Value::Kind::kBool;
    value.boolean = truth->get();
  } else if (const auto* list = node.as_array()) {
    value.kind = Value::Kind::kList;
    for (const toml::node& item : *list) value.list.push_back(value_of(item, file, line_of(item)));
  } else if (const auto* table = node.as_table()) {
    value.kind = Value::Kind::kTable;
    for (const auto& [key, item] : *table) {
      value.keys.emplace_back(key.str());
      value.list.push_back(value_of(item, file, line_of(item)));
    }
  } else if (node.is_floating_point()) {
    value.kind = Value::Kind::kFloat;
  } else {
    value.kind = Value::Kind::kDate;
  }
  return value;
}

Block block_of(const toml::table& from, const std::string& file) {
  Block block;
  block.where = {file, line_of(from)};
  for (const auto& [key, node] : from) {
    block.values.emplace(std::string(key.str()), value_of(node, file, static_cast<unsigned>(key.source().begin.line)));
  }
  return block;
}

const Table* find_table(std::string_view name) {
  for (const Table& t : tables()) {
    if (!t.name.empty() && t.name == name) return &t;
  }
  return nullptr;
}

// `user` is the Unix user at the top, so blocks about users have another name.
std::string user_block_next() {
  return tr("did you mean {}?", table("user_rule").title());
}

std::string unknown_block_next(std::string_view name) {
  if (name == "user") return user_block_next();
  std::vector<std::string_view> names;
  for (const Table& t : tables()) {
    if (!t.name.empty()) names.push_back(t.name);
  }
  // The plural is what people write.
  std::string singular(name.ends_with('s') ? name.substr(0, name.size() - 1) : name);
  std::string_view near = find_table(singular) != nullptr ? std::string_view(singular) : suggest(lower(name), names);
  if (const Table* t = find_table(near)) return tr("did you mean {}?", t->title());
  std::string all;
  for (const Table& t : tables()) {
    if (!t.name.empty()) all += (all.empty() ? "" : ", ") + t.title();
  }
  return tr("there are {}", all);
}

// One key of the top level whose value is a table or a list of tables.
void add_block(std::string_view name, const toml::node& node, const Where& where, Tree& tree, Problems& problems) {
  const Table* t = find_table(name);
  if (t == nullptr) {
    problems.push_back({where,
                        tr("unknown block {}", node.is_table() ? fmt::format("[{}]", printable(name, 100))
                                                               : fmt::format("[[{}]]", printable(name, 100))),
                        unknown_block_next(name)});
    return;
  }
  if (t->list != node.is_array()) {
    problems.push_back({where, tr("{} is written with {} brackets", t->name, t->list ? _("double") : _("single")),
                        tr("write {}", t->title())});
    return;
  }
  if (!t->list) {
    tree.blocks[std::string(name)] = block_of(*node.as_table(), where.file);
    return;
  }
  for (const toml::node& item : *node.as_array())
    tree.lists[std::string(name)].push_back(block_of(*item.as_table(), where.file));
}

// toml++ quotes what it stumbled over, which may be a secret: that would come to a screen or into a log (promise 10).
// So its sentences are told by what they are about, in words of our own.
std::string syntax_error(const toml::parse_error& error) {
  static constexpr std::pair<std::string_view, const char*> kWords[] = {
      {"redefine", N_("this key or block is there twice")},
      {"already", N_("this key or block is there twice")},
      {"end-of-file", N_("a quote or a bracket is opened and not closed")},
      {"unterminated", N_("a quote or a bracket is opened and not closed")},
      {"closing", N_("a quote or a bracket is opened and not closed")},
      {"line break", N_("a quote or a bracket is opened and not closed")},
      {"newline", N_("a quote or a bracket is opened and not closed")},
      {"escape", N_("a backslash in \"...\" begins an escape; write it twice, or put the text in '...'")},
      {"UTF-8", N_("this is no UTF-8 text")},
      {"utf-8", N_("this is no UTF-8 text")},
      {"assignment", N_("a key stands without = and a value")},
      {"expected '='", N_("a key stands without = and a value")},
      {"integer", N_("the value is no number that TOML knows; text stands in quotes")},
      {"floating", N_("the value is no number that TOML knows; text stands in quotes")},
      {"representable", N_("the value is no number that TOML knows; text stands in quotes")},
      {"value", N_("the value is not valid TOML: text stands in quotes")},
      {"key", N_("this is no key: letters, digits, - and _, or a text in quotes")},
  };
  const std::string_view said = error.description();
  // A key's own name is no secret.
  if (const std::size_t name = said.find('\''); said.contains("redefine") && name != std::string_view::npos) {
    const std::string_view key = said.substr(name + 1, said.rfind('\'') - name - 1);
    if (!key.empty()) return tr("{} is there twice", quoted(printable(key, 100)));
  }
  for (const auto& [about, words] : kWords) {
    if (said.contains(about)) return _(words);
  }
  return _("this is not valid TOML");
}

constexpr unsigned kMostParts = 64;

// toml++ bounds how deep values nest, but not how many parts a key has (a.b.c), and goes down one by one. 0: none is
// too deep.
unsigned line_of_deep_key(std::string_view text) {
  unsigned line = 1, dots = 0;
  char quote = 0;  // what ends a text, or '#': a comment, which the line's end ends
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\n') {
      ++line;
      dots = 0;
      quote = 0;
    } else if (quote != 0) {
      if (quote == '"' && c == '\\') ++at;
      if (quote == c && c != '#') quote = 0;
    } else if (c == '"' || c == '\'' || c == '#') {
      quote = c;
    } else if (c == '.') {
      if (++dots >= kMostParts) return line;
    } else if (c == '=' || c == ',' || c == '{' || c == '[') {
      dots = 0;
    }
  }
  return 0;
}

}  // namespace

bool read_toml(std::string_view text, const std::string& file, Tree& tree, Problems& problems) {
  if (text.size() > kMaxFile) {
    problems.push_back({{file, 0}, tr("the file is larger than {}", size_text(kMaxFile)), {}});
    return false;
  }
  if (const unsigned line = line_of_deep_key(text); line != 0) {
    problems.push_back({{file, line}, tr("a key of more than {} parts", kMostParts), {}});
    return false;
  }
  try {
    const toml::table root = toml::parse(text, std::string_view(file));
    Block& top = tree.blocks[""];
    top.where = {file, 0};
    for (const auto& [key, node] : root) {
      const Where where{file, static_cast<unsigned>(key.source().begin.line)};
      const auto* list = node.as_array();
      const bool blocks = node.is_table() || (list != nullptr && list->is_array_of_tables());
      if (blocks)
        add_block(key.str(), node, {file, std::max(1u, list != nullptr ? line_of((*list)[0]) : line_of(node))}, tree,
                  problems);
      else
        top.values.emplace(std::string(key.str()), value_of(node, file, where.line));
    }
  } catch (const toml::parse_error& error) {
    const unsigned line = error.source().begin.line;
    const auto rows = split(text, '\n');
    const bool about_user = line > 0 && line <= rows.size() && trim(rows[line - 1]) == "[[user]]";
    problems.push_back({{file, line}, syntax_error(error), about_user ? user_block_next() : std::string()});
    return false;
  }
  return true;
}

}  // namespace sidegate::config
