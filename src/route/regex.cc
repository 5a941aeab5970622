#include "route/regex.h"

#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::route {
namespace {

constexpr std::size_t kMostPattern = 512, kMostSteps = 4096;
constexpr unsigned kMostRepeats = 100, kMostDepth = 32;

char folded(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

void add(std::bitset<256>& set, char c) {
  set.set(static_cast<unsigned char>(folded(c)));
}

void add_range(std::bitset<256>& set, unsigned char first, unsigned char last) {
  for (unsigned c = first; c <= last; ++c) add(set, static_cast<char>(c));
}

// \d \w \s and their opposites; false: the character itself is meant.
bool add_class(std::bitset<256>& set, char name) {
  std::bitset<256> named;
  switch (folded(name)) {
    case 'd':
      add_range(named, '0', '9');
      break;
    case 'w':
      add_range(named, '0', '9');
      add_range(named, 'a', 'z');
      add(named, '_');
      break;
    case 's':
      for (char c : {' ', '\t', '\r', '\n', '\v', '\f'}) add(named, c);
      break;
    default:
      return false;
  }
  set |= name == folded(name) ? named : ~named;
  return true;
}

}  // namespace

// One walk over the pattern; a part that is repeated is copied. A fragment is a run of steps that is left at its end.
class RegexParser {
 public:
  explicit RegexParser(std::string_view pattern) : pattern_(pattern) {}

  Result<Regex> run() {
    if (pattern_.size() > kMostPattern) return fail(ErrorKind::kBadInput, tr("longer than {} octets", kMostPattern));
    Steps all = alternatives(0);
    if (error_.empty() && at_ < pattern_.size()) complain(_("a ) without a ("));
    if (!error_.empty()) return fail(ErrorKind::kBadInput, error_);
    regex_.steps_ = std::move(all);
    regex_.steps_.push_back({Regex::Op::kMatch, 0, 0});
    return std::move(regex_);
  }

 private:
  using Op = Regex::Op;
  using Steps = std::vector<Regex::Step>;  // targets are relative to the step

  bool more() const { return error_.empty() && at_ < pattern_.size(); }
  void complain(const std::string& what) {
    if (error_.empty()) error_ = tr("{} (at character {})", what, at_ + 1);
  }
  void append(Steps& to, const Steps& from) {
    if (to.size() + from.size() > kMostSteps) return complain(_("too large"));
    to.insert(to.end(), from.begin(), from.end());
  }

  Steps alternatives(unsigned depth) {
    if (depth > kMostDepth) complain(_("nested too deeply"));
    Steps left = sequence(depth);
    while (more() && pattern_[at_] == '|') {
      ++at_;
      Steps right = sequence(depth), both;
      both.push_back({Op::kSplit, 1, static_cast<std::uint32_t>(left.size()) + 2});
      append(both, left);
      both.push_back({Op::kJump, static_cast<std::uint32_t>(right.size()) + 1, 0});
      append(both, right);
      left = std::move(both);
    }
    return left;
  }

  Steps sequence(unsigned depth) {
    Steps out;
    while (more() && pattern_[at_] != '|' && pattern_[at_] != ')') {
      Steps one = atom(depth);
      append(out, repeated(std::move(one)));
    }
    return out;
  }

  Steps atom(unsigned depth) {
    char c = pattern_[at_++];
    std::bitset<256> set;
    switch (c) {
      case '(': {
        if (pattern_.substr(at_).starts_with("?:")) at_ += 2;
        Steps inside = alternatives(depth + 1);
        if (!more() || pattern_[at_] != ')') {
          complain(_("a ( without a )"));
        } else {
          ++at_;
        }
        return inside;
      }
      case '^':
        return {{Op::kBegin, 0, 0}};
      case '$':
        return {{Op::kEnd, 0, 0}};
      case '[':
        set = bracket();
        break;
      case '.':
        set.set();
        break;
      case '*':
      case '+':
      case '?':
      case '{':
        complain(tr("nothing before {} to repeat", c));
        return {};
      case '\\':
        set = escaped();
        break;
      default:
        add(set, c);
    }
    regex_.sets_.push_back(set);
    return {{Op::kSet, static_cast<std::uint32_t>(regex_.sets_.size() - 1), 0}};
  }

  std::bitset<256> escaped() {
    std::bitset<256> set;
    if (!more()) {
      complain(_("nothing after \\"));
      return set;
    }
    char c = pattern_[at_++];
    if (add_class(set, c)) return set;
    if (is_alpha(c) || is_digit(c)) complain(tr("\\{} is not understood", c));
    add(set, c);
    return set;
  }

  std::bitset<256> bracket() {
    std::bitset<256> set;
    const bool negative = more() && pattern_[at_] == '^';
    if (negative) ++at_;
    for (bool first = true; more() && (first || pattern_[at_] != ']'); first = false) {
      char c = pattern_[at_++];
      if (c == '\\') {
        set |= escaped();
        continue;
      }
      const bool range = at_ + 1 < pattern_.size() && pattern_[at_] == '-' && pattern_[at_ + 1] != ']';
      if (!range) {
        add(set, c);
        continue;
      }
      const char last = pattern_[at_ + 1];
      at_ += 2;
      if (static_cast<unsigned char>(last) < static_cast<unsigned char>(c)) complain(_("a range that goes backwards"));
      add_range(set, static_cast<unsigned char>(c), static_cast<unsigned char>(last));
    }
    if (!more()) {
      complain(_("a [ without a ]"));
    } else {
      ++at_;
    }
    return negative ? ~set : set;
  }

  Steps repeated(Steps one) {
    while (more()) {
      unsigned least = 0, most = 0;
      bool open = false;
      switch (pattern_[at_]) {
        case '*':
          open = true;
          break;
        case '+':
          least = 1;
          open = true;
          break;
        case '?':
          most = 1;
          break;
        case '{':
          if (!bounds(least, most, open)) return one;
          --at_;
          break;
        default:
          return one;
      }
      ++at_;
      one = times(one, least, most, open);
    }
    return one;
  }

  // "{2}", "{2,}", "{2,5}"; at_ is behind it afterwards.
  bool bounds(unsigned& least, unsigned& most, bool& open) {
    const auto close = pattern_.find('}', at_);
    const std::string_view inside =
        close == std::string_view::npos ? std::string_view() : pattern_.substr(at_ + 1, close - at_ - 1);
    const auto comma = inside.find(',');
    auto low = parse_number(inside.substr(0, comma));
    auto high = comma == std::string_view::npos ? low : parse_number(inside.substr(comma + 1));
    open = comma != std::string_view::npos && comma + 1 == inside.size();
    if (!low || (!high && !open) || *low > kMostRepeats || (high && (*high > kMostRepeats || *high < *low))) {
      complain(_("what stands in { } is no number of times"));
      return false;
    }
    least = static_cast<unsigned>(*low);
    most = high ? static_cast<unsigned>(*high) : 0;
    at_ = close + 1;
    return true;
  }

  Steps times(const Steps& one, unsigned least, unsigned most, bool open) {
    Steps out;
    const auto size = static_cast<std::uint32_t>(one.size());
    for (unsigned i = 0; i < least; ++i) append(out, one);
    if (open) {
      out.push_back({Op::kSplit, 1, size + 2});
      append(out, one);
      out.push_back({Op::kJump, 0u - (size + 1), 0});
      return out;
    }
    for (unsigned i = least; i < most && error_.empty(); ++i) {
      out.push_back({Op::kSplit, 1, size + 1});
      append(out, one);
    }
    return out;
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  std::string error_;
  Regex regex_;
};

Result<Regex> Regex::compile(std::string_view pattern) {
  return RegexParser(pattern).run();
}

// All steps that are reached without reading an octet. Bounded: a step is taken up once for each position.
void Regex::follow(std::uint32_t at, std::size_t position, std::size_t end, std::vector<std::uint32_t>& list,
                   std::vector<bool>& seen) const {
  std::vector<std::uint32_t> waiting{at};
  while (!waiting.empty()) {
    const std::uint32_t here = waiting.back();
    waiting.pop_back();
    if (here >= steps_.size() || seen[here]) continue;
    seen[here] = true;
    const Step& step = steps_[here];
    switch (step.op) {
      case Op::kSplit:
        waiting.push_back(here + step.b);
        waiting.push_back(here + step.a);
        break;
      case Op::kJump:
        waiting.push_back(here + step.a);
        break;
      case Op::kBegin:
        if (position == 0) waiting.push_back(here + 1);
        break;
      case Op::kEnd:
        if (position == end) waiting.push_back(here + 1);
        break;
      case Op::kSet:
      case Op::kMatch:
        list.push_back(here);
    }
  }
}

bool Regex::matches(std::string_view text) const {
  if (text.size() > kMostText) return false;
  std::vector<std::uint32_t> now, next;
  std::vector<bool> seen(steps_.size());
  for (std::size_t position = 0; position <= text.size(); ++position) {
    if (position == 0) follow(0, 0, text.size(), now, seen);
    next.clear();
    seen.assign(steps_.size(), false);
    for (std::uint32_t at : now) {
      if (steps_[at].op == Op::kMatch) return true;
      if (position == text.size()) continue;
      const auto octet = static_cast<unsigned char>(folded(text[position]));
      if (sets_[steps_[at].a].test(octet)) follow(at + 1, position + 1, text.size(), next, seen);
    }
    if (position < text.size()) follow(0, position + 1, text.size(), next, seen);  // a match may begin anywhere
    now.swap(next);
  }
  return false;
}

}  // namespace sidegate::route
