#include "alias/walk.h"

#include "base/i18n.h"
#include "base/text.h"
#include "mail/mailbox.h"

namespace sidegate::alias {

using mail::Destination;

void Walk::local(const std::string& name, const std::string& text, const Branch& branch) {
  std::string key = lower(name);
  auto begins = tag_begins(key, settings_.recipient_delimiter);
  std::string base = begins ? key.substr(0, *begins) : key;
  const Entry* entry = tables_.alias(key);
  if (entry == nullptr && begins) {
    entry = tables_.alias(base);
    if (entry != nullptr) step(StepKind::kTag, branch, key, base);
  }
  if (entry != nullptr && !on_path("a:" + entry->key)) return alias(*entry, text, branch);
  if (entry == nullptr && tables_.aliases_unreadable()) return unread(tables_.alias_files(), branch);
  if (user(name, text, branch)) return;
  if (deferred_) return;
  if (entry != nullptr) return loop(entry->key, branch, entry->at);
  if (built_in(base, branch)) return;
  if (exempt_.contains(key_of(split_address(text))) &&
      may_be_user(name)) {  // "a@x a@x" in the virtual map: a mailbox that is no Unix user
    return finish(Destination::kMailbox, name, text, branch);
  }
  unknown(text, branch);
}

void Walk::alias(const Entry& entry, const std::string& text, const Branch& branch) {
  if (entry.broken) return trouble(branch, entry.at, tr("the line of {} cannot be read", printable(entry.key, 100)));
  step(StepKind::kAlias, branch, entry.key, right_side(entry), entry.at);
  Branch next = branch.below();
  next.rewritten = true;
  next.from_peer = false;
  next.as_user.clear();
  owner_of(entry, text, next);
  path_.push_back("a:" + entry.key);
  targets(entry.targets, entry.at.file, tables_.owner(entry.at.file), text, next);
  path_.pop_back();
}

void Walk::owner_of(const Entry& entry, const std::string& text, Branch& branch) {
  const Entry* owner = entry.key.starts_with("owner-") ? nullptr : tables_.alias("owner-" + entry.key);
  if (owner == nullptr || null_sender_) return;
  std::string domain = split_address(text).domain;
  bool known_outside = domain.find('.') != std::string::npos && !domain.starts_with("localhost.");
  std::string path = join_address(owner->key, known_outside ? domain : settings_.hostname);
  if (!mail::is_mailbox(path, true)) return;  // too long a name for an address
  branch.return_path = std::move(path);
  step(StepKind::kOwner, branch, entry.key, branch.return_path, owner->at);
}

void Walk::targets(const std::vector<Target>& list, const std::string& file, unsigned owner, const std::string& text,
                   const Branch& branch) {
  for (const Target& target : list) {
    if (deferred_) return;
    Branch next = branch;
    next.at = {file, target.line};
    switch (target.kind) {
      case TargetKind::kAddress:
        address(target.text, next);
        break;
      case TargetKind::kMailbox:
        mailbox_of(target.text, next);
        break;
      case TargetKind::kDomain:
        break;
      case TargetKind::kCommand:
        finish(Destination::kPipe, target.text, text, next);
        break;
      case TargetKind::kFile:
        finish(Destination::kFile, target.text, text, next);
        break;
      case TargetKind::kDiscard:
        finish(Destination::kDiscard, {}, text, next);
        break;
      case TargetKind::kInclude:
        include(target.text, owner, text, next);
        break;
    }
  }
}

void Walk::include(const std::string& path, unsigned owner, const std::string& text, const Branch& branch) {
  if (on_path("i:" + path)) return loop(path, branch, branch.at);
  auto read = sources_.read_include(path, owner);
  if (!read) return trouble(branch, branch.at, read.error().text);
  Targets list = parse_list(path, *read, ListKind::kInclude);
  if (has_error(list.problems)) {
    out_.problems.insert(out_.problems.end(), list.problems.begin(), list.problems.end());
    return trouble(branch, list.problems.front().at, list.problems.front().what, false);
  }
  step(StepKind::kInclude, branch, path, trn("{} entry", "{} entries", list.list.size(), list.list.size()), branch.at);
  path_.push_back("i:" + path);
  targets(list.list, path, owner, text, branch.below());
  path_.pop_back();
}

void Walk::mailbox_of(const std::string& name, const Branch& branch) {
  std::string text = join_address(name, settings_.hostname);
  auto found = find_user(name, branch);
  if (deferred_) return;
  if (!found) return unknown(text, branch);
  finish(Destination::kMailbox, found->name, text, branch);
}

std::optional<User> Walk::find_user(const std::string& name, const Branch& branch) {
  if (!may_be_user(name)) return std::nullopt;
  auto found = sources_.find_user(name);
  if (found) return std::move(*found);
  trouble(branch, {}, tr("cannot ask for user {}: {}", printable(name, 100), found.error().text));
  return std::nullopt;
}

bool Walk::user(const std::string& name, const std::string& text, const Branch& branch) {
  if (user_named(name, {}, text, branch)) return true;
  auto begins = tag_begins(name, settings_.recipient_delimiter);
  return begins && !deferred_ && user_named(name.substr(0, *begins), lower(name.substr(*begins + 1)), text, branch);
}

bool Walk::user_named(const std::string& name, const std::string& tag, const std::string& text, const Branch& branch) {
  auto found = find_user(lower(name), branch);
  if (!found && !deferred_ && lower(name) != name) found = find_user(name, branch);  // some have capitals
  if (!found) return deferred_;
  step(StepKind::kUser, branch, found->name, found->home);
  if (!forward(*found, tag, text, branch)) finish(Destination::kMailbox, found->name, text, branch);
  return true;
}

bool Walk::forward(const User& user, const std::string& tag, const std::string& text, const Branch& branch) {
  std::string mark = "f:" + user.name;
  if (!settings_.forward_files || on_path(mark)) return false;
  std::string path = user.home + "/.forward";
  auto read = sources_.read_forward(user, tag);
  if (!read) return unbelieved(user, path, read.error(), branch);
  if (!*read) return false;
  Targets list = parse_list(path, **read, ListKind::kForward);
  if (has_error(list.problems)) {
    // The user's own mistake: mail stays in the mailbox, where the user sees it.
    out_.problems.insert(out_.problems.end(), list.problems.begin(), list.problems.end());
    step(StepKind::kNoForward, branch, path, list.problems.front().text(), list.problems.front().at);
    return false;
  }
  if (list.list.empty()) return false;  // an empty file forwards nothing
  step(StepKind::kForward, branch, path, right_side(list.list), {path, list.list.front().line});
  Branch next = branch.below();
  next.rewritten = true;
  next.from_peer = false;
  next.as_user = user.name;
  path_.push_back(mark);
  targets(list.list, path, user.uid, text, next);
  path_.pop_back();
  return true;
}

bool Walk::unbelieved(const User& user, const std::string& path, const Error& error, const Branch& branch) {
  bool unsafe =
      error.kind == ErrorKind::kRefused || error.kind == ErrorKind::kBadInput || error.kind == ErrorKind::kTooLarge;
  if (!unsafe) {
    trouble(branch, {path, 0}, tr("{}'s .forward cannot be read: {}", user.name, error.text));
    return true;
  }
  out_.problems.push_back(
      {Severity::kWarning, {path, 0}, error.text, _("mail stays in the mailbox until it is mended")});
  step(StepKind::kNoForward, branch, path, error.text);
  return false;
}

bool Walk::built_in(const std::string& base, const Branch& branch) {
  std::string to;
  if (base == "mailer-daemon") to = "postmaster";
  if (base == "postmaster") to = settings_.postmaster.empty() ? "root" : settings_.postmaster;
  std::string mark = "b:" + base;
  if (to.empty() || on_path(mark)) return false;
  step(StepKind::kBuiltIn, branch, base, to);
  Branch next = branch.below();
  next.rewritten = true;
  next.from_peer = false;
  path_.push_back(mark);
  address(to, next);
  path_.pop_back();
  return true;
}

}  // namespace sidegate::alias
