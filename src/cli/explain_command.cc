// `sidegate explain address`: the server's own code, asked for every step, with nothing sent.
#include <boost/json.hpp>

#include "alias/address.h"
#include "alias/expander.h"
#include "base/i18n.h"
#include "base/text.h"
#include "cli/alias_reading.h"
#include "cli/commands.h"
#include "deliver/way.h"
#include "mail/mailbox.h"
#include "route/ways.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;
using alias::StepKind;

struct Explained {
  std::string address;
  alias::Expansion expansion;
  std::vector<mail::Recipient> ends;           // also the one that stands as it was given
  std::vector<std::vector<std::string>> ways;  // theirs, in order
};

// What a client is answered at RCPT.
const char* reply_to(alias::Fate fate) {
  switch (fate) {
    case alias::Fate::kUnknown:
      return "550 5.1.1";
    case alias::Fate::kDeferred:
      return "451 4.3.0";
    default:
      return "250 2.1.5";
  }
}

const char* name(alias::Fate fate) {
  switch (fate) {
    case alias::Fate::kNotOurs:
      return "not_ours";
    case alias::Fate::kResolved:
      return "resolved";
    case alias::Fate::kUnknown:
      return "unknown";
    case alias::Fate::kDeferred:
      return "deferred";
  }
  return "deferred";
}

std::string in_words(const alias::Step& step) {
  const std::string subject = printable(step.subject, 300), detail = printable(step.detail, 300);
  switch (step.kind) {
    case StepKind::kAddress:
      return {};
    case StepKind::kVirtual:
      return tr("virtual map: {} leads to {}", subject, detail);
    case StepKind::kCatchAll:
      return tr("virtual map: {} takes all others of its domain to {}", subject, detail);
    case StepKind::kTag:
      return tr("without its tag: {}", detail);
    case StepKind::kAlias:
      return tr("alias: {} leads to {}", subject, detail);
    case StepKind::kOwner:
      return tr("a list with an owner: its bounces go to {}", detail);
    case StepKind::kInclude:
      return tr("included: {}, {}", subject, detail);
    case StepKind::kForward:
      return tr("{} says: {}", subject, detail);
    case StepKind::kNoForward:
      return tr("{} is not followed: {}", subject, detail);
    case StepKind::kBuiltIn:
      return tr("{} has no alias: it goes to {}", subject, detail);
    case StepKind::kUser:
      return tr("user {}, home {}", subject, detail);
    case StepKind::kMailbox:
      return tr("ends in the mailbox of {}", subject);
    case StepKind::kCommand:
      return tr("is given to the command {}", subject);
    case StepKind::kFile:
      return tr("is appended to {}", subject);
    case StepKind::kDiscard:
      return _("is thrown away");
    case StepKind::kLeaves:
      return tr("leaves for {}", subject);
    case StepKind::kDuplicate:
      return tr("{}: has its copy already", subject);
    case StepKind::kUnknown:
      return tr("nobody here is {}", subject);
    case StepKind::kLoop:
      return tr("{} leads back to itself", subject);
    case StepKind::kTrouble:
      return detail;
  }
  return {};
}

std::string way_words(const Explained& e, std::size_t i) {
  const mail::Recipient& r = e.ends[i];
  std::string by;
  for (const std::string& way : e.ways[i]) by += (by.empty() ? "" : _(", then ")) + way;
  if (r.destination == mail::Destination::kRoute) {
    return by.empty() ? tr("{}: no way out; it waits until there is a [[relay]]", r.address)
                      : tr("{}: by {}", r.address, by);
  }
  std::string what = destination_name(r.destination);
  if (!r.target.empty()) what += " " + printable(r.target, 300);
  if (!r.as_user.empty()) what += " " + tr("(as user {})", r.as_user);
  return by.empty() ? what : tr("{}: by {}", what, by);
}

void print(const Terminal& t, const Explained& e) {
  t.out << t.in(Colour::kBold, e.address) << "\n";
  for (const alias::Step& step : e.expansion.steps) {
    std::string words = in_words(step);
    if (words.empty()) continue;
    const std::string at = step.at.text();
    t.out << std::string(2 + 2 * step.depth, ' ') << words << (at.empty() ? "" : "  [" + at + "]") << "\n";
  }
  for (std::size_t i = 0; i < e.ends.size(); ++i) {
    std::string line = way_words(e, i);
    if (!e.ends[i].return_path.empty()) line += ", " + tr("sender {}", e.ends[i].return_path);
    t.out << t.in(Colour::kGreen, "-> ") << line << "\n";
  }
  for (const alias::Problem& problem : e.expansion.problems) {
    t.out << t.in(Colour::kYellow, _("warning: ")) << problem.text() << "\n";
  }
  if (e.expansion.fate == alias::Fate::kUnknown) t.out << tr("refused at RCPT: {}", std::string("550 5.1.1")) << "\n";
  if (e.expansion.fate == alias::Fate::kDeferred)
    t.out << tr("asked to try again at RCPT: {}", std::string("451 4.3.0")) << "\n";
}

void print_json(const Terminal& t, const Explained& e) {
  json::object out{{"address", e.address}, {"result", name(e.expansion.fate)}, {"reply", reply_to(e.expansion.fate)}};
  json::array steps, recipients, problems;
  for (const alias::Step& step : e.expansion.steps) {
    steps.push_back(json::object{{"depth", step.depth},
                                 {"step", alias::name(step.kind)},
                                 {"subject", step.subject},
                                 {"detail", step.detail},
                                 {"file", step.at.file},
                                 {"line", step.at.line}});
  }
  for (std::size_t i = 0; i < e.ends.size(); ++i) {
    const mail::Recipient& r = e.ends[i];
    recipients.push_back(json::object{{"address", r.address},
                                      {"destination", destination_name(r.destination)},
                                      {"target", r.target},
                                      {"as_user", r.as_user},
                                      {"return_path", r.return_path},
                                      {"forwarded", r.forwarded},
                                      {"ways", json::value_from(e.ways[i])}});
  }
  for (const alias::Problem& problem : e.expansion.problems) {
    problems.push_back(json::object{
        {"file", problem.at.file}, {"line", problem.at.line}, {"text", problem.what}, {"next", problem.next}});
  }
  out["steps"] = std::move(steps);
  out["recipients"] = std::move(recipients);
  out["problems"] = std::move(problems);
  t.out << json::serialize(out) << "\n";
}

class Explainer {
 public:
  explicit Explainer(const config::Settings& settings)
      : settings_(settings), reading_(settings), ways_(deliver::Ways::make(settings.deliver)) {}

  Explained explain(std::string address) {
    Explained e;
    e.address = std::move(address);
    Resolution found = resolve_address(settings_, reading_, e.address);
    e.expansion = std::move(found.expansion);
    e.ends = std::move(found.ends);
    for (const mail::Recipient& r : e.ends) e.ways.push_back(ways_of(r));
    return e;
  }

 private:
  std::vector<std::string> ways_of(const mail::Recipient& recipient) const {
    std::vector<std::string> names;
    auto key = route::class_key(mail::Envelope{}, mail::Origin{}, recipient);
    for (queue::WayId id : ways_->table.ways(key)) names.push_back(ways_->list.at(id)->settings.name);
    return names;
  }

  const config::Settings& settings_;
  AliasReading reading_;
  std::shared_ptr<const deliver::Ways> ways_;
};

int exit_code(alias::Fate fate) {
  if (fate == alias::Fate::kUnknown) return EX_NOUSER;
  return fate == alias::Fate::kDeferred ? EX_TEMPFAIL : EX_OK;
}

}  // namespace

const char* destination_name(mail::Destination destination) {
  switch (destination) {
    case mail::Destination::kRoute:
      return "relay";
    case mail::Destination::kMailbox:
      return "mailbox";
    case mail::Destination::kPipe:
      return "command";
    case mail::Destination::kFile:
      return "file";
    case mail::Destination::kDiscard:
      return "discard";
  }
  return "relay";
}

Resolution resolve_address(const config::Settings& settings, AliasReading& reading, const std::string& address) {
  Resolution found;
  mail::Recipient given;
  given.address = address;
  if (alias::concerns(settings.alias, reading.tables(), address))
    found.expansion = alias::Expander(settings.alias, reading.tables(), reading.sources()).expand(given);
  found.ends = found.expansion.recipients;
  if (found.expansion.fate == alias::Fate::kNotOurs) found.ends.push_back(std::move(given));
  return found;
}

int explain_address_command(const Context& context, const std::vector<std::string>& addresses) {
  auto loaded = context.load(false, false);
  if (!loaded) return EX_CONFIG;
  Explainer explainer(loaded->settings);
  int worst = EX_OK;
  for (const std::string& text : addresses) {
    std::string address = text;
    if (alias::split_address(address).domain.empty()) address += "@" + loaded->settings.hostname;
    if (!mail::is_mailbox(address, true)) {
      context.terminal.error(tr("{} is no mail address", printable(text, 300)));
      worst = EX_DATAERR;
      continue;
    }
    Explained e = explainer.explain(std::move(address));
    if (context.common.json)
      print_json(context.terminal, e);
    else
      print(context.terminal, e);
    if (worst == EX_OK) worst = exit_code(e.expansion.fate);
  }
  return worst;
}

}  // namespace sidegate::cli
