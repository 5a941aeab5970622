// What the [local] block needs, and what is unwise in it.
#include <pwd.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/text.h"
#include "config/resolve.h"

namespace sidegate::config {
namespace {

using deliver::MailboxDelivery;

void check_needs(Draft& draft, const deliver::LocalSettings& local) {
  const auto lacks = [&](const std::string& text, const char* key) {
    return text.empty() && !draft.is_unread("local", 0, key);
  };
  if (local.delivery == MailboxDelivery::kLmtp && lacks(local.lmtp, "lmtp"))
    draft.error(draft.where("local", 0, "delivery"), _("delivery = \"lmtp\" needs the server's address"),
                _("add lmtp = \"/run/dovecot/lmtp\" (or \"host:port\") to [local]"));
  if (local.delivery == MailboxDelivery::kCommand && lacks(local.command, "command"))
    draft.error(draft.where("local", 0, "delivery"), _("delivery = \"command\" needs a command"),
                _("add command = \"/usr/bin/procmail\" to [local]"));
  if (local.delivery == MailboxDelivery::kMbox && local.mbox.empty())
    draft.error(draft.where("local", 0, "mbox"), _("delivery = \"mbox\" needs a path"),
                _("write mbox = \"/var/mail/%u\""));
  if (local.delivery == MailboxDelivery::kMaildir && local.maildir.empty())
    draft.error(draft.where("local", 0, "maildir"), _("delivery = \"maildir\" needs a path"),
                _("write maildir = \"~/Maildir/\""));
}

void check_rights(Draft& draft, const deliver::LocalSettings& local) {
  if (local.default_user.empty() || local.default_user == "root")
    draft.error(draft.where("local", 0, "default_user"), _("nothing is delivered with root's rights"),
                _("write default_user = \"nobody\""));
  else if (draft.request.open_files && draft.given("local", 0, "default_user") &&
           getpwnam(local.default_user.c_str()) == nullptr)
    draft.warn(draft.where("local", 0, "default_user"),
               tr("there is no user {} on this machine: root's mail and commands of alias files wait",
                  quoted(local.default_user)),
               _("write default_user = \"nobody\", or add that user"));
}

// Where mail would wait for something that is not there.
void check_places(Draft& draft, const deliver::LocalSettings& local) {
  const std::string& lmtp = local.lmtp;
  const std::size_t colon = lmtp.rfind(':');
  const bool port = colon != std::string::npos && colon > 0 && parse_number(lmtp.substr(colon + 1)).has_value();
  if (!lmtp.empty() && !lmtp.starts_with('/') && !port)
    draft.error(draft.where("local", 0, "lmtp"), tr("{} is neither a socket's path nor host:port", quoted(lmtp)),
                _("add lmtp = \"/run/dovecot/lmtp\" (or \"host:port\") to [local]"));
  const std::string program = local.command.substr(0, local.command.find_first_of(" \t"));
  if (local.delivery == MailboxDelivery::kCommand && draft.request.open_files && program.starts_with('/') &&
      access(program.c_str(), F_OK) != 0 && errno == ENOENT)
    draft.warn(draft.where("local", 0, "command"),
               tr("there is no program {}: mail for users of this machine waits", program));
}

// A mailbox path without a user in it is one file for everybody.
void check_paths(Draft& draft, const deliver::LocalSettings& local) {
  for (const auto& [key, path] : {std::pair("mbox", &local.mbox), std::pair("maildir", &local.maildir)}) {
    bool own = path->starts_with("~/") || path->find("%u") != std::string::npos || path->starts_with("%h/");
    if (!own && !path->empty())
      draft.warn(draft.where("local", 0, key), tr("{}: every user's mail goes to {}", key, *path),
                 _("put %u into the path, or begin it with ~/"));
  }
}

}  // namespace

void resolve_local(Draft& draft) {
  Settings& s = draft.loaded.settings;
  check_needs(draft, s.local);
  check_rights(draft, s.local);
  check_paths(draft, s.local);
  check_places(draft, s.local);
  for (std::size_t i = 0; i < s.deliver.relays.size(); ++i) {
    const std::string& name = s.deliver.relays[i].name;
    const bool decides = name == "discard" || name.starts_with("fail:");
    if (decides) {
      draft.error(draft.where("relay", i, "name"), tr("relay {}: a way of that name is there already", name),
                  _("give it another name"));
      continue;
    }
    if (name != deliver::kLocalWay && name != deliver::kLmtpWay) continue;
    draft.error(draft.where("relay", i, "name"),
                tr("relay {}: mail that stays on this machine goes by that name", name), _("give it another name"));
  }
  s.deliver.local = s.local;
}

}  // namespace sidegate::config
