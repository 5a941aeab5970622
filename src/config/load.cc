#include "config/load.h"

#include <unistd.h>

#include "base/i18n.h"
#include "base/text.h"
#include "config/environment.h"
#include "config/resolve.h"
#include "config/secret_file.h"
#include "config/toml_source.h"

extern char** environ;

namespace sidegate::config {
namespace {

constexpr std::size_t kMaxFile = 4 << 20;

std::string_view variable(const LoadRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.environment) {
    if (key == name) return value;
  }
  return {};
}

bool environment_configures(const LoadRequest& request) {
  return std::ranges::any_of(request.environment, [](const auto& v) {
    return v.first.starts_with("SIDEGATE_") && !is_other_variable(v.first);
  });
}

// --config, then $SIDEGATE_CONFIG, then the default; the environment alone is enough when no file was asked for.
// False: it cannot be read, and nothing else is worth saying.
bool read_file(Draft& draft) {
  const LoadRequest& request = draft.request;
  const std::string_view from_variable = variable(request, "SIDEGATE_CONFIG");
  const std::string asked = !request.path.empty() ? request.path : std::string(from_variable);
  draft.loaded.path = asked.empty() ? kDefaultPath : asked;
  if (request.text) return read_toml(*request.text, draft.loaded.path, draft.tree, draft.problems);
  auto text = request.files->text(draft.loaded.path, kMaxFile);
  if (text) return read_toml(*text, draft.loaded.path, draft.tree, draft.problems);
  if (asked.empty() && access(kDefaultPath, F_OK) != 0 && environment_configures(request)) {
    draft.loaded.path.clear();
    return true;
  }
  const int why = access(draft.loaded.path.c_str(), R_OK) != 0 ? errno : 0;
  draft.error(
      {}, text.error().what,
      why == EACCES ? std::string(_("only root and the service may read it: use sudo"))
      : why == ENOENT
          ? fmt::format(fmt::runtime(_("write one: sidegate config default > {}; or name another with --config")),
                        shell_quoted(draft.loaded.path))
          : std::string(_("name another with --config")));
  return false;
}

// meant: the key of this block that it looks like, if one does.
std::string unknown_key_next(const Table& table, std::string_view key, std::string* meant) {
  std::vector<std::string_view> names;
  for (const Option& option : table.options) names.push_back(option.name);
  std::string plain = lower(key);
  std::ranges::replace(plain, '-', '_');
  const auto perhaps = [meant](std::string_view own) {
    *meant = own;
    return tr("did you mean {}?", quoted(own));
  };
  if (table.find(plain) != nullptr) return perhaps(plain);
  // The same word as one of this block's, in the plural or not: "recipients" for "recipient".
  for (const std::string& other : {plain + "s", plain.ends_with('s') ? plain.substr(0, plain.size() - 1) : plain}) {
    if (table.find(other) != nullptr) return perhaps(other);
  }
  for (const Table& other : tables()) {
    if (&other == &table || other.find(plain) == nullptr) continue;
    return other.name.empty() ? tr("{} stands at the top, before the first [block]", quoted(plain))
                              : tr("{} belongs into {}", quoted(plain), other.title());
  }
  std::string_view near = suggest(plain, names);
  if (!near.empty()) return perhaps(near);
  return fmt::format(fmt::runtime(_("`sidegate config explain {}` lists the keys there are")),
                     table.name.empty() ? "hostname" : table.name);
}

void set_defaults(const Table& table, void* block) {
  for (const Option& option : table.options) {
    if (option.default_text.empty()) continue;
    [[maybe_unused]] Status set = option.place.set(block, Value::from_text(option.default_text), {});
  }
}

// Every key of one block into its struct.
void fill(Draft& draft, const Table& table, std::size_t index, const Block& from, void* block) {
  for (const auto& [key, value] : from.values) {
    const Option* option = table.find(key);
    if (option == nullptr) {
      std::string meant;
      draft.error(value.where, tr("unknown key {} in {}", quoted(printable(key, 100)), table.title()),
                  unknown_key_next(table, key, &meant));
      if (!meant.empty()) draft.unread.insert(key_path(table, index, meant));
      continue;
    }
    Status set = option->place.set(block, value, option->range);
    if (set) {
      draft.loaded.sources[key_path(table, index, key)] = value.where;
    } else {
      draft.error(value.where, fmt::format("{}: {}", key, set.error().text));
      draft.unread.insert(key_path(table, index, key));
    }
  }
  for (const Option& option : table.options) {
    if (!option.required || draft.unread.contains(key_path(table, index, option.name))) continue;
    const auto given = from.values.find(option.name);
    // An empty text is none: a variable of the environment that was never set, for one.
    const bool empty =
        given != from.values.end() && given->second.kind == Value::Kind::kString && trim(given->second.string).empty();
    if (given == from.values.end() || empty)
      draft.error(empty ? given->second.where : from.where, tr("{} has no {}", table.title(), option.name),
                  tr("add {} = \"...\"", option.name));
  }
}

void fill_all(Draft& draft) {
  Settings& settings = draft.loaded.settings;
  for (const Table& t : tables()) {
    if (!t.list) {
      set_defaults(t, &settings);
      if (auto it = draft.tree.blocks.find(t.name); it != draft.tree.blocks.end())
        fill(draft, t, 0, it->second, &settings);
      continue;
    }
    auto it = draft.tree.lists.find(t.name);
    if (it == draft.tree.lists.end()) continue;
    for (std::size_t i = 0; i < it->second.size(); ++i) {
      if (t.name == "user_rule") {  // what it does not say is as for everybody, and [users] stands before it
        fill(draft, t, i, it->second[i], &settings.users.some.emplace_back(settings.users.everybody));
        continue;
      }
      void* block = t.name == "relay"          ? static_cast<void*>(&draft.relays.emplace_back())
                    : t.name == "blocklist"    ? static_cast<void*>(&settings.blocklists.emplace_back())
                    : t.name == "reply"        ? static_cast<void*>(&settings.deliver.replies.emplace_back())
                    : t.name == "tls_policy"   ? static_cast<void*>(&settings.direct.tls_rules.emplace_back())
                    : t.name == "dkim"         ? static_cast<void*>(&settings.dkim.emplace_back())
                    : t.name == "milter"       ? static_cast<void*>(&settings.milters.emplace_back())
                    : t.name == "route"        ? static_cast<void*>(&settings.deliver.routes.emplace_back())
                    : t.name == "relay_domain" ? static_cast<void*>(&settings.relay_domains.emplace_back())
                                               : static_cast<void*>(&settings.listeners.emplace_back());
      set_defaults(t, block);
      fill(draft, t, i, it->second[i], block);
    }
  }
}

// In the order of the file, so that the first one shown is the first one to mend.
void sort_by_place(Problems& problems) {
  std::ranges::sort(problems, {}, [](const Problem& p) { return std::tuple(p.where.file, p.where.line, p.what); });
}

template <typename Block>
void compare(const Table& t, std::size_t index, const Block* a, const Block* b, std::vector<std::string>& out) {
  for (const Option& option : t.options) {
    if (option.apply == Apply::kRestart && option.place.text(a) != option.place.text(b))
      out.push_back(key_path(t, index, option.name));
  }
}

}  // namespace

LoadRequest LoadRequest::from_process(std::string path) {
  LoadRequest request;
  request.path = std::move(path);
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    std::string_view text = *entry;
    if (!text.starts_with("SIDEGATE_")) continue;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      request.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return request;
}

std::string key_path(const Table& table, std::size_t index, std::string_view key) {
  if (table.name.empty()) return std::string(key);
  if (!table.list) return fmt::format("{}.{}", table.name, key);
  return fmt::format("{}.{}.{}", table.name, index, key);
}

LoadResult load(const LoadRequest& request) {
  Draft draft{request, {}, {}, {}, {}, {}};
  if (!read_file(draft)) return std::unexpected(std::move(draft.problems));
  read_environment(request, draft.tree, draft.problems);
  fill_all(draft);
  resolve_hostname(draft);
  resolve_local_domains(draft);
  resolve_listeners(draft);
  resolve_blocklists(draft);
  resolve_tls(draft);
  resolve_milters(draft);
  resolve_relays(draft);
  resolve_relay_domains(draft);
  resolve_srs(draft);
  resolve_rewrite(draft);
  resolve_dkim(draft);
  resolve_local(draft);
  resolve_direct(draft);
  resolve_routes(draft);
  resolve_auth(draft);
  check_users(draft);
  check_replies(draft);
  check_queue(draft);
  sort_by_place(draft.problems);
  sort_by_place(draft.loaded.warnings);
  if (!draft.problems.empty()) return std::unexpected(std::move(draft.problems));
  return std::move(draft.loaded);
}

std::vector<std::string> needs_restart(const Settings& running, const Settings& loaded) {
  std::vector<std::string> out;
  for (const Table& t : tables()) {
    if (!t.list) compare(t, 0, &running, &loaded, out);
  }
  // Listeners by their places, as the sockets are: the order of the blocks says nothing.
  const auto at = [](const std::vector<intake::ListenerSettings>& all, const intake::ListenerSettings& one) {
    return std::ranges::find_if(all, [&](const auto& l) { return l.address == one.address && l.port == one.port; });
  };
  const Table& listener = table("listener");
  for (std::size_t i = 0; i < loaded.listeners.size(); ++i) {
    auto same = at(running.listeners, loaded.listeners[i]);
    if (same == running.listeners.end())
      out.push_back(fmt::format("listener.{}", i));
    else
      compare(listener, i, &*same, &loaded.listeners[i], out);
  }
  const bool gone = std::ranges::any_of(
      running.listeners, [&](const auto& l) { return at(loaded.listeners, l) == loaded.listeners.end(); });
  if (gone) out.emplace_back("listener");
  return out;
}

std::string text_of(const Problems& problems) {
  std::string out;
  for (const Problem& problem : problems) out += (out.empty() ? "" : "\n") + problem.text();
  return out;
}

}  // namespace sidegate::config
