#include "alias/walk.h"

#include "base/i18n.h"
#include "base/text.h"
#include "mail/mailbox.h"

namespace sidegate::alias {

using mail::Destination;

bool may_be_user(const std::string& name) {
  return !name.empty() && name.size() <= 64 && name[0] != '.' && name.find_first_of("/: ") == std::string::npos &&
         std::ranges::none_of(name, is_control) && is_utf8(name);
}

void Walk::finish(Destination destination, const std::string& target, const std::string& text, const Branch& branch) {
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

void Walk::carry_dsn(mail::Recipient& r) const {
  if (!r.return_path.empty()) return;
  r.notify = given_.notify;
  r.orcpt = given_.orcpt;
  if (r.orcpt.empty() && !r.original.empty()) r.orcpt = make_orcpt(given_.address);
}

StepKind Walk::end_of(Destination destination) {
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

void Walk::unknown(const std::string& text, const Branch& branch) {
  step(StepKind::kUnknown, branch, text, {}, branch.at);
  if (branch.from_peer) {
    peer_unknown_ = true;
  } else {
    dangling_.emplace_back(text, branch);
  }
}

void Walk::loop(const std::string& what, const Branch& branch, const Place& at) {
  loops_ = true;
  step(StepKind::kLoop, branch, what, {}, at);
  Problem problem{Severity::kError, at, tr("{} leads back to itself", printable(what, 100)),
                  _("take it out of its own right-hand side")};
  if (std::ranges::find(out_.problems, problem) == out_.problems.end()) out_.problems.push_back(std::move(problem));
}

void Walk::trouble(const Branch& branch, const Place& at, std::string why, bool tell) {
  deferred_ = true;
  step(StepKind::kTrouble, branch, given_.address, why, at);
  if (tell) out_.problems.push_back({Severity::kError, at, std::move(why), _("mail waits until it is mended")});
}

void Walk::unread(const std::vector<MapFile>& files, const Branch& branch) {
  for (const MapFile& file : files) {
    if (!file.unreadable) continue;
    auto why = std::ranges::find(file.problems, Severity::kError, &Problem::severity);
    if (why != file.problems.end()) return trouble(branch, why->at, why->what);
  }
  trouble(branch, {}, _("an alias file cannot be read"));
}

void Walk::leads_nowhere() {
  out_.fate = Fate::kDeferred;
  for (const auto& [text, branch] : dangling_) tell_dangling(text, branch);
}

void Walk::tell_dangling(const std::string& text, const Branch& branch) {
  out_.problems.push_back(
      {Severity::kError, branch.at, tr("{} is nobody here", printable(text, 200)), _("write an address that exists")});
}

void Walk::keep_dangling() {
  for (const auto& [text, branch] : dangling_) {
    tell_dangling(text, branch);
    std::string user = split_address(text).local;
    if (!may_be_user(user)) continue;
    finish(Destination::kMailbox, user, text, branch);
    out_.steps.pop_back();  // told as unknown already
  }
}

void Walk::confirm_here() {
  auto has_list = [](const mail::Recipient& r) { return !r.return_path.empty(); };
  const bool several = out_.recipients.size() > 1;
  if (!given_.notify.success || null_sender_ || (!several && !has_list(out_.recipients.front()))) return;
  // RFC 3464 section 2.3.3: handed to a list it is delivered; an alias with several members is expanded.
  const bool list = std::ranges::all_of(out_.recipients, has_list);
  for (mail::Recipient& r : out_.recipients) {
    if (!r.notify.success) continue;
    r.notify.success = false;
    r.notify.never = !r.notify.failure && !r.notify.delay;  // RFC 3461 section 4.1: no word at all means others
  }
  mail::Recipient here;
  here.address = given_.address;
  here.destination = Destination::kDiscard;
  here.target = list ? mail::kHandedToList : mail::kExpanded;
  here.notify.success = true;
  here.orcpt = given_.orcpt;
  out_.recipients.push_back(std::move(here));
}

bool Walk::stands_as_given() const {
  const mail::Recipient& only = out_.recipients.front();
  return out_.recipients.size() == 1 && dangling_.empty() && only.destination == Destination::kRoute &&
         !only.forwarded && only.address == given_.address;
}

bool Walk::on_path(const std::string& mark) {
  auto at = std::ranges::find(path_, mark);
  if (at == path_.end()) return false;
  outermost_met_ = std::min(outermost_met_, static_cast<std::size_t>(at - path_.begin()));
  return true;
}

bool Walk::step(StepKind kind, const Branch& branch, std::string subject, std::string detail, Place at) {
  if (deferred_ && kind != StepKind::kTrouble) return false;
  const bool looks = kind == StepKind::kAddress || kind == StepKind::kDuplicate;
  if (looks && (branch.depth > kMostLevels || out_.steps.size() > kMostSteps)) {
    trouble(branch, branch.at, tr("aliases lead on and on, more than {} levels or {} steps", kMostLevels, kMostSteps));
    return false;
  }
  out_.steps.push_back({kind, branch.depth, std::move(subject), std::move(detail), std::move(at)});
  return true;
}

std::string Walk::right_side(const std::vector<Target>& list) {
  std::string out;
  for (const Target& target : list) {
    if (out.size() > 200) return out + ", ...";
    out += (out.empty() ? "" : ", ") + text_of(target);
  }
  return out;
}

std::string Walk::right_side(const Entry& entry) {
  return right_side(entry.targets);
}

}  // namespace sidegate::alias
