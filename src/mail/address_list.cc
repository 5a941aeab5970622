#include "mail/address_list.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace sidegate::mail {
namespace {

constexpr bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

struct Token {
  enum class Kind : unsigned char { kWord, kSpecial, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;  // a word as written: atom, quoted string or domain literal
  char special = 0;  // one of , ; : < > @ .
  bool is(char c) const { return kind == Kind::kSpecial && special == c; }
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Token next() {
    skip_blank();
    Token token;
    if (at_ == text_.size()) return token;
    const char c = text_[at_];
    if (kSpecials.find(c) != std::string_view::npos) {
      token.kind = Token::Kind::kSpecial;
      token.special = c;
      ++at_;
    } else {
      token.kind = Token::Kind::kWord;
      const std::size_t from = at_;
      if (c == '"') {
        delimited('"');
      } else if (c == '[') {
        delimited(']');
      } else {
        atom();
      }
      token.text = text_.substr(from, at_ - from);
    }
    return token;
  }

 private:
  static constexpr std::string_view kSpecials = ",;:<>@.";

  void skip_blank() {
    while (at_ < text_.size()) {
      if (text_[at_] == '(') {
        comment();
      } else if (is_space(text_[at_]) || text_[at_] == ')' || text_[at_] == ']') {
        ++at_;  // a closing bracket that closes nothing
      } else {
        return;
      }
    }
  }
  // RFC 5322 section 3.2.2: comments nest, and quote with a backslash.
  void comment() {
    for (std::size_t depth = 0; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\\') {
        at_ = std::min(at_ + 1, text_.size() - 1);
      } else if (c == '(') {
        ++depth;
      } else if (c == ')' && --depth == 0) {
        ++at_;
        return;
      }
    }
  }
  void delimited(char close) {
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        ++at_;
      } else if (text_[at_] == close) {
        ++at_;
        return;
      }
    }
  }
  void atom() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\\' && at_ + 1 < text_.size()) {
        at_ += 2;
        continue;
      }
      if (is_space(c) || c == '(' || c == ')' || c == '"' || c == '[' || c == ']' ||
          kSpecials.find(c) != std::string_view::npos)
        return;
      ++at_;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// An address under way: words, of which those joined by "." and "@" are one.
class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}

  std::vector<ListedAddress> run() {
    for (Token token = lexer_.next(); token.kind != Token::Kind::kEnd; token = lexer_.next()) {
      if (token.is(',') || token.is(';')) {
        end_item();
      } else if (token.is('<')) {
        angle();
      } else if (token.is(':')) {
        words_.clear();  // the name of a group (RFC 5322 section 3.4)
        joined_ = false;
      } else if (!token.is('>')) {
        add(words_, token);
      }
    }
    end_item();
    return std::move(found_);
  }

 private:
  struct Word {
    std::string text;
    bool has_at = false;
  };

  void add(std::vector<Word>& words, const Token& token) {
    const bool joint = token.is('.') || token.is('@');
    if (words.empty() || (!joint && !joined_)) words.emplace_back();
    Word& word = words.back();
    word.text += joint ? std::string(1, token.special) : token.text;
    word.has_at |= token.is('@');
    joined_ = joint;
  }

  // From "<" to ">": one address; the words before it were its name.
  void angle() {
    std::vector<Word> inside;
    joined_ = false;
    for (Token token = lexer_.next(); token.kind != Token::Kind::kEnd && !token.is('>'); token = lexer_.next()) {
      if (token.is(':')) {  // RFC 5322 section 4.4: a source route ends here
        inside.clear();
        joined_ = false;
      } else if (!token.is(',') && !token.is(';') && !token.is('<')) {
        add(inside, token);
      }
    }
    joined_ = false;
    words_.clear();
    angle_ = true;
    // Words apart ("<john doe@x.example>") were one address to whoever wrote them.
    for (std::size_t i = 1; i < inside.size(); ++i) {
      inside[0].text += ' ' + inside[i].text;
    }
    if (!inside.empty()) take(inside[0]);
  }

  void take(const Word& word) {
    if (!word.text.empty()) found_.push_back({word.text});
  }

  void end_item() {
    joined_ = false;
    if (!std::exchange(angle_, false)) {
      // "John Doe john@x.example": the one that looks like an address; "alice bob": two users.
      const bool any_at = std::ranges::any_of(words_, &Word::has_at);
      for (const Word& word : words_) {
        if (!any_at || word.has_at) take(word);
      }
    }
    words_.clear();
  }

  Lexer lexer_;
  std::vector<Word> words_;
  std::vector<ListedAddress> found_;
  bool joined_ = false;  // the last token was "." or "@"
  bool angle_ = false;   // this item had an address in brackets
};

constexpr bool is_atext(char c) {
  return is_alpha(c) || is_digit(c) || std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

// RFC 2047 section 2: an encoded word has at most 75 octets; a character is never split between two.
std::string encoded_words(std::string_view name) {
  constexpr std::size_t kOctets = 42;  // 56 in base 64, with "=?utf-8?B?" and "?=" 68
  const bool utf8 = is_utf8(name);
  std::string out;
  while (!name.empty()) {
    std::size_t take = std::min(name.size(), kOctets);
    while (utf8 && take < name.size() && (static_cast<unsigned char>(name[take]) & 0xc0) == 0x80) --take;
    if (!out.empty()) out += ' ';
    out += (utf8 ? "=?utf-8?B?" : "=?unknown-8bit?B?") + base64(name.substr(0, take)) + "?=";
    name.remove_prefix(take);
  }
  return out;
}

}  // namespace

std::vector<ListedAddress> parse_address_list(std::string_view text) {
  return Parser(text).run();
}

std::string qualified(const std::string& address, const std::string& host) {
  if (address.empty()) return address;
  const std::size_t quoted = address.rfind('"');
  const std::size_t at = address.rfind('@');
  if (at != std::string::npos && (quoted == std::string::npos || quoted < at)) return address;
  return address + "@" + host;
}

std::string display_name(std::string_view given) {
  std::string name(trim(given.substr(0, 512)));
  for (char& c : name) {
    if (is_control(c)) c = ' ';
  }
  if (!is_ascii(name)) return encoded_words(name);
  if (std::ranges::all_of(name, [](char c) { return is_atext(c) || c == ' '; })) return name;
  std::string quoted = "\"";
  for (char c : name) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace sidegate::mail
