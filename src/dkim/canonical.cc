#include "dkim/canonical.h"

#include <openssl/evp.h>

#include "base/text.h"
#include "mail/header.h"

namespace sidegate::dkim {
namespace {

constexpr std::size_t kGather = 16 * 1024;
constexpr std::string_view kLineEnd = "\r\n";

bool is_wsp(char c) {
  return c == ' ' || c == '\t';
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
  ~Sha256() { EVP_MD_CTX_free(context_); }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  // Gathers lines: the hash takes large pieces faster. A large one is hashed where it stands, behind what came before.
  void add(std::string_view bytes) {
    const bool large = bytes.size() > kGather / 2;
    if (large || gathered_.size() + bytes.size() > kGather) flush();
    if (large) {
      EVP_DigestUpdate(context_, bytes.data(), bytes.size());
    } else {
      gathered_ += bytes;
    }
  }
  Hash end() {
    flush();
    Hash hash{};
    EVP_DigestFinal_ex(context_, hash.data(), nullptr);
    return hash;
  }

 private:
  void flush() {
    EVP_DigestUpdate(context_, gathered_.data(), gathered_.size());
    gathered_.clear();
  }

  EVP_MD_CTX* context_;
  std::string gathered_;
};

}  // namespace

// Lines come whole or in pieces; empty ones wait, for those at the end do not count (sections 3.4.3 and 3.4.4).
class BodyHasher::Canonical {
 public:
  Hash hash{};

 protected:
  void text(std::string_view bytes) {
    if (bytes.empty()) return;
    for (; ends_ > 0; --ends_) sha_.add(kLineEnd);
    sha_.add(bytes);
    some_ = true;
  }
  void line_end() { ++ends_; }
  // A line end comes after the last line, whether it had one or not.
  void close(bool empty_is_a_line) {
    if (some_ || empty_is_a_line) sha_.add(kLineEnd);
    hash = sha_.end();
  }

 private:
  Sha256 sha_;
  std::uint64_t ends_ = 0;
  bool some_ = false;
};

class BodyHasher::Simple : public Canonical {
 public:
  void push(std::string_view bytes) {
    while (!bytes.empty()) {
      if (cr_) {
        cr_ = false;
        if (bytes.front() == '\n') {
          line_end();
          bytes.remove_prefix(1);
          continue;
        }
        text("\r");
      }
      const std::size_t run = std::min(bytes.find('\r'), bytes.size());
      text(bytes.substr(0, run));
      cr_ = run < bytes.size();
      bytes.remove_prefix(std::min(run + 1, bytes.size()));
    }
  }
  void finish() {
    if (cr_) text("\r");
    close(true);  // section 3.4.3: an empty body is one CRLF
  }

 private:
  bool cr_ = false;
};

class BodyHasher::Relaxed : public Canonical {
 public:
  void push(std::string_view bytes) {
    while (!bytes.empty()) {
      if (cr_) {
        cr_ = false;
        if (bytes.front() == '\n') {
          blank_ = false;  // white space at a line's end goes
          line_end();
          bytes.remove_prefix(1);
          continue;
        }
        word("\r");
      }
      std::size_t run = 0;
      while (run < bytes.size() && bytes[run] != '\r' && !is_wsp(bytes[run])) ++run;
      word(bytes.substr(0, run));
      bytes.remove_prefix(run);
      if (bytes.empty()) break;
      (bytes.front() == '\r' ? cr_ : blank_) = true;
      bytes.remove_prefix(1);
    }
  }
  void finish() {
    if (cr_) word("\r");
    close(false);  // section 3.4.4: an empty body is nothing
  }

 private:
  void word(std::string_view bytes) {
    if (bytes.empty()) return;
    if (std::exchange(blank_, false)) text(" ");
    text(bytes);
  }
  bool cr_ = false, blank_ = false;
};

BodyHasher::BodyHasher(bool simple, bool relaxed) {
  if (simple) simple_ = std::make_unique<Simple>();
  if (relaxed) relaxed_ = std::make_unique<Relaxed>();
}
BodyHasher::~BodyHasher() = default;
BodyHasher::BodyHasher(BodyHasher&&) noexcept = default;
BodyHasher& BodyHasher::operator=(BodyHasher&&) noexcept = default;

void BodyHasher::push(std::string_view bytes) {
  if (simple_) simple_->push(bytes);
  if (relaxed_) relaxed_->push(bytes);
}

void BodyHasher::finish() {
  if (simple_) simple_->finish();
  if (relaxed_) relaxed_->finish();
}

Hash BodyHasher::simple() const {
  return simple_ ? simple_->hash : Hash{};
}

Hash BodyHasher::relaxed() const {
  return relaxed_ ? relaxed_->hash : Hash{};
}

// --- The header

std::string canonical_field(std::string_view raw, Form form) {
  if (form == Form::kSimple) return std::string(raw) + "\r\n";
  const std::size_t colon = std::min(raw.find(':'), raw.size());
  std::string out = lower(trim(raw.substr(0, colon)));
  out += ':';
  bool blank = false;
  const std::size_t begin = out.size();
  for (char c : raw.substr(std::min(colon + 1, raw.size()))) {
    if (c == '\r' || c == '\n') continue;  // unfolded: what follows is white space
    if (is_wsp(c)) {
      blank = true;
      continue;
    }
    if (blank && out.size() > begin) out += ' ';
    blank = false;
    out += c;
  }
  return out + "\r\n";
}

std::string header_to_sign(std::string_view header, const std::vector<std::string>& names, std::string_view signature,
                           Form form) {
  struct Line {
    std::string_view name, raw;
    bool taken = false;
  };
  std::vector<Line> lines;
  mail::for_each_field(header, [&](const mail::Field& field) {
    const auto length = static_cast<std::size_t>(field.value.data() + field.value.size() - field.name.data());
    lines.push_back({trim(field.name), std::string_view(field.name.data(), length)});
    return true;
  });
  std::string out;
  for (const std::string& name : names) {
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
      if (line->taken || !iequals(line->name, name)) continue;
      line->taken = true;
      out += canonical_field(line->raw, form);
      break;
    }
  }
  std::string own = canonical_field(signature, form);
  own.resize(own.size() - kLineEnd.size());
  return out + own;
}

}  // namespace sidegate::dkim
