#include "alias/walk.h"

#include "base/i18n.h"
#include "base/text.h"
#include "mail/idna.h"
#include "mail/mailbox.h"

namespace sidegate::alias {

using mail::Destination;

Expansion Walk::run() {
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
  if (out_.fate == Fate::kResolved) confirm_here();
  if (out_.fate != Fate::kResolved) out_.recipients.clear();
  return std::move(out_);
}

void Walk::address(const std::string& text, const Branch& branch) {
  std::string key =
      text + "\n" + branch.return_path + (branch.from_peer ? "\np" : "\n") + (branch.rewritten ? "r" : "");
  if (done_.contains(key)) {
    step(StepKind::kDuplicate, branch, text, {}, branch.at);
    return;
  }
  const std::size_t outer = std::exchange(outermost_met_, std::string::npos);
  look_up(text, branch);
  // Where it met what is being expanded around it, it ends otherwise elsewhere.
  if (outermost_met_ >= path_.size()) done_.insert(std::move(key));
  outermost_met_ = std::min(outer, outermost_met_);
}

void Walk::look_up(const std::string& text, const Branch& branch) {
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

void Walk::unqualified(const std::string& name, const Branch& branch) {
  // On the right-hand side a bare name is a name of this machine.
  std::string qualified = join_address(name, settings_.hostname);
  if (is_local_domain(settings_, lower(settings_.hostname))) {
    if (look_up_virtual(qualified, split_address(qualified), branch)) return;
  }
  local(name, qualified, branch);
}

void Walk::virtual_unknown(const std::string& text, const Split& split, const Branch& branch) {
  if (tables_.virtuals_unreadable()) return unread(tables_.virtual_files(), branch);
  // RFC 5321 section 4.5.1: every domain that takes mail takes postmaster's.
  if (iequals(split.local, "postmaster")) return local(split.local, text, branch);
  unknown(text, branch);
}

std::string Walk::key_of(const Split& split) {
  return lower(split.local) + "@" + split.domain;
}

bool Walk::look_up_virtual(const std::string& text, const Split& split, const Branch& branch) {
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

const Entry* Walk::virtual_entry(const Split& split, std::string& tag, bool& catch_all) const {
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

bool Walk::maps_to_itself(const Entry& entry, const Split& split) {
  return std::ranges::any_of(entry.targets, [&](const Target& target) {
    if (target.kind == TargetKind::kDomain)
      return mail::same_domain(target.text, split.domain) && entry.targets.size() == 1;
    return entry.targets.size() == 1 && key_of(split_address(target.text)) == key_of(split);
  });
}

bool Walk::virtual_again(const std::string& text, const Split& split, const Entry& entry, const Branch& branch) {
  if (is_local_domain(settings_, split.domain)) return false;
  loop(text, branch, entry.at);
  return true;
}

void Walk::to_domain(const Target& target, const Split& split, const Branch& branch) {
  std::string text = join_address(split.local, target.text);
  if (!mail::is_mailbox(text, true)) return unknown(text, branch);
  // RFC 5321 section 3.3: what another server might route onwards is no local part to pass on to it.
  if (looks_routed(split.local)) return unknown(text, branch);
  address(text, branch);
}

std::string Walk::with_tag(const std::string& target, const std::string& tag) const {
  Split split = split_address(target);
  bool stays =
      split.domain.empty() || is_local_domain(settings_, split.domain) || tables_.is_virtual_domain(split.domain);
  if (!stays || tag_begins(split.local, settings_.recipient_delimiter)) return target;
  std::string domain = split.domain.empty() ? settings_.hostname : split.domain;
  std::string tagged = join_address(split.local + tag, domain);
  return mail::is_mailbox(tagged, true) ? tagged : target;
}

}  // namespace sidegate::alias
