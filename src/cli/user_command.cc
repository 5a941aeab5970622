// `sidegate user`: our own file of users, changed as a whole: written beside the old one, synced, and put in its place.
#include <unistd.h>
#include <boost/json.hpp>
#include <iostream>

#include "base/i18n.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/password_prompt.h"
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

void print_json(const Terminal& t, const User& user) {
  json::array scram;
  if (user.keys.sha256) scram.emplace_back("SCRAM-SHA-256");
  if (user.keys.sha1) scram.emplace_back("SCRAM-SHA-1");
  t.out << json::serialize(json::object{{"name", user.name},
                                        {"disabled", user.disabled},
                                        {"suspended", user.suspended},
                                        {"hash", login::hash_name(user.hash)},
                                        {"scram", scram},
                                        {"cram_md5", user.keys.password.has_value()}})
        << "\n";
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
  std::vector<std::vector<std::string>> rows;
  for (const User& user : opened->users.users()) {
    if (context.common.json) {
      print_json(context.terminal, user);
      continue;
    }
    const char* state = user.disabled ? _("disabled") : user.suspended ? _("suspended") : _("may log in");
    rows.push_back({printable(user.name, 255), state, kinds_of(user)});
  }
  if (context.common.json) return EX_OK;
  if (rows.empty())
    context.terminal.out << _("no users") << "\n";
  else
    context.terminal.out << table({_("USER"), _("STATE"), _("STORED")}, rows, context.terminal.width);
  return EX_OK;
}

}  // namespace sidegate::cli
