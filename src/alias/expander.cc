#include "alias/expander.h"

#include <algorithm>

#include "alias/walk.h"
#include "base/text.h"
#include "mail/idna.h"

namespace sidegate::alias {

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
  return std::ranges::any_of(settings.local_domains,
                             [&](const std::string& own) { return mail::same_domain(own, domain); });
}

bool concerns(const Settings& settings, const Tables& tables, std::string_view address) {
  if (tables.virtuals_unreadable()) return true;
  std::size_t at = address.rfind('@');
  if (at == std::string_view::npos) return true;
  std::string domain = mail::dns_form(address.substr(at + 1));
  return is_local_domain(settings, domain) || tables.is_virtual_domain(domain);
}

Expansion Expander::expand(const mail::Recipient& given, bool null_sender) {
  return Walk(settings_, tables_, sources_, given, null_sender).run();
}

}  // namespace sidegate::alias
