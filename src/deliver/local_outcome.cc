#include "deliver/local_outcome.h"

#include <errno.h>
#include <sysexits.h>

#include <cstring>

#include "base/text.h"

namespace sidegate::deliver {
namespace {

using helper::Answer;
using helper::Cause;
using helper::Verb;

struct ExitFacts {
  int code;
  Action action;
  mail::EnhancedCode status;
  const char* text;
};
// sysexits(3) as Postfix's local(8) understands it.
constexpr ExitFacts kExits[] = {
    {EX_USAGE, Action::kFail, {5, 3, 0}, "command line usage error"},
    {EX_DATAERR, Action::kFail, {5, 6, 0}, "data format error"},
    {EX_NOINPUT, Action::kFail, {5, 3, 0}, "cannot open input"},
    {EX_NOUSER, Action::kFail, {5, 1, 1}, "user unknown"},
    {EX_NOHOST, Action::kFail, {5, 1, 2}, "host name unknown"},
    {EX_UNAVAILABLE, Action::kFail, {5, 3, 0}, "service unavailable"},
    {EX_SOFTWARE, Action::kFail, {5, 3, 0}, "internal software error"},
    {EX_OSERR, Action::kDefer, {4, 3, 0}, "system resource problem"},
    {EX_OSFILE, Action::kFail, {5, 3, 0}, "critical OS file missing"},
    {EX_CANTCREAT, Action::kFail, {5, 2, 0}, "can't create user output file"},
    {EX_IOERR, Action::kDefer, {4, 3, 0}, "input/output error"},
    {EX_TEMPFAIL, Action::kDefer, {4, 3, 0}, "temporary failure"},
    {EX_PROTOCOL, Action::kFail, {5, 5, 0}, "remote error in protocol"},
    {EX_NOPERM, Action::kFail, {5, 7, 0}, "permission denied"},
    {EX_CONFIG, Action::kFail, {5, 3, 5}, "local configuration error"},
};

LocalEnd end(Action action, mail::EnhancedCode status, std::string_view meaning, std::string_view explanation,
             std::string words) {
  LocalEnd e;
  e.verdict.scope = Scope::kRecipient;
  e.verdict.action = action;
  e.verdict.status = status;
  e.verdict.meaning = meaning;
  e.verdict.explanation = explanation;
  e.words = std::move(words);
  return e;
}

LocalEnd defers(mail::EnhancedCode status, std::string_view meaning, std::string_view explanation, std::string words) {
  return end(Action::kDefer, status, meaning, explanation, std::move(words));
}

std::string quoted_command(const std::string& place) {
  return "\"" + printable(place, 200) + "\"";
}

std::string with_output(std::string words, const Answer& answer) {
  if (!answer.text.empty()) words += ". Command output: " + answer.text;
  return words;
}

LocalEnd delivered(Verb verb, const Answer& answer, const std::string& place) {
  std::string words = verb == Verb::kMbox      ? "delivered to mailbox"
                      : verb == Verb::kMaildir ? "delivered to maildir"
                      : verb == Verb::kFile    ? "delivered to file: " + printable(answer.text, 200)
                                               : "delivered to command: " + printable(place, 200);
  return end(Action::kDelivered, {2, 0, 0}, "accepted", "Delivered on this machine.", std::move(words));
}

// As Postfix: a command may say why itself, "5.1.2 text" at the beginning of its output.
std::optional<mail::EnhancedCode> said_itself(const Answer& answer) {
  auto code = mail::EnhancedCode::parse(std::string_view(answer.text).substr(0, answer.text.find(' ')));
  return code && (code->cls == 4 || code->cls == 5) ? code : std::nullopt;
}

LocalEnd exited(const Answer& answer, const std::string& place) {
  if (auto code = said_itself(answer)) {
    bool temporary = code->cls == 4;
    return end(temporary ? Action::kDefer : Action::kFail, *code, temporary ? "command-tempfail" : "command-refused",
               temporary ? "The command asks to be called again later." : "The command refused the message.",
               answer.text);
  }
  for (const ExitFacts& facts : kExits) {
    if (facts.code != answer.code) continue;
    bool temporary = facts.action == Action::kDefer;
    return end(facts.action, facts.status, temporary ? "command-tempfail" : "command-refused",
               temporary ? "The command asks to be called again later." : "The command refused the message.",
               with_output(facts.text, answer));
  }
  std::string words =
      with_output(fmt::format("Command died with status {}: {}", answer.code, quoted_command(place)), answer);
  // The shell's own: not found, not executable. A configuration to be mended, so nothing bounces (promise 4).
  if (answer.code == 126 || answer.code == 127) {
    return defers({4, 3, 5}, "command-missing", "The command cannot be run. Check its path and its mode.",
                  std::move(words));
  }
  return end(Action::kFail, {5, 3, 0}, "command-refused", "The command refused the message.", std::move(words));
}

LocalEnd system(const Answer& answer) {
  std::string words = fmt::format("{}: {}", answer.text, std::strerror(answer.code));
  switch (answer.code) {
    case ENOSPC:
      return defers({4, 3, 1}, "disk-full", "The disk is full. It is tried again when there is room.",
                    std::move(words));
    case EDQUOT:
    case EFBIG:
      return defers({4, 2, 2}, "mailbox-full", "The mailbox is full. It is tried again when there is room.",
                    std::move(words));
    case EACCES:
    case EPERM:
    case EROFS:
      return defers(
          {4, 2, 0}, "mailbox-not-writable",
          "The user may not write there. Check owner and mode of the mailbox and its folder; for root's mail, "
          "name a person under root in /etc/aliases.",
          std::move(words));
    default:
      return defers({4, 3, 0}, "system-trouble", "The system did not do what was asked. It is tried again.",
                    std::move(words));
  }
}

}  // namespace

LocalEnd judge_local(Verb verb, const Answer& answer, const std::string& place) {
  switch (answer.cause) {
    case Cause::kDone:
      return delivered(verb, answer, place);
    case Cause::kNoUser: {
      // Whose mailbox it is: nobody's any more. Whose rights a command or file asks for: a configuration to be mended.
      bool mailbox = verb == Verb::kMbox || verb == Verb::kMaildir;
      std::string words = fmt::format("unknown user: \"{}\"", answer.text);
      if (mailbox)
        return end(Action::kFail, {5, 1, 1}, "no-such-user", "There is no such user here.", std::move(words));
      return defers({4, 3, 5}, "no-such-user", "The user with whose rights this is to be done does not exist.",
                    std::move(words));
    }
    case Cause::kNotFound:
    case Cause::kNotAllowed:
      return defers({4, 2, 0}, "not-allowed",
                    "It is not safe, or not possible here, to deliver this way. It waits until that is mended.",
                    answer.text);
    case Cause::kLocked:
      return defers({4, 2, 0}, "mailbox-locked", "Another program uses the mailbox. It is tried again.", answer.text);
    case Cause::kSystem:
      return system(answer);
    case Cause::kExit:
      return exited(answer, place);
    case Cause::kSignal:
      return defers(
          {4, 3, 0}, "command-died", "The command was ended by a signal. It is tried again.",
          with_output(fmt::format("Command died with signal {}: {}", answer.code, quoted_command(place)), answer));
    case Cause::kTimeLimit:
      return defers({4, 3, 0}, "command-timeout",
                    "The command took longer than command_timeout allows and was ended. It is tried again.",
                    with_output("Command time limit exceeded: " + quoted_command(place), answer));
    case Cause::kUnavailable:
      return defers({4, 3, 0}, "users-unavailable", "The system's users cannot be looked up now. It is tried again.",
                    answer.text);
    case Cause::kBadRequest:
      return defers({4, 3, 5}, "not-possible", "The path, command or user name is not one that can be delivered to.",
                    answer.text.empty() ? "the helper did not accept the request" : answer.text);
  }
  return judge_no_answer(Error{ErrorKind::kInternal, "no answer"}, true);
}

LocalEnd judge_no_answer(const Error& why, bool all_sent) {
  LocalEnd e = defers({4, 3, 0}, "helper-lost",
                      all_sent ? "The delivery ended without an answer: it may have been delivered. It is tried again, "
                                 "so a duplicate is possible."
                               : "Local delivery is not to be had just now. It is tried again.",
                      why.text);
  e.verdict.uncertain = all_sent;
  return e;
}

LocalEnd judge_discarded(const mail::Recipient& recipient) {
  if (mail::tells_of(recipient, mail::kExpanded))
    return end(Action::kDelivered, {2, 0, 0}, "expanded", "The address stands for several.", "expanded");
  if (mail::tells_of(recipient, mail::kHandedToList))
    return end(Action::kDelivered, {2, 0, 0}, "accepted", "The address is a list's.", "handed to the list");
  return end(Action::kDelivered, {2, 0, 0}, "accepted", "Discarded, as the configuration says.", "discarded");
}

LocalEnd judge_loop(const std::string& recipient) {
  return end(Action::kFail, {5, 4, 6}, "mail-loop", "The message has been here before: addresses lead in a circle.",
             fmt::format("mail forwarding loop for {}", printable(recipient, 200)));
}

LocalEnd judge_busy(Duration wait) {
  LocalEnd e = end(Action::kStepAside, {4, 3, 2}, "command-busy",
                   "As many deliveries to this command are under way as may be. It waits for its turn.",
                   "too many deliveries to this command are under way");
  e.verdict.hold = wait;
  return e;
}

}  // namespace sidegate::deliver
