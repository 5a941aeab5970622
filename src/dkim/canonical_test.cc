#include "dkim/canonical.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <rapidcheck/gtest.h>

#include <random>

#include "base/text.h"

namespace sidegate::dkim::canonical_test {
namespace {

std::string in_base64(const Hash& hash) {
  return base64({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

struct Both {
  std::string simple, relaxed;
};
Both hashes(std::string_view body, std::size_t piece = std::string::npos) {
  BodyHasher hasher(true, true);
  for (std::size_t at = 0; at < body.size(); at += std::min(piece, body.size())) hasher.push(body.substr(at, piece));
  hasher.finish();
  return {in_base64(hasher.simple()), in_base64(hasher.relaxed())};
}

// RFC 6376 sections 3.4.3 and 3.4.4 give the hashes of an empty body.
TEST(Body, Empty) {
  EXPECT_EQ(hashes("").simple, "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
  EXPECT_EQ(hashes("").relaxed, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  EXPECT_EQ(hashes("\r\n\r\n").simple, hashes("").simple);
  EXPECT_EQ(hashes("\r\n \t\r\n").relaxed, hashes("").relaxed);
}

TEST(Body, WhatCountsAsTheSame) {
  struct {
    const char *a, *b;
    bool simple, relaxed;
  } cases[] = {
      {"a\r\n", "a\r\n\r\n\r\n", true, true},  // empty lines at the end
      {"a\r\n", "a", true, true},              // no line end at the end
      {"a\r\n", "a \t\r\n", false, true},      // white space at a line's end
      {"a b\r\n", "a \t b\r\n", false, true},  // within a line
      {" a\r\n", "\t a\r\n", false, true},     // at its beginning
      {" a\r\n", "a\r\n", false, false},       // there is some, or none
      {"a\r\n\r\nb\r\n", "a\r\nb\r\n", false, false},
      {"a\r\n\r\nb\r\n", "a\r\n  \r\nb\r\n", false, true},
      {"a\rb\r\n", "a\r\nb\r\n", false, false},
      {"a \r\n \r\n", "a\r\n", false, true},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(hashes(c.a).simple == hashes(c.b).simple, c.simple) << printable(c.a) << " / " << printable(c.b);
    EXPECT_EQ(hashes(c.a).relaxed == hashes(c.b).relaxed, c.relaxed) << printable(c.a) << " / " << printable(c.b);
  }
}

// RFC 6376 section 3.4.5.
TEST(Body, ThePublishedExample) {
  Both given = hashes(" C \r\nD \t E\r\n\r\n\r\n");
  EXPECT_EQ(given.relaxed, hashes(" C\r\nD E\r\n").simple);
  EXPECT_EQ(given.simple, hashes(" C \r\nD \t E\r\n").simple);
}

TEST(Body, OneFormAlone) {
  BodyHasher relaxed(false, true);
  relaxed.push("a\r\n");
  relaxed.finish();
  EXPECT_EQ(relaxed.simple(), Hash{});
  EXPECT_EQ(in_base64(relaxed.relaxed()), hashes("a\r\n").relaxed);
}

// However it comes in pieces, and line by line as RFC 6376 says it in words.
RC_GTEST_PROP(Body, AnyPieces, ()) {
  auto pieces = *rc::gen::container<std::vector<std::string>>(
      rc::gen::element<std::string>("\r\n", "\r\n\r\n", " ", "\t", "a", "bc", "\r", "\n", "\x80", ""));
  std::string body;
  for (const auto& piece : pieces) body += piece;
  BodyHasher hasher(true, true);
  for (const auto& piece : pieces) hasher.push(piece);
  hasher.finish();
  Both whole = hashes(body);
  RC_ASSERT(whole.simple == in_base64(hasher.simple()));
  RC_ASSERT(whole.relaxed == in_base64(hasher.relaxed()));
  Both octets = hashes(body, 1);
  RC_ASSERT(whole.simple == octets.simple && whole.relaxed == octets.relaxed);

  std::string relaxed;
  for (std::size_t at = 0; at < body.size();) {
    auto end = body.find("\r\n", at);
    std::string_view line = std::string_view(body).substr(at, end == std::string::npos ? end : end - at);
    bool blank = false;
    for (char c : line) {
      if (c == ' ' || c == '\t') {
        blank = true;
        continue;
      }
      if (blank) relaxed += ' ';
      blank = false;
      relaxed += c;
    }
    relaxed += "\r\n";
    at = end == std::string::npos ? body.size() : end + 2;
  }
  while (relaxed.ends_with("\r\n\r\n")) relaxed.resize(relaxed.size() - 2);
  if (relaxed == "\r\n") relaxed.clear();
  if (relaxed.empty()) {
    RC_ASSERT(whole.relaxed == hashes("").relaxed);
  } else {
    RC_ASSERT(whole.relaxed == hashes(relaxed).simple);
  }
}

std::string plain_hash(const std::string& text) {
  Hash hash{};
  EVP_Digest(text.data(), text.size(), hash.data(), nullptr, EVP_sha256(), nullptr);
  return in_base64(hash);
}

// Long lines and short ones in any order, against the hash of the whole at once: what is gathered and what is not keep
// their places.
TEST(Body, LongRuns) {
  std::mt19937 random(1);
  const std::size_t lengths[] = {1, 76, 998, 3000, 5000, 8191, 8192, 8193, 9000, 11'000, 16'384, 16'385, 65'536};
  for (int i = 0; i < 300; ++i) {
    std::string body;
    for (unsigned lines = 1 + random() % 8; lines > 0; --lines)
      body.append(lengths[random() % std::size(lengths)], static_cast<char>('a' + lines)).append("\r\n");
    for (std::size_t piece :
         {std::string::npos, std::size_t{65'536}, std::size_t{16'000}, 1 + std::size_t{random() % 20'000}}) {
      const Both given = hashes(body, piece);
      ASSERT_EQ(given.simple, plain_hash(body)) << "body " << i << " in pieces of " << piece;
      ASSERT_EQ(given.relaxed, given.simple) << "body " << i << " in pieces of " << piece;
    }
  }
}

TEST(Header, Fields) {
  struct {
    const char *raw, *relaxed;
  } cases[] = {
      {"A: X", "a:X\r\n"},  // RFC 6376 section 3.4.5
      {"B : Y\t\r\n\tZ  ", "b:Y Z\r\n"},
      {"SUBJect:", "subject:\r\n"},
      {"Subject:   a   b\r\n  c", "subject:a b c\r\n"},
      {"X:\r\n\t", "x:\r\n"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(canonical_field(c.raw, Form::kRelaxed), c.relaxed) << c.raw;
    EXPECT_EQ(canonical_field(c.raw, Form::kSimple), std::string(c.raw) + "\r\n");
  }
}

TEST(Header, FromBelowAndNoneIsNothing) {
  const std::string header = "From: a\r\nReceived: 1\r\nReceived: 2\r\nTo: b\r\n";
  EXPECT_EQ(header_to_sign(header, {"received", "from", "received", "received", "from", "cc"},
                           "DKIM-Signature: b=", Form::kSimple),
            "Received: 2\r\nFrom: a\r\nReceived: 1\r\nDKIM-Signature: b=");
}

}  // namespace
}  // namespace sidegate::dkim::canonical_test
