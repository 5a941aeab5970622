#include "submit/sendmail.h"

#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/i18n.h"
#include "base/text.h"
#include "mail/address_list.h"
#include "mail/header.h"
#include "mail/mailbox.h"
#include "submit/caller.h"
#include "submit/dialogue.h"
#include "submit/drop.h"
#include "submit/exit_code.h"
#include "submit/header_fields.h"
#include "submit/paths.h"
#include "submit/pump.h"
#include "submit/returned.h"
#include "submit/text_reader.h"

namespace sidegate::submit {
namespace {

using mail::Reply;

constexpr std::size_t kMaxMessage = 256u << 20;  // what sidegate-drop keeps; the server's limit is usually lower

void complain(const std::string& what, const std::string& next = {}) {
  std::string words = "sendmail: " + what + "\n";
  if (!next.empty()) words += tr("  next: {}", next) + "\n";
  std::fputs(words.c_str(), stderr);
}

// One message from its reading to its end, in the order in which it happens.
class Sending {
 public:
  explicit Sending(Arguments arguments) : a_(std::move(arguments)) {}

  int run() {
    if (int code = read(); code != EX_OK) return code;
    if (int code = make_envelope(); code != EX_OK) return code;
    finish_message();
    replies_.assign(envelope_.recipients.size(), Reply());
    to_server();
    const bool kept = to_drop();
    const int refused = tell_refused();
    return kept ? refused : EX_TEMPFAIL;
  }

  // -bv: what would become of each recipient.
  int verify() {
    if (int code = make_envelope(); code != EX_OK) return code;
    finish_message();
    auto dialogue = Dialogue::open(find_paths(a_.config).socket);
    if (!dialogue) {
      complain(dialogue.error().text, _("start it: systemctl start sidegate"));
      return EX_TEMPFAIL;
    }
    replies_ = dialogue->verify(envelope_);
    Message report;
    std::string text = "From: Mail Delivery System <MAILER-DAEMON>\r\nTo: " + envelope_.reverse_path +
                       "\r\nSubject: Mail Delivery Status Report\r\nAuto-Submitted: auto-replied\r\n\r\n";
    int worst = EX_OK;
    for (std::size_t n = 0; n < replies_.size(); ++n) {
      text += "<" + envelope_.recipients[n].address +
              ">: " + (replies_[n].positive() ? "deliverable" : "not deliverable: " + replies_[n].line()) + "\r\n";
      if (worst == EX_OK) worst = exit_code_of(replies_[n]);
    }
    report.add(std::move(text));
    mail::Envelope to_sender;
    to_sender.recipients.emplace_back().address = envelope_.reverse_path;
    (void)dialogue->submit(to_sender, report);
    dialogue->quit();
    announce_report();
    return worst;
  }

 private:
  // --- Standard input, to its end or its lone dot

  int read() {
    TextReader reader(a_.dot_ends);
    char bytes[64 * 1024];
    bool more = true;
    while (more) {
      const ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        complain(errno_error(errno, "standard input").text);
        return EX_IOERR;
      }
      if (n == 0) break;
      more = reader.push({bytes, static_cast<std::size_t>(n)});
      message_.add(reader.take_body());
      if (reader.header_too_large() || message_.size() > kMaxMessage) {
        complain(_("the message is too large"));
        return EX_DATAERR;
      }
    }
    reader.finish();
    message_.add(reader.take_body());
    message_.eight_bit = reader.eight_bit();
    header_ = reader.header();
    return EX_OK;
  }

  // --- Who, to whom

  int make_envelope() {
    std::vector<std::string> recipients = a_.recipients;
    if (a_.from_header) {
      for (std::string& one : header_recipients(header_)) recipients.push_back(std::move(one));
    }
    if (recipients.empty()) {
      complain(_("no recipient addresses found in the message header"));
      return EX_USAGE;
    }
    envelope_.reverse_path = a_.sender_given ? a_.sender : caller().name;
    envelope_.body = a_.body;
    envelope_.ret = a_.ret;
    envelope_.envid = a_.envid;
    envelope_.smtputf8 = !is_ascii(envelope_.reverse_path);
    mail::Notify notify = a_.notify;
    if (a_.verbose > 0 && !notify.specified()) notify = {.success = true, .failure = true, .delay = true};
    for (std::string& address : recipients) {
      if (std::ranges::any_of(envelope_.recipients, [&](const auto& r) { return r.address == address; })) continue;
      envelope_.smtputf8 |= !is_ascii(address);
      mail::Recipient& recipient = envelope_.recipients.emplace_back();
      recipient.address = std::move(address);
      recipient.notify = notify;
    }
    return check_addresses();
  }

  // Nothing that could end a command goes on; what is no address otherwise is the server's to refuse.
  int check_addresses() {
    auto unfit = [](const std::string& address) {
      return address.size() > 1000 || std::ranges::any_of(address, is_control);
    };
    if (unfit(envelope_.reverse_path)) {
      complain(tr("-f: {} is no single address", printable(envelope_.reverse_path, 200)));
      return EX_USAGE;
    }
    for (const mail::Recipient& to : envelope_.recipients) {
      if (!unfit(to.address)) continue;
      refused_.push_back({to, Reply(553, {5, 1, 3}, "Bad recipient address syntax")});
      refused_.back().recipient.address = printable(to.address, 200);
    }
    std::erase_if(envelope_.recipients, [&](const mail::Recipient& to) { return unfit(to.address); });
    return EX_OK;
  }

  const Caller& caller() {
    if (!caller_) caller_ = this_caller();
    return *caller_;
  }

  void finish_message() {
    Author author;
    Resent resent;
    if (needs_author(header_)) {
      author.address = a_.sender_given ? a_.sender : caller().name;
      author.full_name = a_.full_name.empty() ? caller().full_name : a_.full_name;
    }
    if (is_resent(header_)) {
      Clock& clock = system_clock();
      char host[256] = "";
      (void)::gethostname(host, sizeof host - 1);
      resent = {mail::rfc5322_date(clock.wall()), mail::message_id(QueueIdSource(clock).next(), host)};
    }
    message_.set_header(edited_header(header_, author, resent));
    message_.eight_bit |= !is_ascii(header_);
  }

  // --- To the server; what it does not take now, to the drop directory

  void to_server() {
    paths_ = find_paths(a_.config);
    if (envelope_.recipients.empty()) return;
    auto dialogue = Dialogue::open(paths_.socket);
    if (!dialogue) {
      why_ = dialogue.error().text;
      replies_.assign(replies_.size(), Reply(451, {4, 3, 2}, why_));
      return;
    }
    replies_ = dialogue->submit(envelope_, message_);
    for (std::size_t n = 0; n < replies_.size(); ++n) {
      if (!replies_[n].positive() && !replies_[n].permanent()) why_ = replies_[n].line();
      if (replies_[n].permanent()) refused_.push_back({envelope_.recipients[n], replies_[n]});
    }
    if (mails_back()) return_refused(*dialogue);
    dialogue->quit();
    if (a_.verbose > 0) announce_report();
  }

  bool to_drop() {
    mail::Envelope left = envelope_;
    left.recipients.clear();
    for (std::size_t n = 0; n < replies_.size(); ++n) {
      if (!replies_[n].positive() && !replies_[n].permanent()) left.recipients.push_back(envelope_.recipients[n]);
    }
    if (left.recipients.empty()) return true;
    Status kept = drop(paths_.drop_directory, left, message_);
    if (kept) return true;
    complain(
        tr("the server does not take mail now ({}), and it cannot be kept until it does: {}", why_,
           printable(kept.error().text, 500)),
        kept.error().kind == ErrorKind::kRefused
            ? _("start the server (systemctl start sidegate) and send again; keeping mail while it is down needs the "
                "set-gid program sidegate-drop, which cannot work in a container or service with no_new_privs")
            : _("start the server (systemctl start sidegate) and send again"));
    return false;
  }

  // --- What was refused for good

  bool mails_back() const {
    const bool wanted = a_.errors == Errors::kMail || a_.errors == Errors::kMailAndSucceed;
    return wanted && !refused_.empty() && !envelope_.reverse_path.empty();
  }

  void return_refused(Dialogue& dialogue) {
    std::erase_if(refused_, [](const Refused& one) { return one.recipient.notify.never; });
    mail::Envelope original = envelope_;
    original.reverse_path = mail::qualified(envelope_.reverse_path, dialogue.server());
    std::vector<Refused> told = refused_;
    for (Refused& one : told) one.recipient.address = mail::qualified(one.recipient.address, dialogue.server());
    mail::Envelope to_sender;
    to_sender.recipients.emplace_back().address = envelope_.reverse_path;
    to_sender.smtputf8 = !is_ascii(envelope_.reverse_path);
    const Message report = returned_message(told, original, message_, dialogue.server());
    const std::vector<Reply> said = dialogue.submit(to_sender, report);
    returned_ = said[0].positive();
    if (!returned_ && a_.errors != Errors::kQuiet)
      complain(tr("the report to {} was not taken: {}", envelope_.reverse_path, printable(said[0].line(), 300)));
  }

  int tell_refused() {
    int code = EX_OK;
    for (const Refused& one : refused_) {
      if (a_.errors != Errors::kQuiet) complain(one.recipient.address + ": " + printable(one.reply.line(), 500));
      if (code == EX_OK) code = exit_code_of(one.reply);
    }
    return a_.errors == Errors::kMailAndSucceed && returned_ ? EX_OK : code;
  }

  void announce_report() {
    // The words of Postfix's, which scripts may look for.
    std::printf("Mail Delivery Status Report will be mailed to <%s>.\n", envelope_.reverse_path.c_str());
  }

  Arguments a_;
  std::optional<Caller> caller_;
  Paths paths_;
  std::string header_;
  Message message_;
  mail::Envelope envelope_;
  std::vector<Reply> replies_;  // one a recipient of the envelope
  std::vector<Refused> refused_;
  std::string why_;  // it was not taken now
  bool returned_ = false;
};

// -bs: the server's own words, as long as it takes mail; else a dialogue of our own that drops what it is given.
int dialogue(const Arguments& arguments, const Other& other) {
  auto fd = connect_to(find_paths(arguments.config).socket);
  if (!fd) return other(arguments);
  ReplyReader replies(*fd);
  auto greeting = replies.read(std::chrono::minutes(1));
  if (!greeting || greeting->code != 220) {
    ::close(*fd);
    return other(arguments);
  }
  return pump(*fd, greeting->wire() + replies.take_rest()) ? EX_OK : EX_IOERR;
}

}  // namespace

int run(std::string_view name, const std::vector<std::string>& arguments, const Other& other) {
  Parsed parsed = parse_arguments(name, arguments);
  if (!parsed.error.empty()) {
    complain(parsed.error, _("the options are in sendmail(1)"));
    return EX_USAGE;
  }
  for (const std::string& warning : parsed.arguments.warnings) complain(warning);
  switch (parsed.arguments.mode) {
    case Mode::kDeliver:
      return Sending(std::move(parsed.arguments)).run();
    case Mode::kVerify:
      return Sending(std::move(parsed.arguments)).verify();
    case Mode::kDialogue:
      return dialogue(parsed.arguments, other);
    case Mode::kNothing:
      return EX_OK;
    case Mode::kDaemon:
      complain(_("the server is not started this way"), _("systemctl start sidegate, or sidegate run"));
      return EX_UNAVAILABLE;
    case Mode::kMailq:
    case Mode::kNewaliases:
    case Mode::kFlush:
      return other(parsed.arguments);
  }
  return EX_SOFTWARE;
}

}  // namespace sidegate::submit
