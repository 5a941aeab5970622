#include "submit/arguments.h"

#include "base/i18n.h"
#include "base/text.h"
#include "mail/address_list.h"

namespace sidegate::submit {
namespace {

// The options that take a value, attached or as the next argument; and those that stand alone. The same as Postfix's.
constexpr std::string_view kWithValue = "ABCFLNORVXbdefhopqrs";
constexpr std::string_view kAlone = "GIUcimntvx";

constexpr std::size_t kMaxEnvid = 100;  // RFC 3461 section 4.4

struct Option {
  char letter = 0;
  std::string value;
};

class Reader {
 public:
  Reader(Parsed& out, const std::vector<std::string>& arguments) : out_(out), all_(arguments) {}

  // As getopt(3) reads in POSIX mode: the first argument that is no option ends them, and so does "--".
  void run() {
    while (at_ < all_.size() && out_.error.empty()) {
      const std::string& word = all_[at_];
      if (word.size() < 2 || word[0] != '-') break;
      ++at_;
      if (word == "--") break;
      cluster(word);
    }
    for (; at_ < all_.size(); ++at_) {
      for (mail::ListedAddress& one : mail::parse_address_list(all_[at_]))
        a().recipients.push_back(std::move(one.address));
    }
  }

 private:
  Arguments& a() { return out_.arguments; }
  void fail(std::string text) {
    if (out_.error.empty()) out_.error = std::move(text);
  }

  void cluster(std::string_view word) {
    // Not as getopt has it: "-q" and "-V" may stand without a value. (-V alone was Postfix's VERP once.)
    if (word == "-q") return set_mode(Mode::kFlush);
    for (std::size_t i = 1; i < word.size() && out_.error.empty(); ++i) {
      const char letter = word[i];
      if (kAlone.find(letter) != std::string_view::npos) {
        alone(letter);
      } else if (kWithValue.find(letter) == std::string_view::npos) {
        fail(tr("unknown option -{}", printable(std::string(1, letter))));
      } else {
        std::string value(word.substr(i + 1));
        if (value.empty() && letter != 'd' && letter != 's') {
          if (at_ == all_.size()) return fail(tr("option -{} needs a value", letter));
          value = all_[at_++];
        }
        return with_value(letter, value);
      }
    }
  }

  void alone(char letter) {
    switch (letter) {
      case 't':
        a().from_header = true;
        break;
      case 'i':
        a().dot_ends = false;
        break;
      case 'v':
        ++a().verbose;
        break;
      case 'I':
        set_mode(Mode::kNewaliases);
        break;
      default:  // -G -U -c -m -n -x change nothing
        break;
    }
  }

  void with_value(char letter, const std::string& value) {
    switch (letter) {
      case 'f':
      case 'r':
        return sender(value);
      case 'F':
        a().full_name = value;
        return;
      case 'b':
        return operation(value);
      case 'o':
        return old_option(value);
      case 'e':
        return errors(value);
      case 'q':
        return flush(value);
      case 'B':
        return body(value);
      case 'N':
        return notify(value);
      case 'R':
        return ret(value);
      case 'V':
        return envid(value);
      case 'C':
        a().config = value;
        return;
      default:  // -A -L -O -X -d -h -p -s say nothing to us
        return;
    }
  }

  // The last one wins: an administrator's sendmail_path may hold one, and the program adds its own.
  void sender(const std::string& value) {
    auto found = mail::parse_address_list(value);
    const bool null = trim(value).empty() || trim(value) == "<>";
    if (found.size() > 1 || (found.empty() && !null))
      return fail(tr("-f: {} is no single address", printable(value, 200)));
    a().sender_given = true;
    a().sender = null ? std::string() : found[0].address;
  }

  void operation(const std::string& value) {
    switch (value[0]) {
      case 'm':
        return set_mode(Mode::kDeliver);
      case 's':
        return set_mode(Mode::kDialogue);
      case 'v':
        return set_mode(Mode::kVerify);
      case 'p':
        return set_mode(Mode::kMailq);
      case 'i':
        return set_mode(Mode::kNewaliases);
      case 'd':
      case 'l':
      case 'D':
        return set_mode(Mode::kDaemon);
      case 'h':
      case 'H':
        return set_mode(Mode::kNothing);
      default:
        return fail(tr("-b{} is not supported", printable(value, 20)));
    }
  }

  // -oX: what we do not know is ignored, as sendmail's own options came and went.
  void old_option(const std::string& value) {
    switch (value[0]) {
      case 'i':
        if (value.size() == 1 || value == "iTrue" || value == "i=true") a().dot_ends = false;
        return;
      case 'e':
        return errors(value.substr(1));
      case 'F':  // not a name in any sendmail: file modes
      default:
        return;
    }
  }

  void errors(const std::string& value) {
    switch (value.empty() ? 'p' : value[0]) {
      case 'p':
        a().errors = Errors::kPrint;
        return;
      case 'q':
        a().errors = Errors::kQuiet;
        return;
      case 'e':
        a().errors = Errors::kMailAndSucceed;
        return;
      default:  // m, w and what nobody knows
        a().errors = Errors::kMail;
        return;
    }
  }

  void flush(const std::string& value) {
    if (is_digit(value[0])) return set_mode(Mode::kDaemon);
    if (value[0] == 'R' && value.size() > 1) {
      a().flush_site = value.substr(1);
    } else if (value[0] == 'I' && value.size() > 1) {
      a().flush_id = value.substr(1);
    } else {
      return fail(tr("-q{} is not supported", printable(value, 20)));
    }
    set_mode(Mode::kFlush);
  }

  void body(const std::string& value) {
    if (iequals(value, "8BITMIME")) {
      a().body = mail::BodyType::k8bitMime;
    } else if (iequals(value, "7BIT")) {
      a().body = mail::BodyType::k7bit;
    } else {
      fail(_("-B takes 8BITMIME or 7BIT"));
    }
  }

  // RFC 3461 section 4.1: NEVER stands alone.
  void notify(const std::string& value) {
    mail::Notify wanted;
    bool good = true;
    for (std::string_view word : split(value, ',')) {
      word = trim(word);
      bool* flag = iequals(word, "never")     ? &wanted.never
                   : iequals(word, "success") ? &wanted.success
                   : iequals(word, "failure") ? &wanted.failure
                   : iequals(word, "delay")   ? &wanted.delay
                                              : nullptr;
      good = good && flag != nullptr;
      if (flag != nullptr) *flag = true;
    }
    if (!good || (wanted.never && (wanted.success || wanted.failure || wanted.delay)))
      return a().warnings.push_back(_("bad value of -N, ignored"));
    a().notify = wanted;
  }

  void ret(const std::string& value) {
    if (iequals(value, "full")) {
      a().ret = mail::Ret::kFull;
    } else if (iequals(value, "hdrs")) {
      a().ret = mail::Ret::kHeaders;
    } else {
      a().warnings.push_back(_("bad value of -R, ignored"));
    }
  }

  // On the command line it is plain text; RFC 3461 section 4 wants xtext.
  void envid(const std::string& value) {
    std::string encoded;
    for (char c : value) {
      const auto u = static_cast<unsigned char>(c);
      if (u < 0x20 || u > 0x7e) return a().warnings.push_back(_("bad value of -V, ignored"));
      if (u == ' ' || u == '+' || u == '=') {
        encoded += '+' + upper(hex(std::string(1, c)));
      } else {
        encoded += c;
      }
    }
    if (encoded.size() > kMaxEnvid) return a().warnings.push_back(_("bad value of -V, ignored"));
    a().envid = encoded;
  }

  void set_mode(Mode mode) { a().mode = mode; }

  Parsed& out_;
  const std::vector<std::string>& all_;
  std::size_t at_ = 0;
};

void check_together(Parsed& parsed) {
  const Arguments& a = parsed.arguments;
  const bool takes_recipients = a.mode == Mode::kDeliver || a.mode == Mode::kVerify;
  if (!takes_recipients && !a.recipients.empty()) {
    parsed.error = _("no recipients may stand here");
  } else if (a.mode == Mode::kVerify && a.from_header) {
    parsed.error = _("-t cannot stand with -bv");
  } else if (takes_recipients && a.recipients.empty() && !a.from_header) {
    parsed.error = _("name recipients on the command line, or take them from the header with -t");
  }
}

}  // namespace

std::string_view program_of(std::string_view name) {
  name = name.substr(name.rfind('/') + 1);
  for (std::string_view known : {"sendmail", "mailq", "newaliases"}) {
    if (name == known) return known;
  }
  return {};
}

Parsed parse_arguments(std::string_view name, const std::vector<std::string>& arguments) {
  Parsed parsed;
  const std::string_view program = program_of(name);
  if (program == "mailq") parsed.arguments.mode = Mode::kMailq;
  if (program == "newaliases") parsed.arguments.mode = Mode::kNewaliases;
  Reader(parsed, arguments).run();
  if (parsed.error.empty()) check_together(parsed);
  return parsed;
}

}  // namespace sidegate::submit
