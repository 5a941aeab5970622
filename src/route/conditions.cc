#include "route/conditions.h"

#include <algorithm>

#include "base/i18n.h"
#include "base/text.h"
#include "mail/idna.h"
#include "mail/mailbox.h"

namespace sidegate::route {
namespace {

constexpr std::string_view kNull = "<>";  // as an operator writes the null reverse-path

bool is_regex(const std::string& text) {
  return text.size() > 1 && text.front() == '/' && text.back() == '/';
}

Status bad(std::string text) {
  return fail(ErrorKind::kBadInput, std::move(text));
}

// A pattern that no mail could ever fit is a mistake, and mail would go another way than its writer thinks.
Status check_domain(std::string_view written, std::string_view domain) {
  if (domain.starts_with('[') && domain.ends_with(']')) return {};
  if (domain.find('*') != std::string_view::npos) {
    return bad(
        tr("{}: a * does not stand for a part of a name here; write \".example.org\" for all domains "
           "below it, or a \"/regular expression/\"",
           written));
  }
  if (mail::is_domain(domain, true)) return {};
  return bad(tr("{} is no domain; write \"example.org\"", written));
}

// "example.org" or ".example.org", as DNS knows it.
void to_dns_form(std::string& domain) {
  const bool below = domain.starts_with('.');
  domain = (below ? "." : "") + mail::dns_form(std::string_view(domain).substr(below ? 1 : 0));
}

void drop_root_dot(std::string& domain) {
  if (domain.size() > 1 && domain.ends_with('.')) domain.pop_back();
}

}  // namespace

const char* name(Misfit misfit) {
  switch (misfit) {
    case Misfit::kNone:
      return "";
    case Misfit::kSender:
      return "sender";
    case Misfit::kRecipient:
      return "recipient";
    case Misfit::kUser:
      return "user";
    case Misfit::kListener:
      return "listener";
  }
  return "";
}

bool Conditions::Pattern::fits(std::string_view value) const {
  switch (kind) {
    case Kind::kExact:
      return value == text;
    case Kind::kEndsWith:
      return value.size() > text.size() && value.ends_with(text);
    case Kind::kRegex:
      return regex.matches(value);
    case Kind::kAny:
      return !value.empty();
  }
  return false;
}

bool Conditions::any_fits(const Patterns& patterns, std::string_view value) {
  return patterns.empty() || std::ranges::any_of(patterns, [&](const Pattern& p) { return p.fits(value); });
}

// Both spellings of a domain are one; regular expressions see it as it came, too.
bool Conditions::any_fits_address(const Patterns& patterns, const std::string& value) {
  return any_fits(patterns, value) || (!is_ascii(value) && any_fits(patterns, mail::dns_form_of_address(value)));
}

Result<Conditions::Pattern> Conditions::pattern_of(const std::string& written, Misfit kind) {
  using Kind = Pattern::Kind;
  Pattern pattern{Kind::kExact, lower(written), {}};
  if (is_regex(written) && (kind == Misfit::kSender || kind == Misfit::kRecipient)) {
    auto regex = Regex::compile(std::string_view(written).substr(1, written.size() - 2));
    if (!regex) return fail(ErrorKind::kBadInput, fmt::format("{}: {}", written, regex.error().text));
    pattern.kind = Kind::kRegex;
    pattern.regex = std::move(*regex);
    return pattern;
  }
  if (written == "*") {
    pattern.kind = Kind::kAny;
    return pattern;
  }
  std::string& text = pattern.text;
  switch (kind) {
    case Misfit::kSender:
      if (written == kNull) {
        text.clear();
        break;
      }
      if (text.starts_with("*@")) text.erase(0, 1);  // as for users
      if (text.empty()) return fail(ErrorKind::kBadInput, _("an empty sender; write \"<>\" for that of reports"));
      if (text.find('@') == std::string::npos) {
        return fail(ErrorKind::kBadInput,
                    tr("{} is no address and no @domain; write \"@{}\" for a domain", written, written));
      }
      drop_root_dot(text);
      if (!text.starts_with('@')) {
        if (text.find('*') == std::string::npos && mail::is_mailbox(text, true)) {
          text = mail::dns_form_of_address(text);
          break;
        }
        return fail(ErrorKind::kBadInput,
                    tr("{} is no address; write \"me@example.org\", \"@example.org\" for a domain, or a "
                       "\"/regular expression/\"",
                       written));
      }
      if (text.starts_with("@.")) text.erase(0, 1);
      pattern.kind = Kind::kEndsWith;
      if (auto good = check_domain(written, std::string_view(text).substr(1)); !good)
        return std::unexpected(good.error());
      text = text.starts_with('.') ? "." + mail::dns_form(std::string_view(text).substr(1))
                                   : mail::dns_form_of_address(text);
      break;
    case Misfit::kRecipient:
      if (text.starts_with('@')) text.erase(0, 1);  // "@example.org" says the same
      if (text.find('@') != std::string::npos)
        return fail(ErrorKind::kBadInput, tr("{} is an address; routes look at the recipient's domain", written));
      if (text.starts_with("*.")) text.erase(0, 1);  // as certificates and shells have it
      if (text.empty() || text == ".") return fail(ErrorKind::kBadInput, _("an empty domain"));
      drop_root_dot(text);
      if (text.starts_with('.')) pattern.kind = Kind::kEndsWith;
      if (auto good = check_domain(written, std::string_view(text).substr(text.starts_with('.') ? 1 : 0)); !good)
        return std::unexpected(good.error());
      to_dns_form(text);
      break;
    case Misfit::kUser:
      if (text.starts_with("*@")) {
        text.erase(0, 1);
        pattern.kind = Kind::kEndsWith;
      }
      if (text.find('*') != std::string::npos) {
        return fail(ErrorKind::kBadInput,
                    tr("{}: a * stands alone (anyone) or before an @ (\"*@example.org\")", written));
      }
      break;
    case Misfit::kListener:
    case Misfit::kNone:
      text = written;
      break;
  }
  return pattern;
}

Result<Conditions> Conditions::make(const RouteConditions& written) {
  Conditions made;
  made.written_ = written;
  struct List {
    const std::vector<std::string>& from;
    Patterns& to;
    Misfit kind;
  } lists[] = {{written.senders, made.senders_, Misfit::kSender},
               {written.recipients, made.recipients_, Misfit::kRecipient},
               {written.users, made.users_, Misfit::kUser},
               {written.listeners, made.listeners_, Misfit::kListener}};
  for (const List& list : lists) {
    for (const std::string& one : list.from) {
      auto pattern = pattern_of(one, list.kind);
      if (!pattern) return std::unexpected(pattern.error());
      list.to.push_back(std::move(*pattern));
    }
  }
  return made;
}

Misfit Conditions::misfit(const queue::ClassKey& key) const {
  if (!any_fits_address(senders_, key.sender)) return Misfit::kSender;
  const std::string& domain = key.recipient_domain;
  if (!any_fits(recipients_, domain) && (is_ascii(domain) || !any_fits(recipients_, mail::dns_form(domain))))
    return Misfit::kRecipient;
  if (!users_.empty() && !any_fits(users_, lower(key.user))) return Misfit::kUser;
  if (!any_fits(listeners_, key.listener)) return Misfit::kListener;
  return Misfit::kNone;
}

Conditions::Fit Conditions::of_sender(const std::optional<std::string>& sender) const {
  if (sender && !any_fits_address(senders_, *sender)) return Fit::kNever;
  const auto is_any = [](const Pattern& p) { return p.kind == Pattern::Kind::kAny; };
  const bool every_recipient = recipients_.empty() || std::ranges::any_of(recipients_, is_any);
  const bool every_sender = sender || senders_.empty();
  return every_sender && every_recipient && users_.empty() && listeners_.empty() ? Fit::kAlways : Fit::kPerhaps;
}

}  // namespace sidegate::route
