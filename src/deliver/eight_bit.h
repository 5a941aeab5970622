// eight_bit = "convert": a message with 8-bit content made 7-bit, for a relay without 8BITMIME (RFC 6152 section 3; RFC
// 2045 section 6.7). Parts with octets >= 0x80 become quoted-printable, all others stay as they are, octet for octet.
// Such a message's DKIM signature breaks: it is for old relays, and never the default.
//
// A stream: bytes in, bytes out, line by line; memory is one line, one part's header and the boundaries it is nested
// in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "smtp/client_session.h"

namespace sidegate::deliver {

// Two walks over the same bytes: a survey that finds the parts to encode, then the conversion.
class EightBitWalk {
 public:
  EightBitWalk() = default;  // survey
  explicit EightBitWalk(std::vector<bool> parts) : convert_(true), parts_(std::move(parts)) {}

  void push(std::string_view bytes, std::string& out);  // survey: out stays as it is
  void finish(std::string& out);

  const std::vector<bool>& parts() const { return parts_; }  // by order of their headers: has 8-bit content
  // Signed or encrypted as they are, or already labelled base64 or quoted-printable: not to be changed.
  bool impossible() const { return impossible_; }

 private:
  struct Level {
    std::string boundary;
    bool sealed = false;  // inside multipart/signed or multipart/encrypted
  };
  void line(std::string_view text, std::string_view end, std::string& out);
  bool delimiter(std::string_view text, std::string& out);
  void end_of_header(std::string& out);
  void begin_part();
  void body_line(std::string_view text, std::string_view end, std::string& out);

  bool convert_ = false;
  std::vector<bool> parts_;
  bool impossible_ = false;
  std::string carry_;  // a line whose end has not come
  std::vector<Level> levels_;
  bool in_header_ = true;
  bool top_ = true;     // the message's own header
  bool leaf_ = false;   // in a part's content (not preamble or epilogue)
  bool fixed_ = false;  // its encoding may not be changed
  bool sealed_ = false;
  std::string header_;
  std::size_t part_ = 0, next_part_ = 0;
};

// One line as quoted-printable, without its end.
void append_quoted_printable(std::string_view line, std::string& out);

// The converted message as a source of its own. survey() must have been awaited with success.
class ConvertedSource final : public smtp::ContentSource {
 public:
  explicit ConvertedSource(smtp::ContentSource& from) : from_(from) {}
  // Finds what is to be converted and counts. kConflict: this message cannot be converted.
  net::Awaitable<Status> survey();

  net::Awaitable<Result<std::string_view>> next() override;
  void rewind() override;
  std::uint64_t size() const override { return size_; }

 private:
  smtp::ContentSource& from_;
  std::vector<bool> parts_;
  EightBitWalk walk_;
  std::string out_;
  bool ended_ = false;
  std::uint64_t size_ = 0;
};

}  // namespace sidegate::deliver
