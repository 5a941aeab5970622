// What the [local] block needs, and what is unwise in it.
#include "base/i18n.h"
#include "base/text.h"
#include "config/resolve.h"

namespace sidegate::config {
namespace {

using deliver::MailboxDelivery;

void check_needs(Draft& draft, const deliver::LocalSettings& local) {
  if (local.delivery == MailboxDelivery::kLmtp && local.lmtp.empty())
    draft.error(draft.where("local", 0, "delivery"), _("delivery = \"lmtp\" needs the server's address"),
                _("add lmtp = \"/run/dovecot/lmtp\" (or \"host:port\") to [local]"));
  if (local.delivery == MailboxDelivery::kCommand && local.command.empty())
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
