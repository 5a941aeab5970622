// `sidegate explain reply`: what a server's words are taken for, and what then becomes of the mail.
#include <boost/json.hpp>

#include "base/i18n.h"
#include "base/text.h"
#include "cli/commands.h"
#include "deliver/outcome.h"
#include "deliver/reply_rules.h"
#include "deliver/way.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;
using deliver::Action;

const char* word(provider::Scope scope) {
  constexpr const char* kWords[] = {"relay", "sender", "message", "recipient", "own-address", "remote", "own-fault"};
  return kWords[static_cast<int>(scope)];
}

const char* word(provider::Retry retry) {
  constexpr const char* kWords[] = {"never", "later", "after change"};
  return kWords[static_cast<int>(retry)];
}

std::string what_happens(Action action, Action otherwise, deliver::Scope scope) {
  switch (action) {
    case Action::kDelivered:
      return _("the message is delivered");
    case Action::kDefer:
      return _("the message is tried again, by its own schedule");
    case Action::kFail:
      return scope == deliver::Scope::kRecipient ? _("it fails for this recipient: the sender gets a report")
                                                 : _("the message fails: the sender gets a report");
    case Action::kHoldWay:
      return scope == deliver::Scope::kAccount
                 ? _("all mail of this account waits, or goes by the next way out; no attempt is counted")
                 : _("all mail for this way out waits, or goes by the next; no attempt is counted");
    case Action::kNextWay:
      return tr("it goes by the next way out; where there is none: {}",
                what_happens(otherwise, otherwise, deliver::Scope::kMessage));
    case Action::kHold:
      return _("the message is held until you release it");
    case Action::kStepAside:
      return _("it is tried again shortly; no attempt is counted");
  }
  return {};
}

// Lines as they came, or joined into one with "\n" between, as a log or a report shows them.
Result<mail::Reply> parse(std::string text) {
  for (auto at = text.find("\\n"); at != std::string::npos; at = text.find("\\n", at + 1)) text.replace(at, 2, "\n");
  mail::ReplyParser parser;
  const auto lines = split(trim(text), '\n');
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::string line(trim(lines[i]));
    if (line.size() > 3) line[3] = i + 1 < lines.size() ? '-' : ' ';  // what was cut off is cut off
    auto step = parser.push(line);
    if (!step) return std::unexpected(step.error());
  }
  return parser.take();
}

// Where nobody says in answer to what it came: the words of a refused login.
bool speaks_of_login(const mail::Reply& reply) {
  const std::string text = lower(reply.text());
  const auto has = [&](std::string_view words) { return text.find(words) != std::string::npos; };
  // 530 and "authentication required" answer MAIL FROM; "SPF authentication" and the like are about the message.
  const bool about_mail =
      has("authentication required") || has("spf") || has("dkim") || has("dmarc") || has("unauthenticated");
  if (about_mail || reply.positive() || reply.code == 530) return false;
  if (reply.code == 454) return !has("tls");  // RFC 4954 section 6; RFC 3207 section 4 has it for TLS
  return has("login") || has("log in") || has("password") || has("credentials") || has("authentication fail") ||
         has("authentication unsuccessful") || has("authentication not") || has("authentication mechanism") ||
         has("authentication temporar") || has("authentication error") || has("authentication aborted");
}

smtp::Phase phase_of(std::string_view stage, const mail::Reply& reply) {
  using enum smtp::Phase;
  constexpr std::pair<std::string_view, smtp::Phase> kPhases[] = {
      {"greeting", kGreeting}, {"ehlo", kEhlo}, {"starttls", kStartTls}, {"auth", kAuth},
      {"mail", kMail},         {"rcpt", kRcpt}, {"data", kData},         {"final", kFinal}};
  for (const auto& [name, phase] : kPhases) {
    if (stage == name) return phase;
  }
  // Codes that stand for one stage (RFC 4954 section 6; RFC 5321 section 4.3.2).
  if (reply.code == 432 || (reply.code >= 534 && reply.code <= 538)) return kAuth;
  if (speaks_of_login(reply)) return kAuth;
  if (reply.code == 454 && lower(reply.text()).find("tls") != std::string::npos) return kStartTls;
  return reply.positive() ? kFinal : kRcpt;
}

// The way as its connections know it. Without a name: any, with the blocks that name none.
Result<deliver::RelaySettings> way_of(const Context& context, const std::string& name) {
  auto loaded = config::load(context.request());
  if (name.empty()) {
    deliver::RelaySettings any;
    if (loaded) deliver::give_replies(any, loaded->settings.deliver.replies);
    return any;
  }
  if (!loaded) return fail(ErrorKind::kBadInput, loaded.error().front().text());
  if (iequals(name, deliver::kDirectWay)) return deliver::Ways::make(loaded->settings.deliver)->direct->settings;
  std::vector<std::string> names;
  for (deliver::RelaySettings relay : loaded->settings.deliver.relays) {
    names.push_back(relay.name);
    if (!iequals(relay.name, name)) continue;
    deliver::give_replies(relay, loaded->settings.deliver.replies);
    return relay;
  }
  names.emplace_back(deliver::kDirectWay);
  return fail(ErrorKind::kBadInput, tr("no way out is called {}; there are: {}", printable(name, 100),
                                       printable(fmt::format("{}", fmt::join(names, ", ")), 400)));
}

struct Row {
  const char* name;
  std::string text;
};

}  // namespace

int explain_reply_command(const Context& context, const ReplyCommand& command) {
  auto reply = parse(command.reply);
  if (!reply || reply->code < 200) {
    context.terminal.error(tr("{} is no SMTP reply", printable(command.reply, 300)),
                           _("it begins with its code: \"550 5.7.1 ...\""));
    return EX_DATAERR;
  }
  auto way = way_of(context, command.way);
  if (!way) return report(context, way.error());
  deliver::Event event{.phase = phase_of(command.stage, *reply), .reply = &*reply};
  event.authenticated = way->has_credentials() && event.phase > smtp::Phase::kAuth;
  event.tls = way->tls != deliver::TlsMode::kNone && event.phase > smtp::Phase::kTls && !command.way.empty();
  event.final_hop = way->protocol != deliver::Protocol::kSmtp;
  deliver::Verdict verdict = deliver::judge(*way, event);
  if (deliver::refuses_sender(*way, event)) verdict = deliver::verdict_sender_refused(*way, std::move(verdict));
  const provider::Rule& rule = deliver::rule_for(*way, event);
  const provider::Facts& facts = provider::facts(rule.meaning);
  const std::string happens = what_happens(verdict.action, verdict.otherwise, verdict.scope);
  const Terminal& t = context.terminal;
  if (context.common.json) {
    t.out << json::serialize(json::object{{"reply", reply->line()},
                                          {"stage", smtp::name(event.phase)},
                                          {"meaning", facts.word},
                                          {"scope", word(facts.scope)},
                                          {"retry", word(facts.retry)},
                                          {"action", deliver::name(verdict.action)},
                                          {"otherwise", deliver::name(verdict.otherwise)},
                                          {"happens", happens},
                                          {"explanation", facts.explanation},
                                          {"provider", way->reply_provider},
                                          {"rule", rule.from},
                                          {"words", rule.words}})
          << "\n";
    return EX_OK;
  }
  t.out << t.in(Colour::kBold, printable(reply->line(), 600)) << "\n";
  const Row rows[] = {
      {N_("stage"), smtp::name(event.phase)},
      {N_("meaning"), fmt::format("{}: {}", facts.word, _(facts.explanation))},
      {N_("concerns"), word(facts.scope)},
      {N_("try again"), word(facts.retry)},
      {N_("happens"), happens},
      {N_("rule"), rule.words.empty() ? rule.from : fmt::format("{}: {}", rule.from, printable(rule.words, 300))},
      {N_("provider"), way->reply_provider},
  };
  for (const Row& row : rows) {
    if (!row.text.empty()) t.out << "  " << padded(_(row.name), 12) << row.text << "\n";
  }
  return EX_OK;
}

}  // namespace sidegate::cli
