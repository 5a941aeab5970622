#include "config/environment.h"

#include "base/i18n.h"
#include "base/text.h"
#include "config/options.h"
#include "config/secret_file.h"

namespace sidegate::config {
namespace {

constexpr std::string_view kPrefix = "SIDEGATE_";
constexpr std::size_t kMaxBlocks = 1000;

struct Target {  // which key a variable means
  const Table* table = nullptr;
  const Option* option = nullptr;
  std::size_t index = 0;
};

// name without SIDEGATE_: "RELAY_0_HOST", "LOG_STYLE", "HOSTNAME".
std::optional<Target> find_target(std::string_view name) {
  for (const Table& t : tables()) {
    std::string_view rest = name;
    Target target{&t, nullptr, 0};
    if (!t.name.empty()) {
      if (!istarts_with(rest, t.name) || rest.substr(t.name.size()).substr(0, 1) != "_") continue;
      rest.remove_prefix(t.name.size() + 1);
    }
    if (t.list) {
      auto index = parse_number(rest.substr(0, rest.find('_')));
      if (!index || *index >= kMaxBlocks || rest.find('_') == std::string_view::npos) continue;
      target.index = *index;
      rest.remove_prefix(rest.find('_') + 1);
    }
    target.option = t.find(lower(rest));
    if (target.option != nullptr) return target;
  }
  return std::nullopt;
}

std::string suggestion(std::string_view name) {
  std::vector<std::string> names;
  // The index that was written is kept in what we suggest.
  std::size_t index = 0;
  for (std::string_view part : split(name, '_')) {
    if (auto n = parse_number(part)) index = *n;
  }
  for (const Table& t : tables()) {
    for (const Option& option : t.options) names.push_back(environment_name(t, option, index));
  }
  std::vector<std::string_view> views(names.begin(), names.end());
  std::string_view near = suggest(name, views);
  if (near.empty()) return _("`sidegate config explain` lists every key with its variable");
  return tr("did you mean {}?", near);
}

Block* block_for(const Target& target, Tree& tree, const std::string& variable, Problems& problems) {
  if (!target.table->list) return &tree.blocks[std::string(target.table->name)];
  auto& list = tree.lists[std::string(target.table->name)];
  if (target.index > list.size()) {
    problems.push_back({{variable, 0},
                        tr("there is no {} {} before it", target.table->title(), list.size()),
                        _("blocks are counted from 0 without gaps")});
    return nullptr;
  }
  if (target.index == list.size()) list.push_back({{variable, 0}, {}});
  return &list[target.index];
}

// Nothing: it could not be read, and problems say so.
std::optional<std::string> from_file(const LoadRequest& request, const Target& target, const std::string& variable,
                                     const std::string& path, Problems& problems) {
  // A secret's own _FILE form is a key (password_file), with its rules. What is not secret is read even where passwords
  // are not looked at: `config show` and `queue list` would otherwise go by the default.
  if (!request.open_files && target.option->secrecy == Secrecy::kSecret) return std::string();
  auto text = request.files->text(path, 64 * 1024);
  if (!text && !request.open_files) return std::nullopt;  // not for this user to read: the server could
  if (!text) {
    problems.push_back({{variable, 0}, text.error().what, text.error().next});
    return std::nullopt;
  }
  return std::string(trim(*text));
}

// A number orders RELAY_2 before RELAY_10, so that blocks are made in order.
bool by_index(const std::pair<Target, const std::pair<std::string, std::string>*>& a,
              const std::pair<Target, const std::pair<std::string, std::string>*>& b) {
  return std::pair(a.first.index, a.second->first) < std::pair(b.first.index, b.second->first);
}

void forget_in_file(Block& block, std::string_view key) {
  auto it = block.values.find(key);
  if (it != block.values.end() && !it->second.where.file.starts_with('$')) block.values.erase(it);
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_digit);
}

}  // namespace

bool is_other_variable(std::string_view name) {
  static constexpr std::string_view kOwn[] = {"SIDEGATE_CONFIG", "SIDEGATE_CASES", "SIDEGATE_LOCALE_DIR",
                                              "SIDEGATE_BUILD", "SIDEGATE_KEPT_SOCKETS"};
  if (std::ranges::find(kOwn, name) != std::end(kOwn)) return true;
  if (name.starts_with("SIDEGATE_TEST") || name.starts_with("SIDEGATE_BENCH")) return true;
  // Kubernetes: {SERVICE}_SERVICE_HOST, {SERVICE}_SERVICE_PORT[_NAME], {SERVICE}_PORT,
  // {SERVICE}_PORT_{N}_{TCP|UDP}[_...].
  if (name.ends_with("_SERVICE_HOST") || name.find("_SERVICE_PORT") != std::string_view::npos) return true;
  const std::size_t port = name.rfind("_PORT");
  if (port == std::string_view::npos) return false;
  std::string_view rest = name.substr(port + 5);
  if (name.find("_PORT_") != std::string_view::npos) {
    auto parts = split(name.substr(name.find("_PORT_") + 6), '_');
    return parts.size() >= 2 && all_digits(parts[0]) && (parts[1] == "TCP" || parts[1] == "UDP");
  }
  return rest.empty() && !name.starts_with("SIDEGATE_RELAY_") && !name.starts_with("SIDEGATE_LISTENER_");
}

void read_environment(const LoadRequest& request, Tree& tree, Problems& problems) {
  std::vector<std::pair<Target, const std::pair<std::string, std::string>*>> found;
  for (const auto& variable : request.environment) {
    const auto& [name, value] = variable;
    if (!name.starts_with(kPrefix)) continue;
    std::string_view rest = std::string_view(name).substr(kPrefix.size());
    auto target = find_target(rest);
    if (!target && rest.ends_with("_FILE")) target = find_target(rest.substr(0, rest.size() - 5));
    if (target)
      found.emplace_back(*target, &variable);
    else if (!is_other_variable(name))
      problems.push_back({{"$" + name, 0}, _("unknown variable: it names no configuration key"), suggestion(name)});
  }
  std::ranges::sort(found, by_index);
  std::map<std::string, std::string> set_by;
  for (const auto& [target, variable] : found) {
    const std::string shown = "$" + variable->first;
    Block* block = block_for(target, tree, shown, problems);
    if (block == nullptr) continue;
    const bool direct = find_target(std::string_view(variable->first).substr(kPrefix.size())).has_value();
    // password_file is a key of its own: its variable gives the path, and is held to the key's rules.
    std::optional<std::string> text =
        direct ? variable->second : from_file(request, target, shown, variable->second, problems);
    if (!text) continue;
    const std::string key = key_path(*target.table, target.index, target.option->name);
    if (!set_by.emplace(key, shown).second) {
      problems.push_back(
          {{shown, 0}, tr("{} is set too: only one of them can count", set_by[key]), _("unset one of them")});
      continue;
    }
    // A secret given here, or the place of one, replaces the file's way of giving it.
    const std::string_view option = target.option->name;
    const Option* secret =
        option.ends_with("_file") ? target.table->find(option.substr(0, option.size() - 5)) : nullptr;
    if (target.option->secrecy == Secrecy::kSecret) forget_in_file(*block, std::string(option) + "_file");
    if (secret != nullptr && secret->secrecy == Secrecy::kSecret) forget_in_file(*block, secret->name);
    block->values.insert_or_assign(std::string(target.option->name), Value::from_text(*text, {shown, 0}));
  }
}

}  // namespace sidegate::config
