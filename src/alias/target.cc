#include "alias/target.h"

#include <algorithm>

#include "alias/address.h"
#include "base/i18n.h"
#include "base/text.h"
#include "mail/mailbox.h"

namespace sidegate::alias {
namespace {

constexpr std::string_view kInclude = ":include:";
constexpr std::string_view kBlackhole = ":blackhole:";  // Exim's word

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// One element between commas, as it stands, and its line.
struct Element {
  std::string_view text;
  unsigned line = 0;
};

// Cuts the text at commas that stand outside quotes; what follows " #" is a comment up to the end of its line.
class Cutter {
 public:
  Cutter(std::string_view text, unsigned line) : text_(text), line_(line) {}

  // The next element, trimmed; an empty one for two commas in a row. False: there is none.
  bool next(Element& element, bool& unclosed) {
    unclosed = false;
    skip_space();
    if (at_ >= text_.size()) return false;
    std::size_t begin = at_, end = at_;
    element.line = line_;
    while (at_ < text_.size() && text_[at_] != ',') {
      if (text_[at_] == '"') {
        std::size_t length = quoted_length(text_.substr(at_));
        if (length == 0) {
          unclosed = true;
          length = text_.size() - at_;
        }
        advance(length);
        end = at_;
      } else if (text_[at_] == '(' && text_[begin] != '|' && comment_length() > 0) {
        advance(comment_length());
        end = at_;
      } else if (text_[at_] == '#' && (at_ == begin || is_space(text_[at_ - 1]))) {
        std::size_t line_end = std::min(text_.find('\n', at_), text_.size());
        advance(line_end - at_);
        if (begin == end) {  // nothing but the comment so far
          skip_space();
          begin = end = at_;
          element.line = line_;
        } else {
          std::size_t more = text_.find_first_not_of(" \t\r\n", at_);
          if (more != std::string_view::npos && text_[more] != ',')
            break;  // the next line begins an element of its own
          skip_space();
        }
      } else {
        bool space = is_space(text_[at_]);
        advance(1);
        if (!space) end = at_;
      }
    }
    if (at_ < text_.size() && text_[at_] == ',') ++at_;
    element.text = text_.substr(begin, end - begin);
    return true;
  }

 private:
  void advance(std::size_t by) {
    line_ += static_cast<unsigned>(std::ranges::count(text_.substr(at_, by), '\n'));
    at_ += by;
  }
  // RFC 5322 section 3.2.2: "(...)", nested; 0 where it does not end.
  std::size_t comment_length() const {
    int depth = 0;
    for (std::size_t i = at_; i < text_.size(); ++i) {
      if (text_[i] == '(') ++depth;
      if (text_[i] == ')' && --depth == 0) return i + 1 - at_;
    }
    return 0;
  }
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) advance(1);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  unsigned line_;
};

// The text within, where the whole of it is one quoted string.
std::optional<std::string> whole_quoted(std::string_view text) {
  if (!text.starts_with('"') || quoted_length(text) != text.size()) return std::nullopt;
  return unquoted(text);
}

class Reader {
 public:
  Reader(const Place& place, ListKind kind, Targets& out) : place_(place), kind_(kind), out_(out) {}

  void read(const Element& element) {
    line_ = element.line;
    std::string_view text = element.text;
    if (std::ranges::any_of(text, [](char c) { return is_control(c) && !is_space(c); })) {
      return error(tr("a control character in {}", shown(text)), _("remove it"));
    }
    auto whole = whole_quoted(text);
    std::string_view inner = whole ? std::string_view(*whole) : text;
    if (inner.starts_with('|')) return command(inner.substr(1));
    if (istarts_with(inner, kInclude)) return include(inner.substr(kInclude.size()));
    if (iequals(inner, kBlackhole)) return put(TargetKind::kDiscard, "/dev/null");
    if (inner.starts_with('/') && !is_address(inner)) return file(inner);
    if (inner.starts_with('\\')) return mailbox(inner.substr(1));
    if (whole && !mail::is_mailbox(inner, true) && inner.find('@') == std::string_view::npos) return name(inner);
    if (whole && mail::is_mailbox(inner, true)) return put(TargetKind::kAddress, std::string(inner));
    address(text);
  }

 private:
  // A local part may begin with a slash; what has a domain behind it is meant as an address only where one is.
  static bool is_address(std::string_view text) {
    return text.find('/', 1) == std::string_view::npos && text.find('@') != std::string_view::npos &&
           mail::is_mailbox(text, true);
  }
  static std::string shown(std::string_view text) { return "\"" + printable(text, 100) + "\""; }

  void put(TargetKind kind, std::string text) { out_.list.push_back({kind, std::move(text), line_}); }
  void error(std::string what, std::string next) {
    out_.problems.push_back({Severity::kError, {place_.file, line_}, std::move(what), std::move(next)});
  }

  bool allowed(const char* what, std::string_view text) {
    if (kind_ == ListKind::kVirtual) {
      error(tr("{}: {} may not stand in the virtual map", shown(text), what),
            _("give it a name in /etc/aliases, and write that name here"));
      return false;
    }
    if (kind_ == ListKind::kInclude) {
      error(tr("{}: {} may not stand in an :include: file", shown(text), what), _("write it in the alias file itself"));
      return false;
    }
    return true;
  }

  void command(std::string_view text) {
    std::string_view words = trim(text);
    auto quoted = whole_quoted(words);
    std::string line = quoted ? std::string(trim(*quoted)) : std::string(words);
    std::ranges::replace_if(line, is_space, ' ');
    if (!allowed(_("a command"), words)) return;
    if (line.empty()) return error(_("there is no command after |"), _("write |/path/to/command"));
    put(TargetKind::kCommand, std::move(line));
  }

  // Absolute, and nothing in it that leads elsewhere than it reads.
  bool good_path(std::string_view path, std::string_view whole) {
    if (!path.starts_with('/')) {
      error(tr("{} is no path from the root", shown(whole)), _("write the whole path, beginning with /"));
      return false;
    }
    for (std::string_view part : split(path, '/')) {
      if (part == "..") {
        error(tr("{} has \"..\" in it", shown(whole)), _("write the path that is meant"));
        return false;
      }
    }
    return true;
  }

  void file(std::string_view path) {
    if (!allowed(_("a file"), path) || !good_path(path, path)) return;
    if (path == "/dev/null") return put(TargetKind::kDiscard, std::string(path));
    put(TargetKind::kFile, std::string(path));
  }

  void include(std::string_view text) {
    std::string_view words = trim(text);
    auto quoted = whole_quoted(words);
    std::string path = quoted ? *quoted : std::string(words);
    if (kind_ == ListKind::kVirtual || kind_ == ListKind::kForward) {
      return error(kind_ == ListKind::kVirtual ? _(":include: may not stand in the virtual map")
                                               : _(":include: may not stand in a .forward file"),
                   _("make an alias in /etc/aliases for it, and write that name here"));
    }
    if (good_path(path, path)) put(TargetKind::kInclude, std::move(path));
  }

  void mailbox(std::string_view text) {
    if (kind_ == ListKind::kVirtual) return address(text);
    std::string user(trim(text));
    if (!mail::is_mailbox(user + "@x", true) || user.starts_with('"'))
      return error(tr("{} is no user's name", shown(text)), _("write \\user"));
    put(TargetKind::kMailbox, std::move(user));
  }

  void name(std::string_view text) {
    if (text.empty()) return error(_("an empty name between quotes"), _("remove it"));
    put(TargetKind::kAddress, as_local_part(text));
  }

  // RFC 5322 section 3.4: also "Name <address>" and comments in parentheses, which people copy from their mail.
  void address(std::string_view text) {
    std::string kept = without_comments(text);
    std::string_view words = trim(kept);
    if (words.ends_with('>')) {
      std::size_t open = words.rfind('<');
      if (open != std::string_view::npos) words = trim(words.substr(open + 1, words.size() - open - 2));
    }
    if (words.empty()) return error(tr("{} is no address", shown(text)), _("write user@domain, or a user's name"));
    if (words.starts_with('@') && kind_ == ListKind::kVirtual && mail::is_domain(words.substr(1), true))
      return put(TargetKind::kDomain, std::string(words.substr(1)));
    bool quoted = words.starts_with('"');
    if (!quoted && std::ranges::any_of(words, is_space)) {
      return error(tr("{}: words without a comma between them", shown(words)),
                   _("put a comma between addresses; put a name with spaces in quotes"));
    }
    if (mail::is_mailbox(words, true)) return put(TargetKind::kAddress, std::string(words));
    if (words.find('@') == std::string_view::npos && mail::is_mailbox(std::string(words) + "@x", true))
      return put(TargetKind::kAddress, std::string(words));
    error(tr("{} is no address", shown(words)), _("write user@domain, or a user's name"));
  }

  static std::string without_comments(std::string_view text) {
    std::string out;
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (depth == 0 && text[i] == '"') {
        std::size_t length = std::max<std::size_t>(quoted_length(text.substr(i)), 1);
        out += text.substr(i, length);
        i += length - 1;
      } else if (text[i] == '(') {
        ++depth;
      } else if (text[i] == ')' && depth > 0) {
        --depth;
      } else if (depth == 0) {
        out += text[i];
      }
    }
    return depth == 0 ? out : std::string(text);
  }

  const Place& place_;
  ListKind kind_;
  Targets& out_;
  unsigned line_ = 0;
};

}  // namespace

std::string text_of(const Target& target) {
  switch (target.kind) {
    case TargetKind::kAddress:
    case TargetKind::kFile:
    case TargetKind::kDiscard:
      return target.text;
    case TargetKind::kMailbox:
      return "\\" + target.text;
    case TargetKind::kDomain:
      return "@" + target.text;
    case TargetKind::kCommand:
      return "|" + target.text;
    case TargetKind::kInclude:
      return std::string(kInclude) + target.text;
  }
  return {};
}

Targets parse_targets(std::string_view text, const Place& place, ListKind kind) {
  Targets out;
  Reader reader(place, kind, out);
  Cutter cutter(text, place.line);
  Element element;
  bool unclosed = false;
  while (cutter.next(element, unclosed)) {
    if (unclosed) {
      out.problems.push_back({Severity::kError,
                              {place.file, element.line},
                              _("a quote is opened and not closed"),
                              _("add the closing \"")});
    } else if (!element.text.empty()) {
      reader.read(element);
    }
  }
  return out;
}

}  // namespace sidegate::alias
