#include "deliver/eight_bit.h"

#include <algorithm>

#include "base/text.h"
#include "mail/header.h"

namespace sidegate::deliver {
namespace {

constexpr std::size_t kSoftLimit = 75;  // RFC 2045 section 6.7 (5): 76 with the "=" of a soft line break
constexpr std::size_t kMostLevels = 50;
constexpr std::size_t kPiece = 64 * 1024;

bool has_eight_bit(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

// type/subtype in lower case.
std::string media_type(std::string_view header) {
  std::string value = lower(mail::field_value(header, "Content-Type"));
  return std::string(trim(std::string_view(value).substr(0, value.find(';'))));
}

// RFC 2045 section 5.1; a quoted string or a token.
std::string boundary_of(std::string_view header) {
  std::string value = mail::field_value(header, "Content-Type");
  std::string low = lower(value);
  for (auto at = low.find("boundary"); at != std::string::npos; at = low.find("boundary", at + 1)) {
    std::string_view before = trim(std::string_view(low).substr(0, at));
    std::string_view rest = trim(std::string_view(value).substr(at + 8));
    if (!before.ends_with(';') || !rest.starts_with('=')) continue;
    rest = trim(rest.substr(1));
    if (!rest.starts_with('"')) return std::string(rest.substr(0, rest.find_first_of("; \t(")));
    std::string text;
    for (std::size_t i = 1; i < rest.size() && rest[i] != '"'; ++i) {
      if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
      text += rest[i];
    }
    return text;
  }
  return {};
}

// The block with this one field replaced (all of them), or added at its end.
std::string with_field(std::string_view header, std::string_view name, std::string_view value) {
  std::string out;
  bool found = false;
  mail::for_each_field(header, [&](const mail::Field& field) {
    bool same = iequals(trim(field.name), name);
    if (same && found) return true;
    if (same) {
      out += fmt::format("{}: {}\r\n", name, value);
      found = true;
    } else {
      out += fmt::format("{}:{}\r\n", field.name, field.value);
    }
    return true;
  });
  if (!found) out += fmt::format("{}: {}\r\n", name, value);
  return out;
}

std::string labelled_quoted_printable(std::string header, bool top) {
  header = with_field(header, "Content-Transfer-Encoding", "quoted-printable");
  if (!top) return header;
  if (!mail::has_field(header, "MIME-Version")) header += "MIME-Version: 1.0\r\n";
  // RFC 1428 section 3: 8-bit text of a sender that said nothing about it.
  if (!mail::has_field(header, "Content-Type")) header += "Content-Type: text/plain; charset=unknown-8bit\r\n";
  return header;
}

}  // namespace

void append_quoted_printable(std::string_view line, std::string& out) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::size_t column = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    auto c = static_cast<unsigned char>(line[i]);
    bool last = i + 1 == line.size();
    bool blank = c == ' ' || c == '\t';
    bool literal = (c >= 33 && c <= 126 && c != '=') || (blank && !last);
    std::size_t width = literal ? 1 : 3;
    // The last one needs no room for a soft break behind it.
    if (column + width > kSoftLimit + (last ? 1 : 0)) {
      out += "=\r\n";
      column = 0;
    }
    if (literal) {
      out += line[i];
    } else {
      out += '=';
      out += kHex[c >> 4];
      out += kHex[c & 15];
    }
    column += width;
  }
}

void EightBitWalk::push(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    auto lf = bytes.find('\n');
    if (lf == std::string_view::npos) {
      carry_ += bytes;
      return;
    }
    std::string_view text = bytes.substr(0, lf + 1);
    bytes.remove_prefix(lf + 1);
    if (!carry_.empty()) {
      carry_ += text;
      text = carry_;
    }
    std::string_view end = text.ends_with("\r\n") ? "\r\n" : "\n";
    line(text.substr(0, text.size() - end.size()), end, out);
    carry_.clear();
  }
}

void EightBitWalk::finish(std::string& out) {
  if (!carry_.empty()) line(std::exchange(carry_, {}), "", out);
  if (in_header_ && !header_.empty()) end_of_header(out);
}

void EightBitWalk::line(std::string_view text, std::string_view end, std::string& out) {
  if (!top_ && !levels_.empty() && text.starts_with("--") && delimiter(text, out)) {
    if (convert_) out.append(text).append(end);
    return;
  }
  if (!in_header_) return body_line(text, end, out);
  if (!text.empty()) {
    header_.append(text).append("\r\n");
    return;
  }
  end_of_header(out);
  if (convert_) out.append(end);
}

// RFC 2046 section 5.1.1: a boundary of an outer level ends all that is inside.
bool EightBitWalk::delimiter(std::string_view text, std::string& out) {
  std::string_view rest = text.substr(2);
  while (!rest.empty() && (rest.back() == ' ' || rest.back() == '\t')) rest.remove_suffix(1);
  for (std::size_t i = levels_.size(); i-- > 0;) {
    const std::string& boundary = levels_[i].boundary;
    bool closes = rest.size() == boundary.size() + 2 && rest.starts_with(boundary) && rest.ends_with("--");
    if (rest != boundary && !closes) continue;
    if (in_header_) end_of_header(out);  // a part of a header alone
    levels_.resize(i + 1);
    sealed_ = levels_.back().sealed;
    leaf_ = false;
    in_header_ = !closes;
    if (closes) {
      levels_.pop_back();
      sealed_ = !levels_.empty() && levels_.back().sealed;
    }
    header_.clear();
    return true;
  }
  return false;
}

void EightBitWalk::end_of_header(std::string& out) {
  bool top = std::exchange(top_, false);
  part_ = next_part_++;
  if (!convert_) parts_.push_back(false);
  bool encode = convert_ && part_ < parts_.size() && parts_[part_];
  std::string type = media_type(header_);
  std::string encoding = lower(mail::field_value(header_, "Content-Transfer-Encoding"));
  std::string boundary = type.starts_with("multipart/") ? boundary_of(header_) : std::string();
  bool container = !boundary.empty() && levels_.size() < kMostLevels;
  bool message = type == "message/rfc822" || type == "message/global";
  if (convert_) {
    bool was_wide = encoding == "8bit" || encoding == "binary";
    if (encode) {
      header_ = labelled_quoted_printable(std::move(header_), top);
    } else if (was_wide && (container || message)) {
      header_ = with_field(header_, "Content-Transfer-Encoding", "7bit");  // what is in it is 7-bit now
    }
    out += header_;
  }
  header_.clear();
  in_header_ = false;
  leaf_ = !container;
  fixed_ = encoding == "base64" || encoding == "quoted-printable" || encoding == "binary";
  if (container) levels_.push_back({boundary, sealed_ || type == "multipart/signed" || type == "multipart/encrypted"});
  sealed_ = !levels_.empty() && levels_.back().sealed;
  if (message && encoding != "base64" && encoding != "quoted-printable") {  // a header follows
    in_header_ = true;
    leaf_ = false;
  }
}

void EightBitWalk::body_line(std::string_view text, std::string_view end, std::string& out) {
  if (!convert_) {
    if (!has_eight_bit(text)) return;
    if (!leaf_ || fixed_ || sealed_) {
      impossible_ = true;  // preambles are not encoded, nor is what a signature covers
    } else {
      parts_[part_] = true;
    }
    return;
  }
  if (leaf_ && part_ < parts_.size() && parts_[part_]) {
    append_quoted_printable(text, out);
  } else {
    out += text;
  }
  out += end;
}

net::Awaitable<Status> ConvertedSource::survey() {
  EightBitWalk survey;
  std::string none;
  from_.rewind();
  for (;;) {
    auto piece = co_await from_.next();
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty()) break;
    survey.push(*piece, none);
  }
  survey.finish(none);
  if (survey.impossible())
    co_return fail(ErrorKind::kConflict, "the message has 8-bit content that may not be changed");
  parts_ = survey.parts();
  size_ = 0;
  rewind();
  for (;;) {
    auto piece = co_await next();
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty()) break;
    size_ += piece->size();
  }
  rewind();
  co_return Status{};
}

net::Awaitable<Result<std::string_view>> ConvertedSource::next() {
  out_.clear();
  while (out_.size() < kPiece && !ended_) {
    auto piece = co_await from_.next();
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty()) {
      walk_.finish(out_);
      ended_ = true;
    } else {
      walk_.push(*piece, out_);
    }
  }
  co_return std::string_view(out_);
}

void ConvertedSource::rewind() {
  from_.rewind();
  walk_ = EightBitWalk(parts_);
  ended_ = false;
}

}  // namespace sidegate::deliver
