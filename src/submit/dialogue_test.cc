#include "submit/dialogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sysexits.h>

#include "submit/caller.h"
#include "submit/drop.h"
#include "submit/exit_code.h"
#include "submit/paths.h"
#include "submit/pump.h"

namespace sidegate::submit::dialogue_test {
namespace {

TEST(ExitCode, OfReplies) {
  using mail::Reply;
  EXPECT_EQ(exit_code_of(Reply(250, {2, 0, 0}, "")), EX_OK);
  EXPECT_EQ(exit_code_of(Reply(451, {4, 3, 0}, "")), EX_TEMPFAIL);
  EXPECT_EQ(exit_code_of(Reply(550, {5, 1, 1}, "")), EX_NOUSER);
  EXPECT_EQ(exit_code_of(Reply(550, {5, 1, 2}, "")), EX_NOHOST);
  EXPECT_EQ(exit_code_of(Reply(501, {5, 1, 3}, "")), EX_DATAERR);
  EXPECT_EQ(exit_code_of(Reply(554, {5, 6, 0}, "")), EX_DATAERR);
  EXPECT_EQ(exit_code_of(Reply(550, {5, 7, 1}, "")), EX_NOPERM);
  EXPECT_EQ(exit_code_of(Reply(552, {5, 3, 4}, "")), EX_UNAVAILABLE);
  EXPECT_EQ(exit_code_of(Reply(550, "no code")), EX_UNAVAILABLE);
}

TEST(Paths, InAFile) {
  EXPECT_EQ(paths_in(""), Paths());
  EXPECT_EQ(paths_in("submit_socket = \"/a\"\ndrop_directory = \"/b\" # c\n[[relay]]\nname=\"x\"\n"),
            (Paths{"/a", "/b"}));
  EXPECT_EQ(paths_in("[log]\nsubmit_socket = \"/a\"\n"), Paths());
  EXPECT_EQ(paths_in("submit_socket = 3\n"), Paths());
  EXPECT_EQ(paths_in("submit_socket = \"relative\"\n"), Paths());
  EXPECT_EQ(paths_in("= broken"), std::nullopt);
}

TEST(FullName, OfGecos) {
  EXPECT_EQ(full_name_of("Jo Doe,room 1,,", "jo"), "Jo Doe");
  EXPECT_EQ(full_name_of("& Doe", "jo"), "Jo Doe");
  EXPECT_EQ(full_name_of("", "jo"), "");
}

TEST(LineEnds, AreTheFirstCommands) {
  LineEnds lf;
  EXPECT_EQ(lf.convert("EHLO x\nMA"), "EHLO x\r\nMA");
  EXPECT_EQ(lf.convert("IL\r"), "IL\r");
  EXPECT_EQ(lf.convert("\n.\n"), "\n.\r\n");
  LineEnds crlf;
  EXPECT_EQ(crlf.convert("EHLO x\r"), "EHLO x\r");
  EXPECT_EQ(crlf.convert("\nDATA\r\na\n.\nb\r\n"), "\nDATA\r\na\n.\nb\r\n");
}

TEST(DropRequest, SaysTheWholeEnvelope) {
  mail::Envelope envelope;
  envelope.reverse_path = "a@x";
  envelope.ret = mail::Ret::kHeaders;
  envelope.body = mail::BodyType::k8bitMime;
  envelope.envid = "id";
  envelope.recipients.emplace_back().address = "b";
  envelope.recipients.back().notify = {.success = true, .delay = true};
  envelope.recipients.emplace_back().address = "c@x";
  envelope.recipients.back().notify.never = true;
  envelope.recipients.back().orcpt = "rfc822;c";
  EXPECT_EQ(drop_request(envelope, 7),
            "sidegate-drop 1\nfrom a@x\nbody 8bitmime\nret hdrs\nenvid id\nto b\nnotify success,delay\nto c@x\nnotify "
            "never\norcpt rfc822;c\nmessage 7\n");
}

}  // namespace
}  // namespace sidegate::submit::dialogue_test
