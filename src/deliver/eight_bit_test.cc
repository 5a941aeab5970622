#include "deliver/eight_bit.h"

#include <gtest/gtest.h>

namespace sidegate::deliver::eight_bit_test {
namespace {

std::string converted(std::string_view text, std::size_t piece, bool* impossible = nullptr) {
  EightBitWalk survey;
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece) survey.push(text.substr(at, piece), out);
  survey.finish(out);
  EXPECT_EQ(out, "");
  if (impossible) *impossible = survey.impossible();
  EightBitWalk walk(survey.parts());
  for (std::size_t at = 0; at < text.size(); at += piece) walk.push(text.substr(at, piece), out);
  walk.finish(out);
  return out;
}

struct Case {
  const char* name;
  const char* in;
  const char* out;
};

const Case kCases[] = {
    {"no MIME at all", "Subject: x\r\n\r\ngr\xfc\xdf\r\nplain\r\n",
     "Subject: x\r\nContent-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
     "charset=unknown-8bit\r\n\r\ngr=FC=DF\r\nplain\r\n"},
    {"one part",
     "MIME-Version: 1.0\r\nContent-Type: text/plain;\r\n charset=utf-8\r\nContent-Transfer-Encoding: "
     "8bit\r\n\r\na=\xc3\xbc \r\n",
     "MIME-Version: 1.0\r\nContent-Type: text/plain;\r\n charset=utf-8\r\nContent-Transfer-Encoding: "
     "quoted-printable\r\n\r\na=3D=C3=BC=20\r\n"},
    {"multipart, one part clean",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b b\"\r\nContent-Transfer-Encoding: "
     "8bit\r\n\r\npreamble\r\n--b b\r\n\r\nclean = "
     "\r\n--b b\r\nContent-Type: text/html\r\n\r\n\xfc\r\n--b b--\r\nend\r\n",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b b\"\r\nContent-Transfer-Encoding: "
     "7bit\r\n\r\npreamble\r\n--b b\r\n\r\nclean = "
     "\r\n--b b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=FC\r\n--b "
     "b--\r\nend\r\n"},
    {"nested message",
     "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: "
     "message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: "
     "in\r\n\r\n\xfc\r\n--x--\r\n",
     "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: "
     "message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: "
     "in\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=FC\r\n--x--\r\n"},
    {"nothing to do", "Subject: x\r\n\r\nplain = \r\nno end", "Subject: x\r\n\r\nplain = \r\nno end"},
};

TEST(EightBit, Converts) {
  for (const Case& c : kCases) {
    for (std::size_t piece : {1u, 7u, 1000u}) EXPECT_EQ(converted(c.in, piece), c.out) << c.name << " by " << piece;
  }
}

TEST(EightBit, SealedOrLabelledPartsAreLeftAlone) {
  bool impossible = false;
  converted(
      "Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\n\xfc\r\n--x--\r\n",
      1000, &impossible);
  EXPECT_TRUE(impossible);
  converted("Content-Transfer-Encoding: base64\r\n\r\n\xfc\r\n", 1000, &impossible);
  EXPECT_TRUE(impossible);
}

TEST(QuotedPrintable, LinesAreAtMost76) {
  std::string out;
  append_quoted_printable(std::string(300, '\xfc'), out);
  for (std::size_t at = 0; at < out.size();) {
    auto end = std::min(out.find("\r\n", at), out.size());
    EXPECT_LE(end - at, 76u);
    at = end + 2;
  }
  out.clear();
  append_quoted_printable(std::string(76, 'x'), out);
  EXPECT_EQ(out, std::string(76, 'x'));
  out.clear();
  append_quoted_printable(std::string(77, 'x'), out);
  EXPECT_EQ(out, std::string(75, 'x') + "=\r\nxx");
}

}  // namespace
}  // namespace sidegate::deliver::eight_bit_test
