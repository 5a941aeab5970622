// `sidegate user`: our own file of users, changed as a whole: written beside the old one, synced, and put in its place.
#include <unistd.h>
#include <boost/json.hpp>
#include <iostream>
#include <map>

#include "admin/user_rows.h"
#include "base/i18n.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/password_prompt.h"
#include "cli/server.h"
#include "config/codec.h"
#include "config/secret_file.h"
#include "login/password.h"
#include "login/user_store.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;
using login::User;
using login::UserFile;

struct Opened {
  login::UserStore store;
  UserFile users;
};

std::optional<Opened> open_users(const Context& context, const UserCommand& command, bool writes) {
  std::string path = command.file, service;
  auto loaded = context.load(false, false);
  if (!loaded && path.empty()) return std::nullopt;
  if (loaded) service = loaded->settings.user;
  if (path.empty()) path = loaded->settings.auth.user_file;
  if (loaded && writes &&
      std::ranges::find(loaded->settings.auth.backends, "file") == loaded->settings.auth.backends.end())
    context.terminal.warning(_("backends in [auth] does not name file: this file is not asked"));
  auto store = login::UserStore::open(path, service, writes && !command.dry_run);
  if (!store) {
    report(context, store.error());
    return std::nullopt;
  }
  std::vector<login::UserProblem> problems;
  Opened opened{std::move(*store), {}};
  opened.users = UserFile::parse(opened.store.text(), &problems);
  for (const auto& p : problems) context.terminal.warning(fmt::format("{}:{}: {}", path, p.line, p.text));
  return opened;
}

std::optional<std::string> name_of(const Context& context, const UserCommand& command) {
  std::string name = login::canonical_name(command.name);
  if (!name.empty()) return name;
  context.terminal.error(tr("{} is no name for a user", printable(command.name, 100)),
                         _("no colon, no white space, at most 255 octets"));
  return std::nullopt;
}

// The first line of standard input, of a file, or what is typed twice at a terminal. Never from the command line, which
// every user of the machine can read.
std::optional<std::string> new_password(const Context& context, const UserCommand& command, const std::string& name) {
  const Terminal& t = context.terminal;
  std::string password;
  if (!command.password_file.empty() && command.password_file != "-") {
    auto secret = config::read_secret_file(command.password_file, 0);
    if (!secret) {
      t.error(secret.error().what, secret.error().next);
      return std::nullopt;
    }
    return std::move(*secret);
  }
  if (command.password_file.empty() && isatty(STDIN_FILENO) == 1) {
    auto typed = ask_passwords(t, {tr("new password of {} (not shown): ", name), _("once more: ")});
    if (typed.size() == 2) password = typed[0];
    if (typed.size() == 2 && typed[0] != typed[1]) {
      t.error(_("the two passwords differ"), _("nothing was changed"));
      return std::nullopt;
    }
  } else {
    std::getline(std::cin, password);
    if (password.ends_with('\r')) password.pop_back();
  }
  if (!password.empty()) return password;
  t.error(_("no password was given"), _("type it at a terminal, or use --password-file FILE, or standard input"));
  return std::nullopt;
}

int keep(const Context& context, const UserCommand& command, Opened& opened, const std::string& text,
         const std::string& done) {
  if (command.dry_run) {
    context.terminal.out << tr("would be done: {}", done) << "\n";
    return EX_OK;
  }
  if (Status written = opened.store.write(text); !written) return report(context, written.error());
  context.terminal.out << done << "\n";
  return EX_OK;
}

int unknown_user(const Context& context, const std::string& name) {
  context.terminal.error(tr("there is no user {}", name), _("`sidegate user list` shows who there is"));
  return EX_NOUSER;
}

int set_password(const Context& context, const UserCommand& command, Opened& opened, User user,
                 const std::string& done) {
  auto password = new_password(context, command, user.name);
  if (!password) return EX_USAGE;
  Status stored = login::store_password(user, *password, {.scram = !command.no_scram, .cram = command.cram});
  login::wipe(*password);
  if (!stored) return report(context, stored.error());
  if (command.cram)
    context.terminal.warning(
        _("CRAM-MD5 needs the password itself: it stands in the file, readable by root and the service"));
  return keep(context, command, opened, login::with_user(opened.store.text(), user), done);
}

std::string kinds_of(const User& user) {
  std::string out;
  auto add = [&out](std::string_view word) { out.append(out.empty() ? "" : " ").append(word); };
  if (!user.hash.empty()) add(login::hash_name(user.hash));
  if (user.keys.sha256) add("SCRAM-SHA-256");
  if (user.keys.sha1) add("SCRAM-SHA-1");
  if (user.keys.password) add("CRAM-MD5");
  return out;
}

bool is_suspended(const json::object& account) {
  const json::value* value = account.if_contains("suspended");
  return value != nullptr && value->is_bool() && value->as_bool();
}

// What the server knows of users, or the queue on disk; nothing where neither can be asked, for the file is listed all
// the same.
std::map<std::string, json::object> accounts_of(const Context& context) {
  std::map<std::string, json::object> accounts;
  auto take = [&](const std::string& row) {
    boost::system::error_code error;
    json::value value = json::parse(row, error);
    if (error || !value.is_object()) return true;
    const json::value* name = value.as_object().if_contains("name");
    if (name != nullptr && name->is_string()) accounts[std::string(name->as_string().c_str())] = value.as_object();
    return true;
  };
  auto asked = ask_server(context, {.verb = admin::Verb::kUserList, .selection = {}}, take);
  if (asked || !server_is_down(asked.error()) || !context.hooks.open_queue) return accounts;
  auto loaded = context.load(false, false);
  if (!loaded) return accounts;
  auto store = context.hooks.open_queue(loaded->settings.store.path);
  if (store) (void)admin::list_users_offline(**store, loaded->settings.users, context.clock(), take);
  return accounts;
}

// "3/100 messages an hour, 5 recipients a day": limits, and of what has none the day.
std::string use_of(const json::object& account) {
  const json::value* used = account.if_contains("used");
  if (used == nullptr || !used->is_array()) return {};
  auto text = [](const json::object& from, const char* key) {
    const json::value* value = from.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->as_string().c_str()) : std::string();
  };
  auto number = [](const json::object& from, const char* key) {
    const json::value* value = from.if_contains(key);
    boost::system::error_code error;
    const auto n = value == nullptr ? std::uint64_t{0} : value->to_number<std::uint64_t>(error);
    return error ? std::uint64_t{0} : n;
  };
  std::string out;
  for (const json::value& value : used->as_array()) {
    if (!value.is_object()) continue;
    const json::object& one = value.as_object();
    const std::string measure = text(one, "measure"), span = text(one, "span");
    const std::uint64_t limit = number(one, "limit");
    if (limit == 0 && (span != "day" || measure == "bytes")) continue;
    const char* format = measure == "messages"     ? span == "minute" ? N_("{} messages a minute")
                                                     : span == "hour" ? N_("{} messages an hour")
                                                                      : N_("{} messages a day")
                             : measure == "recipients" ? span == "minute" ? N_("{} recipients a minute")
                                                         : span == "hour" ? N_("{} recipients an hour")
                                                                          : N_("{} recipients a day")
                                                       : N_("{} a day");
    auto amount = [&](std::uint64_t n) { return measure == "bytes" ? config::size_text(n) : fmt::format("{}", n); };
    const std::uint64_t used_now = number(one, "used");
    const std::string n = amount(used_now);
    out += out.empty() ? "" : ", ";
    out += limit != 0 || measure == "bytes" ? tr(format, limit == 0 ? n : n + "/" + amount(limit))
           : measure == "messages" ? trn("{} message a day", "{} messages a day", used_now, n)
                                            : trn("{} recipient a day", "{} recipients a day", used_now, n);
  }
  return out;
}

void print_json(const Terminal& t, const User& user, bool suspended, const json::object& account) {
  json::array scram;
  if (user.keys.sha256) scram.emplace_back("SCRAM-SHA-256");
  if (user.keys.sha1) scram.emplace_back("SCRAM-SHA-1");
  json::object out{{"name", user.name},      {"disabled", user.disabled},
                   {"suspended", suspended}, {"hash", login::hash_name(user.hash)},
                   {"scram", scram},         {"cram_md5", user.keys.password.has_value()}};
  for (const auto& member : account) {
    if (!out.contains(member.key())) out[member.key()] = member.value();
  }
  t.out << json::serialize(out) << "\n";
}

Status change_offline(const Context& context, const admin::Request& request, const queue::StoreSettings& settings,
                      const Error& down) {
  if (request.dry_run) {
    if (!context.hooks.open_queue) return std::unexpected(down);
    auto store = context.hooks.open_queue(settings.path);
    if (!store) return std::unexpected(store.error());
    auto note = admin::user_note(**store, request, context.clock());
    if (!note) return std::unexpected(note.error());
    return {};
  }
  if (!context.hooks.change_queue) return std::unexpected(down);
  return context.hooks.change_queue(settings, [&](queue::Store& store) -> Result<queue::Change> {
    auto note = admin::user_note(store, request, context.clock());
    if (!note) return std::unexpected(note.error());
    return queue::Change(std::move(*note));
  });
}

}  // namespace

int user_add_command(const Context& context, const UserCommand& command) {
  auto name = name_of(context, command);
  if (!name) return EX_USAGE;
  auto opened = open_users(context, command, true);
  if (!opened) return EX_CONFIG;
  if (opened->users.find(*name) != nullptr) {
    context.terminal.error(tr("there is a user {} already", *name),
                           tr("another password: sidegate user passwd {}", *name));
    return EX_DATAERR;
  }
  User user;
  user.name = *name;
  return set_password(context, command, *opened, std::move(user), tr("user {} may log in", *name));
}

int user_passwd_command(const Context& context, const UserCommand& command) {
  auto name = name_of(context, command);
  if (!name) return EX_USAGE;
  auto opened = open_users(context, command, true);
  if (!opened) return EX_CONFIG;
  const User* user = opened->users.find(*name);
  if (user == nullptr) return unknown_user(context, *name);
  return set_password(context, command, *opened, *user, tr("user {} has another password", *name));
}

int user_enable_command(const Context& context, const UserCommand& command, bool enable) {
  auto name = name_of(context, command);
  if (!name) return EX_USAGE;
  auto opened = open_users(context, command, true);
  if (!opened) return EX_CONFIG;
  const User* found = opened->users.find(*name);
  if (found == nullptr) return unknown_user(context, *name);
  User user = *found;
  user.disabled = !enable;
  return keep(context, command, *opened, login::with_user(opened->store.text(), user),
              enable ? tr("user {} may log in", *name) : tr("user {} may not log in", *name));
}

// Whoever lets them log in, they are known by name alone: the server is asked, or the queue on disk is changed.
int user_suspend_command(const Context& context, const UserCommand& command, bool suspend) {
  auto name = name_of(context, command);
  if (!name) return EX_USAGE;
  admin::Request request{.verb = suspend ? admin::Verb::kUserSuspend : admin::Verb::kUserResume, .selection = {}};
  request.user = *name;
  request.reason = printable(command.reason, 500);
  request.dry_run = command.dry_run;
  auto asked = ask_server(context, request, [](std::string) { return true; });
  Status done;
  if (!asked) done = std::unexpected(asked.error());
  if (!done && server_is_down(done.error())) {
    auto loaded = context.load(false, false);
    if (!loaded) return EX_CONFIG;
    done = change_offline(context, request, loaded->settings.store, done.error());
    if (done) context.terminal.warning(_("the server is down: this holds when it is started"));
  }
  if (!done && done.error().kind == ErrorKind::kConflict && !suspend)
    return report(context, done.error(), _("who is suspended: sidegate status"));
  if (!done) return report_server(context, done.error());
  const std::string what = suspend ? tr("user {} is suspended", *name) : tr("user {} may send again", *name);
  context.terminal.out << (command.dry_run ? tr("would be done: {}", what) : what) << "\n";
  return EX_OK;
}

int user_delete_command(const Context& context, const UserCommand& command) {
  auto name = name_of(context, command);
  if (!name) return EX_USAGE;
  auto opened = open_users(context, command, true);
  if (!opened) return EX_CONFIG;
  if (opened->users.find(*name) == nullptr) return unknown_user(context, *name);
  return keep(context, command, *opened, login::without_user(opened->store.text(), *name),
              tr("user {} is removed", *name));
}

int user_list_command(const Context& context, const UserCommand& command) {
  auto opened = open_users(context, command, false);
  if (!opened) return EX_CONFIG;
  std::map<std::string, json::object> accounts = accounts_of(context);
  std::vector<std::vector<std::string>> rows;
  for (const User& user : opened->users.users()) {
    json::object account;
    if (auto at = accounts.find(user.name); at != accounts.end()) account = std::move(accounts.extract(at).mapped());
    const bool suspended = user.suspended || is_suspended(account);
    if (context.common.json) {
      print_json(context.terminal, user, suspended, account);
      continue;
    }
    const char* state = user.disabled ? _("disabled") : suspended ? _("suspended") : _("may log in");
    rows.push_back({printable(user.name, 255), state, kinds_of(user), use_of(account)});
  }
  for (const auto& [name, account] : accounts) {  // of other back ends, and Unix users
    if (context.common.json) {
      context.terminal.out << json::serialize(account) << "\n";
      continue;
    }
    rows.push_back({printable(name, 255), is_suspended(account) ? _("suspended") : "", "", use_of(account)});
  }
  if (context.common.json) return EX_OK;
  if (rows.empty())
    context.terminal.out << _("no users") << "\n";
  else
    context.terminal.out << table({_("USER"), _("STATE"), _("STORED"), _("SENT")}, rows, context.terminal.width);
  return EX_OK;
}

}  // namespace sidegate::cli
