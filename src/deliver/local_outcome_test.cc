#include "deliver/local_outcome.h"

#include <errno.h>
#include <gtest/gtest.h>

namespace sidegate::deliver::local_outcome_test {
namespace {

using helper::Answer;
using helper::Cause;
using helper::Verb;

TEST(LocalOutcome, Table) {
  struct Case {
    Verb verb;
    Cause cause;
    int code;
    const char* text;
    Action action;
    const char *status, *words;
  };
  const char* kPlace = "/usr/bin/list in";
  const Case kCases[] = {
      {Verb::kMbox, Cause::kDone, 0, "/var/mail/a", Action::kDelivered, "2.0.0", "delivered to mailbox"},
      {Verb::kMaildir, Cause::kDone, 0, "/home/a/Maildir", Action::kDelivered, "2.0.0", "delivered to maildir"},
      {Verb::kFile, Cause::kDone, 0, "/home/a/x", Action::kDelivered, "2.0.0", "delivered to file: /home/a/x"},
      {Verb::kCommand, Cause::kDone, 0, "", Action::kDelivered, "2.0.0", "delivered to command: /usr/bin/list in"},
      {Verb::kCommand, Cause::kExit, 75, "busy", Action::kDefer, "4.3.0", "temporary failure. Command output: busy"},
      {Verb::kCommand, Cause::kExit, 71, "", Action::kDefer, "4.3.0", "system resource problem"},
      {Verb::kCommand, Cause::kExit, 74, "", Action::kDefer, "4.3.0", "input/output error"},
      {Verb::kCommand, Cause::kExit, 67, "", Action::kFail, "5.1.1", "user unknown"},
      {Verb::kCommand, Cause::kExit, 77, "no", Action::kFail, "5.7.0", "permission denied. Command output: no"},
      {Verb::kCommand, Cause::kExit, 73, "", Action::kFail, "5.2.0", "can't create user output file"},
      {Verb::kCommand, Cause::kExit, 1, "oops", Action::kFail, "5.3.0",
       "Command died with status 1: \"/usr/bin/list in\". Command output: oops"},
      {Verb::kCommand, Cause::kExit, 99, "", Action::kFail, "5.3.0",
       "Command died with status 99: \"/usr/bin/list in\""},
      {Verb::kCommand, Cause::kExit, 127, "", Action::kDefer, "4.3.5",
       "Command died with status 127: \"/usr/bin/list in\""},
      {Verb::kCommand, Cause::kExit, 1, "5.7.1 not you", Action::kFail, "5.7.1", "5.7.1 not you"},
      {Verb::kCommand, Cause::kExit, 77, "4.2.2 over quota", Action::kDefer, "4.2.2", "4.2.2 over quota"},
      {Verb::kCommand, Cause::kExit, 77, "2.0.0 fine", Action::kFail, "5.7.0",
       "permission denied. Command output: 2.0.0 fine"},
      {Verb::kCommand, Cause::kSignal, 11, "", Action::kDefer, "4.3.0",
       "Command died with signal 11: \"/usr/bin/list in\""},
      {Verb::kCommand, Cause::kTimeLimit, 0, "", Action::kDefer, "4.3.0",
       "Command time limit exceeded: \"/usr/bin/list in\""},
      {Verb::kMbox, Cause::kLocked, 0, "held", Action::kDefer, "4.2.0", "held"},
      {Verb::kMbox, Cause::kSystem, ENOSPC, "writing to x", Action::kDefer, "4.3.1",
       "writing to x: No space left on device"},
      {Verb::kMaildir, Cause::kSystem, EDQUOT, "writing to x", Action::kDefer, "4.2.2",
       "writing to x: Disk quota exceeded"},
      {Verb::kMbox, Cause::kSystem, EACCES, "opening x", Action::kDefer, "4.2.0", "opening x: Permission denied"},
      {Verb::kMbox, Cause::kSystem, EIO, "opening x", Action::kDefer, "4.3.0", "opening x: Input/output error"},
      {Verb::kMbox, Cause::kNoUser, 0, "bob", Action::kFail, "5.1.1", "unknown user: \"bob\""},
      {Verb::kCommand, Cause::kNoUser, 0, "lists", Action::kDefer, "4.3.5", "unknown user: \"lists\""},
      {Verb::kMbox, Cause::kNotAllowed, 0, "x is a symbolic link", Action::kDefer, "4.2.0", "x is a symbolic link"},
      {Verb::kMbox, Cause::kUnavailable, 0, "looking up", Action::kDefer, "4.3.0", "looking up"},
      {Verb::kMbox, Cause::kBadRequest, 0, "", Action::kDefer, "4.3.5", "the helper did not accept the request"},
  };
  for (const Case& c : kCases) {
    Answer answer{.cause = c.cause, .code = c.code, .text = c.text};
    LocalEnd end = judge_local(c.verb, answer, kPlace);
    EXPECT_EQ(end.verdict.action, c.action) << c.words;
    EXPECT_EQ(end.verdict.status.text(), c.status) << c.words;
    EXPECT_EQ(end.words, c.words);
    EXPECT_EQ(end.verdict.scope, Scope::kRecipient) << c.words;
    EXPECT_FALSE(end.verdict.explanation.empty() || end.verdict.meaning.empty()) << c.words;
    EXPECT_FALSE(end.verdict.uncertain) << c.words;
  }
}

TEST(LocalOutcome, NoAnswerDefersAndSaysWhetherItMayHaveBeenDelivered) {
  for (bool all_sent : {false, true}) {
    LocalEnd end = judge_no_answer(Error{ErrorKind::kClosed, "gone"}, all_sent);
    EXPECT_EQ(end.verdict.action, Action::kDefer);
    EXPECT_EQ(end.verdict.uncertain, all_sent);
  }
  EXPECT_EQ(judge_loop("a@b").verdict.status.text(), "5.4.6");
  EXPECT_EQ(judge_loop("a@b").verdict.action, Action::kFail);
  EXPECT_EQ(judge_busy(Duration(300)).verdict.action, Action::kStepAside);
}

}  // namespace
}  // namespace sidegate::deliver::local_outcome_test
