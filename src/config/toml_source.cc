#include "config/toml_source.h"

#include <toml++/toml.h>

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

// toml++ quotes what it stumbled over; on a line about a secret that would put it on a screen or into a log (promise
// 10).
std::string syntax_error(const toml::parse_error& error, std::string_view text) {
  const unsigned line = error.source().begin.line;
  unsigned at = 1;
  for (std::string_view row : split(text, '\n')) {
    if (at++ == line && lower(row).find("password") != std::string::npos)
      return _("the value is not valid TOML: text stands in quotes");
  }
  return printable(error.description(), 300);
}

}  // namespace

void read_toml(std::string_view text, const std::string& file, Tree& tree, Problems& problems) {
  if (text.size() > kMaxFile) {
    problems.push_back({{file, 0}, tr("the file is larger than {}", size_text(kMaxFile)), {}});
    return;
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
    problems.push_back({{file, line}, syntax_error(error, text), about_user ? user_block_next() : std::string()});
  }
}

}  // namespace sidegate::config
