#include "alias/expander.h"

#include <algorithm>
#include <unordered_set>

#include "alias/address.h"
#include "base/i18n.h"
#include "base/text.h"
#include "mail/mailbox.h"

namespace sidegate::alias {
namespace {

using mail::Destination;

// Names that no Unix system has, or that would be a path where a mailbox is one.
bool may_be_user(const std::string& name) {
  return !name.empty() && name.size() <= 64 && name[0] != '.' && name.find_first_of("/: ") == std::string::npos &&
         std::ranges::none_of(name, is_control) && is_utf8(name);
}

// What is inherited on the way down from one name to the next.
struct Branch {
  unsigned depth = 0;
  bool rewritten = false;   // some map of ours said where to
  bool from_peer = true;    // the local part is still what the client wrote (a catch-all may have changed its domain)
  std::string as_user;      // whose ~/.forward says so; empty: an alias file
  std::string return_path;  // of the innermost list with an owner
  Place at;                 // the line that led here
  Branch below() const {
    Branch branch = *this;
    ++branch.depth;
    return branch;
  }
};

class Walk {
 public:
  Walk(const Settings& settings, const Tables& tables, Sources& sources, const mail::Recipient& given, bool null_sender)
      : settings_(settings), tables_(tables), sources_(sources), given_(given), null_sender_(null_sender) {}

  Expansion run() {
    address(given_.address, Branch{});
    if (deferred_)
      out_.fate = Fate::kDeferred;
    else if (!out_.recipients.empty())
      out_.fate = stands_as_given() ? Fate::kNotOurs : Fate::kResolved;
    else if (peer_unknown_)
      out_.fate = Fate::kUnknown;
    else if (loops_)
      out_.fate = Fate::kDeferred;
    else
      leads_nowhere();
    // A list whose other members are fine: who is not there is told by a failed delivery, to the list's owner.
    if (out_.fate == Fate::kResolved) keep_dangling();
    if (out_.fate != Fate::kResolved) out_.recipients.clear();
    return std::move(out_);
  }

 private:
  // --- an address: virtual map, then local or away

  void address(const std::string& text, const Branch& branch) {
    if (!step(StepKind::kAddress, branch, text)) return;
    Split split = split_address(text);
    if (split.domain.empty()) return unqualified(split.local, branch);
    if (look_up_virtual(text, split, branch)) return;
    if (is_local_domain(settings_, split.domain)) return local(split.local, text, branch);
    bool declared = tables_.is_virtual_domain(split.domain) && !exempt_.contains(key_of(split));
    if (declared) return virtual_unknown(text, split, branch);
    if (tables_.virtuals_unreadable()) return unread(tables_.virtual_files(), branch);
    finish(Destination::kRoute, {}, text, branch);
  }

  void unqualified(const std::string& name, const Branch& branch) {
    // On the right-hand side a bare name is a name of this machine.
    std::string qualified = join_address(name, settings_.hostname);
    if (is_local_domain(settings_, lower(settings_.hostname))) {
      if (look_up_virtual(qualified, split_address(qualified), branch)) return;
    }
    local(name, qualified, branch);
  }

  void virtual_unknown(const std::string& text, const Split& split, const Branch& branch) {
    if (tables_.virtuals_unreadable()) return unread(tables_.virtual_files(), branch);
    // RFC 5321 section 4.5.1: every domain that takes mail takes postmaster's.
    if (iequals(split.local, "postmaster")) return local(split.local, text, branch);
    unknown(text, branch);
  }

  static std::string key_of(const Split& split) { return lower(split.local) + "@" + split.domain; }

  // True: the map had something to say, and it is done.
  bool look_up_virtual(const std::string& text, const Split& split, const Branch& branch) {
    std::string tag;
    bool catch_all = false;
    const Entry* entry = virtual_entry(split, tag, catch_all);
    if (entry == nullptr) return false;
    if (entry->broken) {
      trouble(branch, entry->at, tr("the line of {} cannot be read", printable(entry->key, 100)));
      return true;
    }
    std::string mark = "v:" + entry->key + ":" + (catch_all ? key_of(split) : "");
    if (maps_to_itself(*entry, split)) {
      exempt_.insert(key_of(split));
      return false;
    }
    if (on_path(mark)) return virtual_again(text, split, *entry, branch);
    step(catch_all ? StepKind::kCatchAll : StepKind::kVirtual, branch, entry->key, right_side(*entry), entry->at);
    path_.push_back(mark);
    for (const Target& target : entry->targets) {
      Branch next = branch.below();
      next.rewritten = true;
      next.at = {entry->at.file, target.line};
      if (target.kind == TargetKind::kDomain) {
        to_domain(target, split, next);
      } else {
        next.from_peer = false;
        address(tag.empty() ? target.text : with_tag(target.text, tag), next);
      }
    }
    path_.pop_back();
    return true;
  }

  const Entry* virtual_entry(const Split& split, std::string& tag, bool& catch_all) const {
    std::string local = lower(split.local);
    bool is_local = is_local_domain(settings_, split.domain);
    auto begins = tag_begins(local, settings_.recipient_delimiter);
    std::string base = begins ? local.substr(0, *begins) : local;
    auto at = [&](const std::string& name, bool bare) {
      return tables_.virtual_entry(bare ? name : name + "@" + split.domain);
    };
    for (bool bare : {false, true}) {
      if (bare && !is_local) break;
      if (const Entry* whole = at(local, bare)) return whole;
      if (!begins) continue;
      if (const Entry* without = at(base, bare)) {
        tag = split.local.substr(*begins);
        return without;
      }
    }
    const Entry* all = tables_.virtual_entry("@" + split.domain);
    catch_all = all != nullptr;
    return all;
  }

  // "a@x a@x" keeps a catch-all away; "@x @x" gives back a domain that only some lines are about.
  static bool maps_to_itself(const Entry& entry, const Split& split) {
    return std::ranges::any_of(entry.targets, [&](const Target& target) {
      if (target.kind == TargetKind::kDomain) return lower(target.text) == split.domain && entry.targets.size() == 1;
      return entry.targets.size() == 1 && key_of(split_address(target.text)) == key_of(split);
    });
  }

  // Met again below itself: as if it stood alone, where it ends somewhere; else it is a loop.
  bool virtual_again(const std::string& text, const Split& split, const Entry& entry, const Branch& branch) {
    if (is_local_domain(settings_, split.domain)) return false;
    loop(text, branch, entry.at);
    return true;
  }

  void to_domain(const Target& target, const Split& split, const Branch& branch) {
    std::string text = join_address(split.local, target.text);
    if (!mail::is_mailbox(text, true)) return unknown(text, branch);
    // RFC 5321 section 3.3: what another server might route onwards is no local part to pass on to it.
    if (looks_routed(split.local)) return unknown(text, branch);
    address(text, branch);
  }

  // The tag goes with it as long as it stays here; elsewhere nobody need know what it means.
  std::string with_tag(const std::string& target, const std::string& tag) const {
    Split split = split_address(target);
    bool stays =
        split.domain.empty() || is_local_domain(settings_, split.domain) || tables_.is_virtual_domain(split.domain);
    if (!stays || tag_begins(split.local, settings_.recipient_delimiter)) return target;
    std::string domain = split.domain.empty() ? settings_.hostname : split.domain;
    std::string tagged = join_address(split.local + tag, domain);
    return mail::is_mailbox(tagged, true) ? tagged : target;
  }

  // --- a name of this machine: alias, user, ~/.forward, mailbox

  void local(const std::string& name, const std::string& text, const Branch& branch) {
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

  void alias(const Entry& entry, const std::string& text, const Branch& branch) {
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

  // Bounces of a list go to who keeps it. RFC 5321 section 3.9: the reverse-path is the list's, but never of a bounce.
  void owner_of(const Entry& entry, const std::string& text, Branch& branch) {
    const Entry* owner = entry.key.starts_with("owner-") ? nullptr : tables_.alias("owner-" + entry.key);
    if (owner == nullptr || null_sender_) return;
    std::string domain = split_address(text).domain;
    bool known_outside = domain.find('.') != std::string::npos && domain != "localhost.localdomain";
    std::string path = join_address(owner->key, known_outside ? domain : settings_.hostname);
    if (!mail::is_mailbox(path, true)) return;  // too long a name for an address
    branch.return_path = std::move(path);
    step(StepKind::kOwner, branch, entry.key, branch.return_path, owner->at);
  }

  void targets(const std::vector<Target>& list, const std::string& file, unsigned owner, const std::string& text,
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

  void include(const std::string& path, unsigned owner, const std::string& text, const Branch& branch) {
    if (on_path("i:" + path)) return loop(path, branch, branch.at);
    auto read = sources_.read_include(path, owner);
    if (!read) return trouble(branch, branch.at, read.error().text);
    Targets list = parse_list(path, *read, ListKind::kInclude);
    if (has_error(list.problems)) {
      out_.problems.insert(out_.problems.end(), list.problems.begin(), list.problems.end());
      return trouble(branch, list.problems.front().at, list.problems.front().what, false);
    }
    step(StepKind::kInclude, branch, path, tr("{} entries", list.list.size()), branch.at);
    path_.push_back("i:" + path);
    targets(list.list, path, owner, text, branch.below());
    path_.pop_back();
  }

  // \user
  void mailbox_of(const std::string& name, const Branch& branch) {
    std::string text = join_address(name, settings_.hostname);
    auto found = find_user(name, branch);
    if (deferred_) return;
    if (!found) return unknown(text, branch);
    finish(Destination::kMailbox, found->name, text, branch);
  }

  std::optional<User> find_user(const std::string& name, const Branch& branch) {
    if (!may_be_user(name)) return std::nullopt;
    auto found = sources_.find_user(name);
    if (found) return std::move(*found);
    trouble(branch, {}, tr("cannot ask for user {}: {}", printable(name, 100), found.error().text));
    return std::nullopt;
  }

  // True: there is one, and it is done.
  bool user(const std::string& name, const std::string& text, const Branch& branch) {
    if (user_named(name, {}, text, branch)) return true;
    auto begins = tag_begins(name, settings_.recipient_delimiter);
    return begins && !deferred_ && user_named(name.substr(0, *begins), lower(name.substr(*begins + 1)), text, branch);
  }

  bool user_named(const std::string& name, const std::string& tag, const std::string& text, const Branch& branch) {
    auto found = find_user(lower(name), branch);
    if (!found && !deferred_ && lower(name) != name) found = find_user(name, branch);  // some have capitals
    if (!found) return deferred_;
    step(StepKind::kUser, branch, found->name, found->home);
    if (!forward(*found, tag, text, branch)) finish(Destination::kMailbox, found->name, text, branch);
    return true;
  }

  bool forward(const User& user, const std::string& tag, const std::string& text, const Branch& branch) {
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

  bool unbelieved(const User& user, const std::string& path, const Error& error, const Branch& branch) {
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

  // RFC 5321 section 4.5.1: postmaster is always there. Our reports come from mailer-daemon: answers to them too.
  bool built_in(const std::string& base, const Branch& branch) {
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

  // --- the ends

  void finish(Destination destination, const std::string& target, const std::string& text, const Branch& branch) {
    mail::Recipient r;
    r.address = text;
    r.destination = destination;
    r.target = target;
    if (destination == Destination::kPipe || destination == Destination::kFile) r.as_user = branch.as_user;
    if (text != given_.address) r.original = given_.address;
    r.return_path = branch.return_path;
    r.forwarded = branch.rewritten && destination == Destination::kRoute;
    carry_dsn(r);
    step(end_of(destination), branch, destination == Destination::kRoute ? text : target, {}, branch.at);
    if (!seen_.insert(delivery_key(r)).second) {
      out_.steps.back().kind = StepKind::kDuplicate;
      return;
    }
    if (out_.recipients.size() >= kMostRecipients)
      return trouble(branch, branch.at, tr("more than {} recipients", kMostRecipients));
    out_.recipients.push_back(std::move(r));
  }

  // RFC 3461 section 5.2.7: an alias passes NOTIFY and ORCPT on, and makes an ORCPT where there was none. A list has a
  // reverse-path of its own: what the sender asked for ends at the list.
  void carry_dsn(mail::Recipient& r) const {
    if (!r.return_path.empty()) return;
    r.notify = given_.notify;
    r.orcpt = given_.orcpt;
    if (r.orcpt.empty() && !r.original.empty()) r.orcpt = make_orcpt(given_.address);
  }

  static StepKind end_of(Destination destination) {
    switch (destination) {
      case Destination::kRoute:
        return StepKind::kLeaves;
      case Destination::kMailbox:
        return StepKind::kMailbox;
      case Destination::kPipe:
        return StepKind::kCommand;
      case Destination::kFile:
        return StepKind::kFile;
      case Destination::kDiscard:
        return StepKind::kDiscard;
    }
    return StepKind::kLeaves;
  }

  void unknown(const std::string& text, const Branch& branch) {
    step(StepKind::kUnknown, branch, text, {}, branch.at);
    if (branch.from_peer) {
      peer_unknown_ = true;
    } else {
      dangling_.emplace_back(text, branch);
    }
  }

  void loop(const std::string& what, const Branch& branch, const Place& at) {
    loops_ = true;
    step(StepKind::kLoop, branch, what, {}, at);
    out_.problems.push_back({Severity::kError, at, tr("{} leads back to itself", printable(what, 100)),
                             _("take it out of its own right-hand side")});
  }

  // tell: false where the problem was already put down.
  void trouble(const Branch& branch, const Place& at, std::string why, bool tell = true) {
    deferred_ = true;
    step(StepKind::kTrouble, branch, given_.address, why, at);
    if (tell) out_.problems.push_back({Severity::kError, at, std::move(why), _("mail waits until it is mended")});
  }

  void unread(const std::vector<MapFile>& files, const Branch& branch) {
    for (const MapFile& file : files) {
      if (!file.unreadable) continue;
      auto why = std::ranges::find(file.problems, Severity::kError, &Problem::severity);
      if (why != file.problems.end()) return trouble(branch, why->at, why->what);
    }
    trouble(branch, {}, _("an alias file cannot be read"));
  }

  void leads_nowhere() {
    out_.fate = Fate::kDeferred;
    for (const auto& [text, branch] : dangling_) tell_dangling(text, branch);
  }

  void tell_dangling(const std::string& text, const Branch& branch) {
    out_.problems.push_back({Severity::kError, branch.at, tr("{} is nobody here", printable(text, 200)),
                             _("write an address that exists")});
  }

  void keep_dangling() {
    for (const auto& [text, branch] : dangling_) {
      tell_dangling(text, branch);
      std::string user = split_address(text).local;
      if (!may_be_user(user)) continue;
      finish(Destination::kMailbox, user, text, branch);
      out_.steps.pop_back();  // told as unknown already
    }
  }

  // Relayed just as it was given.
  bool stands_as_given() const {
    const mail::Recipient& only = out_.recipients.front();
    return out_.recipients.size() == 1 && dangling_.empty() && only.destination == Destination::kRoute &&
           !only.forwarded && only.address == given_.address;
  }

  // --- steps and bounds

  bool on_path(const std::string& mark) const { return std::ranges::find(path_, mark) != path_.end(); }

  // False: too deep or too many; told, and deferred.
  bool step(StepKind kind, const Branch& branch, std::string subject, std::string detail = {}, Place at = {}) {
    if (deferred_ && kind != StepKind::kTrouble) return false;
    if (kind == StepKind::kAddress && (branch.depth > kMostLevels || out_.steps.size() > kMostSteps)) {
      trouble(branch, branch.at,
              tr("aliases lead on and on, more than {} levels or {} steps", kMostLevels, kMostSteps));
      return false;
    }
    out_.steps.push_back({kind, branch.depth, std::move(subject), std::move(detail), std::move(at)});
    return true;
  }

  static std::string right_side(const std::vector<Target>& list) {
    std::string out;
    for (const Target& target : list) {
      if (out.size() > 200) return out + ", ...";
      out += (out.empty() ? "" : ", ") + text_of(target);
    }
    return out;
  }
  static std::string right_side(const Entry& entry) { return right_side(entry.targets); }

  const Settings& settings_;
  const Tables& tables_;
  Sources& sources_;
  const mail::Recipient& given_;
  bool null_sender_;
  Expansion out_;
  std::vector<std::string> path_;           // what is being expanded just now, outermost first
  std::unordered_set<std::string> seen_;    // ends reached
  std::unordered_set<std::string> exempt_;  // addresses that the virtual map maps to themselves
  std::vector<std::pair<std::string, Branch>> dangling_;
  bool deferred_ = false, peer_unknown_ = false, loops_ = false;
};

}  // namespace

const char* name(StepKind kind) {
  switch (kind) {
    case StepKind::kAddress:
      return "address";
    case StepKind::kVirtual:
      return "virtual";
    case StepKind::kCatchAll:
      return "catch_all";
    case StepKind::kTag:
      return "tag";
    case StepKind::kAlias:
      return "alias";
    case StepKind::kOwner:
      return "owner";
    case StepKind::kInclude:
      return "include";
    case StepKind::kForward:
      return "forward";
    case StepKind::kNoForward:
      return "forward_not_believed";
    case StepKind::kBuiltIn:
      return "built_in";
    case StepKind::kUser:
      return "user";
    case StepKind::kMailbox:
      return "mailbox";
    case StepKind::kCommand:
      return "command";
    case StepKind::kFile:
      return "file";
    case StepKind::kDiscard:
      return "discard";
    case StepKind::kLeaves:
      return "leaves";
    case StepKind::kDuplicate:
      return "duplicate";
    case StepKind::kUnknown:
      return "unknown";
    case StepKind::kLoop:
      return "loop";
    case StepKind::kTrouble:
      return "trouble";
  }
  return "address";
}

bool is_local_domain(const Settings& settings, std::string_view domain) {
  return std::ranges::find(settings.local_domains, domain) != settings.local_domains.end();
}

bool concerns(const Settings& settings, const Tables& tables, std::string_view address) {
  if (tables.virtuals_unreadable()) return true;
  std::size_t at = address.rfind('@');
  if (at == std::string_view::npos) return true;
  std::string domain = lower(address.substr(at + 1));
  return is_local_domain(settings, domain) || tables.is_virtual_domain(domain);
}

Expansion Expander::expand(const mail::Recipient& given, bool null_sender) {
  return Walk(settings_, tables_, sources_, given, null_sender).run();
}

}  // namespace sidegate::alias
