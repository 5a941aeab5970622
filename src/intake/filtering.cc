#include "intake/filtering.h"

#include "base/text.h"
#include "intake/own_fields.h"

namespace sidegate::intake {
namespace {

using mail::Reply;
using milter::Decision;
using milter::Note;

bool is_program(const smtp::SessionInfo& session) {
  return session.peer.is_unix;
}

// A program of this machine comes from 127.0.0.1, as Postfix's non_smtpd_milters are told: filters know such for ours.
milter::Client client_of(const smtp::SessionInfo& session) {
  if (is_program(session)) return {.name = "localhost", .address = "127.0.0.1"};
  const bool own = session.client_name.empty() && session.peer.loopback;
  return {.name = own ? "localhost" : session.client_name, .address = session.peer.address, .port = session.peer.port};
}

std::string domain_of(const std::string& address) {
  return address.substr(std::min(address.rfind('@'), address.size() - 1) + 1);
}

std::vector<std::string> parameters_of(const smtp::MailCommand& command) {
  std::vector<std::string> out;
  if (command.size != 0) out.push_back("SIZE=" + std::to_string(command.size));
  if (command.body != mail::BodyType::kUnspecified)
    out.push_back(command.body == mail::BodyType::k7bit ? "BODY=7BIT" : "BODY=8BITMIME");
  if (command.smtputf8) out.emplace_back("SMTPUTF8");
  if (command.requiretls) out.emplace_back("REQUIRETLS");
  if (command.ret != mail::Ret::kUnspecified) out.push_back(command.ret == mail::Ret::kFull ? "RET=FULL" : "RET=HDRS");
  if (!command.envid.empty()) out.push_back("ENVID=" + command.envid);
  return out;
}

std::vector<std::string> parameters_of(const smtp::RcptCommand& command) {
  std::vector<std::string> out;
  if (command.notify.specified()) out.push_back("NOTIFY=" + mail::notify_words(command.notify));
  if (!command.orcpt.empty()) out.push_back("ORCPT=" + command.orcpt);
  return out;
}

// RFC 2034 section 4: every reply of ours has a status, whatever a filter leaves out.
Reply with_status(Reply reply) {
  if (!reply.status) reply.status = mail::EnhancedCode{static_cast<std::uint16_t>(reply.code / 100), 7, 1};
  return reply;
}

}  // namespace

Filtering::Filtering(IntakeContext& context, std::shared_ptr<const ListenerPolicy> policy, unsigned loop)
    : context_(context),
      policy_(std::move(policy)),
      filters_(
          policy_->settings.milters,
          [dial = &context.dial_filter, loop](milter::Address to, Duration timeout) {
            return (*dial)(loop, std::move(to), timeout);
          },
          &context.filter_health) {}

// --- What they are told

void Filtering::set(const char* name, std::string value) {
  milter::Macros& macros = filters_.macros();
  if (value.empty()) {
    macros.erase(name);
  } else {
    macros[name] = std::move(value);
  }
}

void Filtering::describe(const smtp::SessionInfo& session) {
  const ListenerSettings& here = policy_->settings;
  const milter::Client client = client_of(session);
  set("j", here.smtp.hostname);
  set("v", "Sidegate");
  set("_", (client.name.empty() ? "" : client.name + " ") + "[" + client.address + "]");
  set("daemon_name", here.name);
  if (!here.submit) {
    set("daemon_addr", here.address);
    set("daemon_port", std::to_string(here.port));
    set("if_addr", here.address == "0.0.0.0" || here.address == "::" ? "" : here.address);
  }
  set("client_addr", client.address);
  set("client_name", client.name.empty() ? "unknown" : client.name);
  set("client_ptr", !session.client_ptr.empty() ? session.client_ptr : client.name.empty() ? "unknown" : client.name);
  set("client_port", std::to_string(client.port));
}

void Filtering::describe_tls(const smtp::SessionInfo& session) {
  if (!session.tls_facts) return;
  const smtp::TlsFacts& facts = *session.tls_facts;
  set("tls_version", facts.version);
  set("cipher", facts.cipher);
  set("cipher_bits", facts.bits == 0 ? std::string() : std::to_string(facts.bits));
  set("cert_subject", facts.certificate.subject);
  set("verify", facts.certificate.verified ? "OK" : facts.certificate.fingerprint.empty() ? "NO" : "FAIL");
}

// --- The dialogue

net::Awaitable<Filtering::Said> Filtering::connected(const smtp::SessionInfo& session) {
  connected_ = true;
  describe(session);
  milter::Client client = client_of(session);
  auto decision = co_await filters_.connect(std::move(client));
  Said said = settle(session, std::move(decision));
  if (!said) co_return said;
  // RFC 5321 section 3.1: a server that does not serve greets with 554; 421 where it is for now.
  said->code = said->transient() ? 421 : 554;
  co_return said;
}

net::Awaitable<Filtering::Said> Filtering::hello(const smtp::SessionInfo& session) {
  greeted_ = true;
  describe_tls(session);
  std::string name = session.helo.empty() ? policy_->settings.smtp.hostname : session.helo;
  auto decision = co_await filters_.helo(std::move(name));
  co_return settle(session, std::move(decision));
}

net::Awaitable<Filtering::Said> Filtering::unknown(const smtp::SessionInfo& session, std::string line) {
  auto decision = co_await filters_.unknown(std::move(line));
  Said said = settle(session, std::move(decision));
  who_refused_.clear();
  co_return said;
}

net::Awaitable<Filtering::Said> Filtering::mail(const smtp::SessionInfo& session, QueueId id, std::string from,
                                                smtp::MailCommand command) {
  id_ = id.text();
  from_ = from;
  given_.clear();
  if (!connected_) {
    if (auto said = co_await connected(session)) co_return said;
  }
  if (!greeted_) {
    if (auto said = co_await hello(session)) co_return said;
  }
  set("i", id_);
  set("auth_authen", session.user);
  set("auth_author", session.user);
  set("auth_type", std::string(session.mechanism));
  set("mail_addr", from);
  set("mail_host", domain_of(from));
  set("mail_mailer", is_program(session) ? "local" : "smtp");
  for (const char* of_before : {"rcpt_addr", "rcpt_host", "rcpt_mailer", "nrcpts", "msg_id"}) set(of_before, {});
  std::vector<std::string> parameters = parameters_of(command);
  auto decision = co_await filters_.mail("<" + from + ">", std::move(parameters));
  co_return settle(session, std::move(decision));
}

net::Awaitable<Filtering::Said> Filtering::rcpt(const smtp::SessionInfo& session, std::string to,
                                                smtp::RcptCommand command, bool is_here) {
  set("rcpt_addr", to);
  set("rcpt_host", domain_of(to));
  set("rcpt_mailer", is_here ? "local" : "smtp");
  std::vector<std::string> parameters = parameters_of(command);
  auto decision = co_await filters_.rcpt("<" + to + ">", std::move(parameters));
  Said said = settle(session, std::move(decision), to);
  if (!said) given_.push_back({std::move(to), std::move(command)});
  co_return said;
}

net::Awaitable<void> Filtering::rcpt_refused(std::string to, smtp::RcptCommand command, Reply reply) {
  std::vector<std::string> parameters = parameters_of(command);
  co_await filters_.rcpt_refused("<" + to + ">", std::move(parameters), std::move(reply));
}

net::Awaitable<Filtering::Said> Filtering::data(const smtp::SessionInfo& session, std::size_t recipients) {
  set("nrcpts", std::to_string(recipients));
  auto decision = co_await filters_.data();
  co_return settle(session, std::move(decision));
}

net::Awaitable<Filtering::Said> Filtering::content(const smtp::SessionInfo& session, milter::Message& message,
                                                   FilteredBody& body) {
  set("msg_id", std::string(mail::field_value(message.header, "Message-ID")));
  for (const Given& one : given_) message.recipients.push_back({one.address, {}});
  auto decision = co_await filters_.message(message, body);
  co_return settle(session, std::move(decision));
}

net::Awaitable<void> Filtering::reset() {
  co_await filters_.abort();
}

net::Awaitable<void> Filtering::ended() {
  co_await filters_.quit();
}

// --- What they say

Filtering::Said Filtering::settle(const smtp::SessionInfo& session, Decision decision, std::string_view to) {
  who_refused_.clear();
  for (const Note& note : filters_.take_notes()) {
    tell(session, note, to);
    using enum Note::What;
    if (note.what == kRefused || note.what == kClosed || note.what == kFailed) who_refused_ = note.milter;
  }
  switch (decision.kind) {
    case Decision::Kind::kPass:
      who_refused_.clear();
      return std::nullopt;
    case Decision::Kind::kDiscard:  // as if it were in the queue: whoever sent it is not to know
      who_refused_.clear();
      return Reply(250, {2, 0, 0}, "queued as " + id_);
    case Decision::Kind::kRefuse:
      return with_status(std::move(decision.reply));
    case Decision::Kind::kClose:
      decision.reply.code = 421;  // RFC 5321 section 3.8
      return with_status(std::move(decision.reply));
  }
  return std::nullopt;
}

void Filtering::tell(const smtp::SessionInfo& session, const Note& note, std::string_view to) const {
  const bool failed = note.what == Note::What::kFailed;
  const bool of_message = note.at != milter::At::kConnect && note.at != milter::At::kHelo;
  const std::string protocol = protocol_keyword(session.esmtp, session.tls, session.authenticated(), false);
  context_.log.write(failed ? LogLevel::kWarning : LogLevel::kInfo, LogWeight::kSession, "milter",
                     {{"id", of_message ? std::string_view(id_) : std::string_view()},
                      {"milter", note.milter},
                      {"stage", milter::name(note.at)},
                      {"verdict", milter::name(note.what)},
                      {failed ? "error" : "reason", note.text},
                      {"client", session.peer.address},
                      {"helo", session.helo},
                      {"protocol", protocol},
                      {"from", of_message ? std::string_view(from_) : std::string_view()},
                      {"to", to}});
}

}  // namespace sidegate::intake
