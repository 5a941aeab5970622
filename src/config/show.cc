#include "config/show.h"

#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::config {

std::shared_ptr<void> new_block(const Table& t) {
  if (t.name == "listener") return std::make_shared<intake::ListenerSettings>();
  if (t.name == "relay") return std::make_shared<RelayBlock>();
  if (t.name == "route") return std::make_shared<deliver::RouteSettings>();
  if (t.name == "relay_domain") return std::make_shared<RelayDomainBlock>();
  if (t.name == "user_rule") return std::make_shared<intake::UserRules>();
  if (t.name == "blocklist") return std::make_shared<screen::BlockListSettings>();
  if (t.name == "milter") return std::make_shared<MilterBlock>();
  if (t.name == "reply") return std::make_shared<deliver::ReplyRule>();
  if (t.name == "tls_policy") return std::make_shared<deliver::TlsRule>();
  if (t.name == "dkim") return std::make_shared<DkimBlock>();
  return std::make_shared<Settings>();
}

namespace {

// A default as it would stand in a file.
std::string default_toml(const Table& t, const Option& option) {
  if (option.secrecy == Secrecy::kSecret) return "\"\"";
  const std::shared_ptr<void> block = new_block(t);
  if (!option.default_text.empty()) [[maybe_unused]]
    Status set = option.place.set(block.get(), Value::from_text(option.default_text), {});
  return option.place.text(block.get());
}

std::string masked(const Option& option, std::string text) {
  return option.secrecy == Secrecy::kSecret && text != "\"\"" ? quoted(kMask) : text;
}

std::string value_text(const Loaded& loaded, const Table& t, const Option& option, std::size_t index) {
  // What was read from KEY_file stands there, not here.
  const std::string in_file = key_path(t, index, std::string(option.name) + "_file");
  if (option.secrecy == Secrecy::kSecret && loaded.password_files.contains(in_file)) return "\"\"";
  if (t.name == "listener") return option.place.text(&loaded.settings.listeners[index]);
  if (t.name == "blocklist") return option.place.text(&loaded.settings.blocklists[index]);
  if (t.name == "route") return option.place.text(&loaded.settings.deliver.routes[index]);
  if (t.name == "relay_domain") return option.place.text(&loaded.settings.relay_domains[index]);
  if (t.name == "user_rule") return option.place.text(&loaded.settings.users.some[index]);
  if (t.name == "milter") return option.place.text(&loaded.settings.milters[index]);
  if (t.name == "reply") return option.place.text(&loaded.settings.deliver.replies[index]);
  if (t.name == "tls_policy") return option.place.text(&loaded.settings.direct.tls_rules[index]);
  if (t.name == "dkim") return option.place.text(&loaded.settings.dkim[index]);
  if (t.name != "relay") return option.place.text(&loaded.settings);
  RelayBlock relay;
  static_cast<deliver::RelaySettings&>(relay) = loaded.settings.deliver.relays[index];
  const auto file = loaded.password_files.find(key_path(t, index, "password_file"));
  if (file != loaded.password_files.end()) relay.password_file = file->second;
  return option.place.text(&relay);
}

std::size_t blocks(const Loaded& loaded, const Table& t) {
  if (t.name == "listener") return loaded.settings.listeners.size();
  if (t.name == "blocklist") return loaded.settings.blocklists.size();
  if (t.name == "route") return loaded.settings.deliver.routes.size();
  if (t.name == "relay_domain") return loaded.settings.relay_domains.size();
  if (t.name == "user_rule") return loaded.settings.users.some.size();
  if (t.name == "milter") return loaded.settings.milters.size();
  if (t.name == "reply") return loaded.settings.deliver.replies.size();
  if (t.name == "tls_policy") return loaded.settings.direct.tls_rules.size();
  if (t.name == "dkim") return loaded.settings.dkim.size();
  return t.name == "relay" ? loaded.settings.deliver.relays.size() : 1;
}

std::string range_text(const Option& option) {
  if (option.range.open()) return {};
  return option.range.max.empty() ? fmt::format(">= {}", option.range.min)
                                  : fmt::format("{} - {}", option.range.min, option.range.max);
}

std::string type_text(const Option& option) {
  const Codec& type = option.place.type();
  return type.words != nullptr ? type.words() : std::string(type.type);
}

void wrap_comment(std::string& out, std::string_view sentence) {
  constexpr std::size_t kWidth = 100;
  std::string line = "#";
  for (std::string_view word : split(sentence, ' ')) {
    if (line.size() + 1 + word.size() > kWidth && line.size() > 1) {
      out += line + "\n";
      line = "#";
    }
    line += " " + std::string(word);
  }
  out += line + "\n";
}

const char* apply_text(const Option& option) {
  return option.apply == Apply::kLive ? N_("at once after a reload") : N_("after a restart");
}

std::string explain_option(const Table& t, const Option& option) {
  std::string out = fmt::format("{}{}{}\n", t.list ? fmt::format("{}.N", t.name) : std::string(t.name),
                                t.name.empty() ? "" : ".", option.name);
  auto row = [&](const char* label, const std::string& text) {
    if (!text.empty()) out += fmt::format("  {}: {}\n", _(label), text);
  };
  out += fmt::format("  {}\n", _(option.sentence));
  row(N_("written in"), t.title());
  row(N_("type"), type_text(option));
  row(N_("range"), range_text(option));
  row(N_("default"), option.required ? _("none: it must be given") : default_toml(t, option));
  row(N_("takes effect"), _(apply_text(option)));
  row(N_("variable"), environment_name(t, option, 0));
  return out;
}

std::string explain_table(const Table& t) {
  std::string out = fmt::format("{}: {}\n", t.title(), _(t.sentence));
  for (const Option& option : t.options) out += fmt::format("  {:<24} {}\n", option.name, _(option.sentence));
  return out;
}

// "relay.0.host", "relay.host", "[[relay]]", "SIDEGATE_RELAY_0_HOST" -> "relay.host".
std::string plain_key(std::string_view key) {
  std::string text = lower(key);
  if (text.starts_with("sidegate_")) {
    text.erase(0, 9);
    for (const Table& t : tables()) {  // the one that has such a key: LOCAL_DOMAINS is none of [local]
      if (t.name.empty() ? t.find(text) != nullptr : text.starts_with(std::string(t.name) + "_")) {
        std::string rest = t.name.empty() ? text : text.substr(t.name.size() + 1);
        if (t.list && rest.find('_') != std::string::npos && is_digit(rest[0])) rest.erase(0, rest.find('_') + 1);
        if (t.find(rest) != nullptr) return t.name.empty() ? rest : fmt::format("{}.{}", t.name, rest);
      }
    }
    return text;
  }
  for (char& c : text) c = c == '-' ? '_' : c == '[' || c == ']' ? '.' : c;
  std::string out;
  for (std::string_view part : split(text, '.')) {
    if (!part.empty() && !parse_number(part)) out += (out.empty() ? "" : ".") + std::string(part);
  }
  return out;
}

void reference_row(std::string& out, const Table& t, const Option& option) {
  std::string facts = type_text(option);
  if (!option.range.open()) facts += ", " + range_text(option);
  facts += option.required ? "; must be given" : "; default `" + default_toml(t, option) + "`";
  facts += option.apply == Apply::kLive ? "; reload" : "; restart";
  if (option.secrecy == Secrecy::kSecret) facts += "; secret";
  std::string escaped;
  for (char c : facts) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  out += fmt::format("| `{}` | {} | {} |\n", option.name, option.sentence, escaped);
}

}  // namespace

std::vector<Entry> entries(const Loaded& loaded) {
  std::vector<Entry> out;
  for (const Table& t : tables()) {
    for (std::size_t index = 0; index < blocks(loaded, t); ++index) {
      for (const Option& option : t.options) {
        Entry e{key_path(t, index, option.name), t.title(), index, std::string(option.name), {},
                default_toml(t, option),         "default", false};
        e.value = masked(option, value_text(loaded, t, option, index));
        if (auto it = loaded.sources.find(e.key); it != loaded.sources.end()) e.source = it->second.text();
        e.changed = e.value != e.default_value;
        out.push_back(std::move(e));
      }
    }
  }
  return out;
}

// A relay's rules of [rewrite] that it does not give hold as they stand there: even an empty one would end them.
static bool is_left_out(const Entry& e) {
  if (e.block != "[[relay]]" || e.source != "default") return false;
  return table("rewrite").find(e.name) != nullptr;
}

std::string show(const Loaded& loaded) {
  std::string out, heading;
  for (const Entry& e : entries(loaded)) {
    if (is_left_out(e)) continue;
    const std::string at = fmt::format("{}{}", e.block, e.index);
    if (at != heading && e.key.find('.') != std::string::npos) out += fmt::format("\n{}\n", e.block);
    heading = at;
    out += fmt::format("{} = {}\n", e.name, e.value);
  }
  return out;
}

std::string diff(const Loaded& loaded) {
  std::string out;
  for (const Entry& e : entries(loaded)) {
    if (!e.changed) continue;
    out += fmt::format("{} = {}   # {}\n", e.key, e.value,
                       e.source == "default" ? std::string(_("worked out from the rest")) : e.source);
  }
  return out;
}

// What must be given, as an example; else the default.
static std::string sample_value(const Table& t, const Option& option) {
  if (t.name == "reply" && option.name == "text") return "\"not known here\"";
  if (t.name == "relay" && option.name == "host") return "\"smtp.example.org\"";
  if (t.name == "route" && option.name == "ways") return "[\"direct\"]";
  if (!option.required) return default_toml(t, option);
  if (option.name == "domain") return "\"example.org\"";
  if (option.name == "name") return "\"me@example.org\"";
  if (option.name == "address") return "\"inet:127.0.0.1:11332\"";
  if (option.name == "selector") return "\"s1\"";
  if (option.name == "key_file") return "\"/etc/sidegate/dkim/example.org.s1.key\"";
  if (option.name == "meaning") return "\"user-unknown\"";
  return "\"smtp.example.org\"";
}

std::string sample() {
  std::string out;
  wrap_comment(out, _("Configuration of Sidegate. Every key is here with its default; a line without # is in force."));
  wrap_comment(out, _("The smallest useful file is one [[relay]] block at the end. Check it: sidegate config check"));
  for (const Table& t : tables()) {
    out += "\n";
    wrap_comment(out, _(t.sentence));
    if (!t.name.empty()) out += fmt::format("{}{}\n", t.list ? "#" : "", t.title());
    for (const Option& option : t.options) {
      out += "\n";
      wrap_comment(out, _(option.sentence));
      out += fmt::format("#{} = {}\n", option.name, sample_value(t, option));
    }
  }
  return out;
}

Result<std::string> explain(std::string_view key) {
  const std::string wanted = plain_key(key);
  std::string out;
  std::vector<std::string> names;
  for (const Table& t : tables()) {
    if (wanted == t.name && !t.name.empty()) return explain_table(t);
    names.emplace_back(t.name);
    for (const Option& option : t.options) {
      std::string full = t.name.empty() ? std::string(option.name) : fmt::format("{}.{}", t.name, option.name);
      if (wanted == full) return explain_option(t, option);
      if (wanted == option.name) out += (out.empty() ? "" : "\n") + explain_option(t, option);
      names.push_back(std::move(full));
      names.emplace_back(option.name);
    }
  }
  if (!out.empty()) return out;
  std::vector<std::string_view> views(names.begin(), names.end());
  std::string_view near = suggest(wanted, views);
  return fail(ErrorKind::kNotFound,
              near.empty() ? tr("there is no key {}", quoted(printable(key, 100)))
                           : tr("there is no key {}: did you mean {}?", quoted(printable(key, 100)), near));
}

std::string reference() {
  std::string out =
      "# Configuration reference\n\n"
      "Made from the option tables (`sidegate config reference`); a test fails when this file is stale.\n\n"
      "One TOML file, `/etc/sidegate/sidegate.toml` unless `--config` or `$SIDEGATE_CONFIG` names another. Unknown "
      "keys are errors. Any key can be\n"
      "set in the environment: `SIDEGATE_HOSTNAME`, `SIDEGATE_LOG_STYLE`, `SIDEGATE_RELAY_0_HOST` (blocks count from "
      "0), lists with commas between;\n"
      "with `_FILE` behind the name the value is read from a file. The environment wins over the file.\n\n"
      "Durations: `\"250ms\"`, `\"30s\"`, `\"5min\"`, `\"4h\"`, `\"5d\"`, `\"1h 30min\"`. Sizes: `\"50MiB\"` (1024), "
      "`\"64KB\"` (1000) or octets. Ports: a number,\n"
      "or `\"smtp\"` (25), `\"submission\"` (587), `\"submissions\"` (465).\n";
  for (const Table& t : tables()) {
    out +=
        fmt::format("\n## {}\n\n{}\n\n| key | meaning | type, range, default, when it takes effect |\n|---|---|---|\n",
                    t.name.empty() ? "The top level" : "`" + t.title() + "`", t.sentence);
    for (const Option& option : t.options) reference_row(out, t, option);
  }
  return out;
}

}  // namespace sidegate::config
