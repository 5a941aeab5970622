#include "intake/screening.h"

#include <algorithm>

#include "base/text.h"
#include "intake/own_fields.h"
#include "intake/recipients.h"
#include "mail/reply_words.h"
#include "screen/helo.h"
#include "screen/host_known.h"
#include "screen/sender_domain.h"

namespace sidegate::intake {
namespace {

using mail::Reply;
using screen::Action;
using screen::Reverse;

constexpr std::string_view kField = "X-Sidegate-Screen";
constexpr std::size_t kFoldAt = 78;  // RFC 5322 section 2.1.1

std::string shown(std::string_view text) {
  return mail::reply_words(text, 100);
}

std::string helo_text(screen::HeloCheck check) {
  switch (check) {
    case screen::HeloCheck::kSyntax:
      return "Invalid name";
    case screen::HeloCheck::kOwnName:
      return "this is not the client's name or address";
    case screen::HeloCheck::kNotQualified:
      return "need fully-qualified hostname";
    case screen::HeloCheck::kUnresolvable:
      return "Host not found";
  }
  return {};
}

// As Postfix answers, whose replies the readers of logs know.
Reply helo_reply(screen::HeloCheck check, std::string_view helo) {
  const std::string text = "<" + shown(helo) + ">: Helo command rejected: " + helo_text(check);
  if (check == screen::HeloCheck::kSyntax) return Reply(501, {5, 5, 2}, text);
  if (check == screen::HeloCheck::kNotQualified) return Reply(504, {5, 5, 2}, text);
  return Reply(550, {5, 7, 1}, text);
}

}  // namespace

bool Screening::looks_at(const smtp::SessionInfo& session) const {
  return !session.peer.is_unix && !session.peer.loopback && !session.may_xclient &&
         standing(session, policy_) != Standing::kTrusted;
}

net::Awaitable<void> Screening::meet(smtp::SessionInfo& session) {
  begin();
  inquiry_.reset();
  lists_.reset();
  session.quiet = Duration(0);
  if (session.peer.is_unix || session.peer.loopback) co_return;
  const bool stranger = looks_at(session);
  const Duration delay = settings().greeting_delay;
  const SteadyTime began = context_.clock.steady();
  const bool known = session.peer.told != net::Told::kNothing;
  const bool named = settings().client_names || settings().reverse_name != Action::kOff ||
                     settings().reverse_name_confirmed != Action::kOff;
  if (stranger && settings().blocklists) lists_ = context_.block_lists.get();
  if (context_.asker != nullptr && known && (named || lists_)) {
    inquiry_ = std::make_shared<screen::Inquiry>(*context_.asker, context_.loop(loop_), session.peer.address);
    if (named) inquiry_->begin_name(settings().lookup_limit);
    if (lists_) inquiry_->begin_lists(lists_, settings().lookup_limit);
    std::shared_ptr<screen::Inquiry> inquiry = inquiry_;
    if (stranger) co_await inquiry->wait_for_name(delay);
    session.client_name = inquiry->name().verified;
    session.client_ptr = inquiry->name().ptr;
  }
  if (!stranger || settings().early_talker == Action::kOff || delay <= Duration(0)) co_return;
  // What was said meanwhile is heard even where nothing is left of the delay.
  const auto passed = std::chrono::duration_cast<Duration>(context_.clock.steady() - began);
  session.quiet = std::max(delay - passed, Duration(1));
}

std::string Screening::client_name(const smtp::SessionInfo& session) const {
  return session.client_name.empty() && inquiry_ ? inquiry_->name().verified : session.client_name;
}

bool Screening::takes(const smtp::SessionInfo& session, ClientDoes what) {
  if (!looks_at(session)) return true;
  const SteadyTime now = context_.clock.steady();
  const std::string& address = session.peer.address;
  if (what == ClientDoes::kConnect && context_.rates.shunned(address, now)) return false;
  return context_.rates.take(address, what, now);
}

void Screening::cancel() {
  cancelled_ = true;
  if (inquiry_) inquiry_->cancel();
}

void Screening::begin() {
  looked_ = false;
  findings_.clear();
}

void Screening::find(Action action, std::string word, Reply reply) {
  if (action == Action::kOff) return;
  findings_.push_back({action, std::move(word), std::move(reply)});
}

net::Awaitable<std::optional<Reply>> Screening::refusal(const smtp::SessionInfo& session, std::string reverse_path,
                                                        mail::Mailbox recipient) {
  if (!takes(session, ClientDoes::kNameRecipient))
    co_return Reply(450, {4, 7, 1}, "Too many recipients from your address this minute, try again later");
  if (!std::exchange(looked_, true)) co_await look(session, std::move(reverse_path));
  if (cancelled_) co_return Reply(421, {4, 3, 2}, "Service is shutting down");
  // RFC 5321 section 4.5.1: whoever is refused for what we take it to be can write to the postmaster about it.
  if (settings().open_postmaster && iequals(recipient.local(), "postmaster")) co_return std::nullopt;
  // What is certain goes before what nobody can say now: a client that is refused for good need not come again.
  const Finding* refusing = nullptr;
  for (const Finding& finding : findings_) {
    if (finding.action != Action::kReject) continue;
    if (refusing == nullptr || (refusing->reply.transient() && finding.reply.permanent())) refusing = &finding;
  }
  if (refusing != nullptr) co_return refusing->reply;
  co_return std::nullopt;
}

net::Awaitable<void> Screening::look(const smtp::SessionInfo& session, std::string reverse_path) {
  if (session.spoke_early)
    find(settings().early_talker, "early_talker",
         Reply(550, {5, 5, 1}, "Protocol error: you spoke before the greeting"));
  if (inquiry_) {
    std::shared_ptr<screen::Inquiry> inquiry = inquiry_;
    co_await inquiry->wait_for_all();
    if (cancelled_) co_return;
    look_at_lists(session);
    look_at_name(session);
  }
  if (settings().helo != Action::kOff) co_await look_at_helo(session);
  if (settings().sender_domain != Action::kOff) co_await look_at_sender(std::move(reverse_path));
}

void Screening::look_at_lists(const smtp::SessionInfo& session) {
  if (!lists_) return;
  const auto& listings = inquiry_->listings();
  const screen::Score score = screen::score(listings, static_cast<int>(settings().blocklist_threshold));
  std::string names;
  for (const screen::Listing& one : listings) {
    if (one.listed && one.list->action != Action::kOff) names += (names.empty() ? "" : ",") + one.list->name;
  }
  if (score.action == Action::kOff) return;
  std::string text =
      "Service unavailable; Client host [" + session.peer.address + "] blocked using " + score.worst->list->name;
  if (!score.worst->text.empty()) text += "; " + score.worst->text;
  find(score.action, "blocklist=" + names + " score=" + std::to_string(score.total), Reply(554, {5, 7, 1}, text));
}

// RFC 7372 section 3.3 has the code.
void Screening::look_at_name(const smtp::SessionInfo& session) {
  const screen::ClientName& name = inquiry_->name();
  const std::string address = ", [" + session.peer.address + "]";
  const std::string no_ptr = "Client host rejected: cannot find your reverse hostname" + address;
  const std::string no_name = "Client host rejected: cannot find your hostname" + address;
  switch (name.reverse) {
    case Reverse::kConfirmed:
      return;
    case Reverse::kMissing: {  // one finding, whichever option asks for more
      const bool confirmed = settings().reverse_name_confirmed > settings().reverse_name;
      const Action action = confirmed ? settings().reverse_name_confirmed : settings().reverse_name;
      return find(action, "reverse_name=missing", Reply(550, {5, 7, 25}, confirmed ? no_name : no_ptr));
    }
    case Reverse::kUnconfirmed:
      return find(settings().reverse_name_confirmed, "reverse_name=unconfirmed", Reply(550, {5, 7, 25}, no_name));
    case Reverse::kUnknown:  // nobody is marked for what we could not find out
      if (settings().reverse_name == Action::kReject && name.ptr.empty())
        return find(Action::kReject, "reverse_name=unknown", Reply(450, {4, 7, 25}, no_ptr));
      if (settings().reverse_name_confirmed == Action::kReject)
        return find(Action::kReject, "reverse_name=unknown", Reply(450, {4, 7, 25}, no_name));
  }
}

net::Awaitable<void> Screening::look_at_helo(const smtp::SessionInfo& session) {
  const std::string& own = policy_.settings.smtp.hostname;
  auto wrong = screen::judge_helo(session.helo, session.peer.address, own, policy_.helo_checks);
  const bool resolve =
      std::ranges::find(policy_.helo_checks, screen::HeloCheck::kUnresolvable) != policy_.helo_checks.end();
  screen::Known known = screen::Known::kYes;
  if (!wrong && resolve && context_.asker != nullptr) {
    std::string name = session.helo;
    known =
        co_await screen::host_known(*context_.asker, context_.loop(loop_), std::move(name), settings().lookup_limit);
    if (known == screen::Known::kNo) wrong = screen::HeloCheck::kUnresolvable;
  }
  if (wrong) {
    find(settings().helo, "helo=" + std::string(word_of(*wrong)), helo_reply(*wrong, session.helo));
  } else if (known == screen::Known::kCannotTell && settings().helo == Action::kReject) {
    Reply reply = helo_reply(screen::HeloCheck::kUnresolvable, session.helo);
    find(Action::kReject, "helo=unknown", Reply(450, {4, 7, 1}, reply.text()));
  }
}

net::Awaitable<void> Screening::look_at_sender(std::string reverse_path) {
  // RFC 5321 section 4.5.5: reports have none. What is ours needs no DNS.
  if (reverse_path.empty() || context_.asker == nullptr) co_return;
  if (context_.recipients && context_.recipients->concerns(reverse_path)) co_return;
  std::string domain = reverse_path.substr(reverse_path.rfind('@') + 1);
  const std::string start = "<" + shown(reverse_path) + ">: Sender address rejected: ";
  const screen::SenderDomain verdict =
      co_await screen::sender_domain(*context_.asker, context_.loop(loop_), std::move(domain), settings().lookup_limit);
  switch (verdict) {
    case screen::SenderDomain::kTakesMail:
      break;
    case screen::SenderDomain::kUnknown:
      find(settings().sender_domain, "sender_domain=unknown", Reply(550, {5, 1, 8}, start + "Domain not found"));
      break;
    case screen::SenderDomain::kTakesNoMail:  // RFC 7505 section 4.2
      find(settings().sender_domain, "sender_domain=null_mx",
           Reply(550, {5, 7, 27}, start + "Domain does not take mail (null MX)"));
      break;
    case screen::SenderDomain::kCannotTell:
      if (settings().sender_domain == Action::kReject)
        find(Action::kReject, "sender_domain=cannot_tell",
             Reply(450, {4, 1, 8}, start + "Domain cannot be looked up now"));
  }
}

std::string Screening::words() const {
  std::string out;
  for (const Finding& finding : findings_) out += (out.empty() ? "" : "; ") + finding.word;
  return out;
}

std::string Screening::tag_field() const {
  if (findings_.empty()) return {};
  std::string out(kField);
  out += ':';
  std::size_t line = out.size();
  for (const Finding& finding : findings_) {
    const bool fold = line + finding.word.size() + 2 > kFoldAt;
    out += fold ? "\r\n " : " ";
    line = (fold ? 1 : line + 1) + finding.word.size() + 1;
    out += finding.word;
    if (&finding != &findings_.back()) out += ';';
  }
  return out + "\r\n";
}

std::string without_forged_tags(std::string_view header) {
  return mail::has_field(header, kField) ? without_field(header, kField) : std::string(header);
}

}  // namespace sidegate::intake
