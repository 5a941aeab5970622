#include "spf/evaluate.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "spf/macro.h"

namespace sidegate::spf {
namespace {

// Section 4.3: labels of 1 to 63 octets, more than one of them.
bool is_full_name(std::string_view name) {
  if (name.empty() || name.size() > 253 || name.find('.') == std::string_view::npos) return false;
  return std::ranges::all_of(split(name, '.'),
                             [](std::string_view label) { return !label.empty() && label.size() <= 63; });
}

std::string without_dot(std::string name) {
  if (name.ends_with('.')) name.pop_back();
  return lower(name);
}

// The numeric form, of IPv4 inside IPv6 the IPv4 address (section 5).
std::string plain_address(const std::string& text) {
  std::array<unsigned char, 16> octets{};
  if (inet_pton(AF_INET6, text.c_str(), octets.data()) != 1) return text;
  static constexpr std::array<unsigned char, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::array<char, INET6_ADDRSTRLEN> out{};
  if (std::equal(kMapped.begin(), kMapped.end(), octets.begin())) {
    inet_ntop(AF_INET, octets.data() + 12, out.data(), out.size());
  } else {
    inet_ntop(AF_INET6, octets.data(), out.data(), out.size());
  }
  return out.data();
}

class Check {
 public:
  Check(const Query& query, const Answers& known) : known_(known), address_(plain_address(query.address)) {
    words_.address = address_;
    words_.helo = query.helo;
    words_.sender = query.sender;
    const std::size_t at = words_.sender.rfind('@');
    if (words_.sender.empty()) {
      words_.sender = "postmaster@" + query.domain;
    } else if (at == std::string::npos || at == 0) {  // section 4.3
      words_.sender = "postmaster@" + (at == 0 ? words_.sender.substr(1) : words_.sender);
    }
  }

  Evaluation run(const std::string& domain) {
    out_.result = check_host(without_dot(domain), 0);
    return std::move(out_);
  }

 private:
  enum class Match : std::uint8_t { kYes, kNo, kStop };  // kStop: stopped_ says with what, or a question is open

  Match stop(Verdict with, std::string why) {
    stopped_ = with;
    if (out_.why.empty()) out_.why = std::move(why);
    return Match::kStop;
  }

  // nullptr: it has to be asked first.
  const Answer* look_up(Type type, const std::string& name) {
    static const Answer kNothing;
    if (type != Type::kPtr && !is_full_name(name)) return &kNothing;  // no such name can be
    const Question question{type, name};
    auto at = known_.find(question);
    if (at != known_.end()) return &at->second;
    out_.needed = question;
    return nullptr;
  }

  // Section 4.6.4: terms that make the receiver ask, and answers that bring nothing.
  bool may_ask() { return ++out_.lookups <= kMostLookups; }
  bool count_void(const Answer& answer) {
    return answer.kind != Answer::Kind::kNothing || ++voids_ <= kMostVoidLookups;
  }

  Verdict check_host(const std::string& domain, int depth) {
    if (!is_full_name(domain)) return Verdict::kNone;
    const Answer* txt = look_up(Type::kTxt, domain);
    if (txt == nullptr) return Verdict::kNone;
    if (txt->kind == Answer::Kind::kTrouble) {
      if (out_.why.empty()) out_.why = "DNS does not answer for " + domain;
      return Verdict::kTempError;
    }
    std::vector<const std::string*> records;
    for (const std::string& text : txt->list) {
      if (is_record(text)) records.push_back(&text);
    }
    if (records.empty()) return Verdict::kNone;
    if (depth == 0) out_.record = *records.front();
    if (records.size() > 1) {
      if (out_.why.empty()) out_.why = domain + " has more than one SPF record";
      return Verdict::kPermError;
    }
    auto record = parse_record(*records.front());
    if (!record) {
      if (out_.why.empty()) out_.why = domain + ": " + record.error().text;
      return Verdict::kPermError;
    }
    return apply(*record, domain, depth);
  }

  Verdict apply(const Record& record, const std::string& domain, int depth) {
    for (const Directive& directive : record.directives) {
      const Match match = matches(directive, domain, depth);
      if (match == Match::kStop) return stopped_;
      if (match == Match::kNo) continue;
      if (depth == 0) out_.by = directive.text;
      switch (directive.qualifier) {
        case Qualifier::kPass:
          return Verdict::kPass;
        case Qualifier::kFail:
          return Verdict::kFail;
        case Qualifier::kSoftFail:
          return Verdict::kSoftFail;
        case Qualifier::kNeutral:
          return Verdict::kNeutral;
      }
    }
    if (!record.redirect) return Verdict::kNeutral;  // section 4.7
    if (!may_ask()) return too_many();
    auto target = expanded(*record.redirect, domain);
    if (!target || !is_full_name(*target)) return broken(*record.redirect);
    out_.visited.push_back(*target);
    const Verdict result = check_host(*target, depth);
    if (out_.needed) return Verdict::kNone;
    if (result != Verdict::kNone) return result;
    return broken(*record.redirect);  // section 6.1
  }

  Verdict too_many() {
    if (out_.why.empty()) out_.why = "more than " + std::to_string(kMostLookups) + " terms that ask DNS";
    return Verdict::kPermError;
  }
  Verdict broken(const std::string& term) {
    if (out_.why.empty()) out_.why = "there is no SPF record at " + printable(term, 200);
    return Verdict::kPermError;
  }

  std::optional<std::string> expanded(const std::string& spec, const std::string& domain) {
    if (spec.empty()) return domain;
    words_.domain = domain;
    auto out = expand(spec, words_);
    if (out) *out = lower(*out);
    return out;
  }

  Match matches(const Directive& d, const std::string& domain, int depth) {
    switch (d.mechanism) {
      case Mechanism::kAll:
        return Match::kYes;
      case Mechanism::kIp4:
        return in_network(address_, d.address, d.bits4) ? Match::kYes : Match::kNo;
      case Mechanism::kIp6:
        return in_network(address_, d.address, d.bits6) ? Match::kYes : Match::kNo;
      default:
        break;
    }
    if (!may_ask()) return stop(too_many(), {});
    auto target = expanded(d.domain, domain);
    if (!target) return stop(Verdict::kPermError, "SPF: \"" + printable(d.text, 200) + "\" is not understood");
    switch (d.mechanism) {
      case Mechanism::kInclude:
        return include(*target, depth);
      case Mechanism::kA:
        return has_address(*target, d, true);
      case Mechanism::kMx:
        return mx(*target, d);
      case Mechanism::kPtr:
        return ptr(*target);
      default:
        return exists(*target);
    }
  }

  // Section 5.2.
  Match include(const std::string& target, int depth) {
    if (depth > 20) return stop(too_many(), {});
    out_.visited.push_back(target);
    const Verdict result = check_host(target, depth + 1);
    if (out_.needed) return Match::kStop;
    switch (result) {
      case Verdict::kPass:
        return Match::kYes;
      case Verdict::kFail:
      case Verdict::kSoftFail:
      case Verdict::kNeutral:
        return Match::kNo;
      case Verdict::kTempError:
        return stop(Verdict::kTempError, {});
      default:
        return stop(Verdict::kPermError, "there is no SPF record at " + printable(target, 200));
    }
  }

  Type address_type() const { return address_.find(':') != std::string::npos ? Type::kAaaa : Type::kA; }

  Match has_address(const std::string& host, const Directive& d, bool counted) {
    const Answer* found = look_up(address_type(), host);
    if (found == nullptr) return Match::kStop;
    if (found->kind == Answer::Kind::kTrouble) return stop(Verdict::kTempError, "DNS does not answer for " + host);
    if (counted && !count_void(*found)) return too_void();
    const unsigned bits = address_type() == Type::kA ? d.bits4 : d.bits6;
    const bool any =
        std::ranges::any_of(found->list, [&](const std::string& a) { return in_network(address_, a, bits); });
    return any ? Match::kYes : Match::kNo;
  }

  Match too_void() {
    return stop(Verdict::kPermError, "more than " + std::to_string(kMostVoidLookups) + " names that are not there");
  }

  Match mx(const std::string& target, const Directive& d) {
    const Answer* found = look_up(Type::kMx, target);
    if (found == nullptr) return Match::kStop;
    if (found->kind == Answer::Kind::kTrouble) return stop(Verdict::kTempError, "DNS does not answer for " + target);
    if (!count_void(*found)) return too_void();
    if (found->list.size() > kMostNames)
      return stop(Verdict::kPermError, target + " has more than " + std::to_string(kMostNames) + " MX records");
    for (const std::string& host : found->list) {
      const Match match = has_address(without_dot(host), d, false);
      if (match != Match::kNo) return match;
    }
    return Match::kNo;
  }

  // Section 5.5: trouble is no match here.
  Match ptr(const std::string& target) {
    const Answer* names = look_up(Type::kPtr, address_);
    if (names == nullptr) return Match::kStop;
    if (names->kind != Answer::Kind::kTrouble && !count_void(*names)) return too_void();
    unsigned tried = 0;
    for (const std::string& raw : names->list) {
      if (++tried > kMostNames) break;
      const std::string host = without_dot(raw);
      const bool below = host == target || host.ends_with("." + target);
      if (!below) continue;
      const Answer* found = look_up(address_type(), host);
      if (found == nullptr) return Match::kStop;
      if (std::ranges::find(found->list, address_) != found->list.end()) return Match::kYes;
    }
    return Match::kNo;
  }

  // Section 5.7: an A record, of whatever family the client is.
  Match exists(const std::string& target) {
    const Answer* found = look_up(Type::kA, target);
    if (found == nullptr) return Match::kStop;
    if (found->kind == Answer::Kind::kTrouble) return stop(Verdict::kTempError, "DNS does not answer for " + target);
    if (!count_void(*found)) return too_void();
    return found->list.empty() ? Match::kNo : Match::kYes;
  }

  const Answers& known_;
  const std::string address_;
  MacroWords words_;
  Evaluation out_;
  Verdict stopped_ = Verdict::kNone;
  unsigned voids_ = 0;
};

}  // namespace

const char* name(Verdict result) {
  switch (result) {
    case Verdict::kNone:
      return "none";
    case Verdict::kNeutral:
      return "neutral";
    case Verdict::kPass:
      return "pass";
    case Verdict::kFail:
      return "fail";
    case Verdict::kSoftFail:
      return "softfail";
    case Verdict::kTempError:
      return "temperror";
    case Verdict::kPermError:
      break;
  }
  return "permerror";
}

Evaluation evaluate(const Query& query, const Answers& known) {
  return Check(query, known).run(query.domain);
}

}  // namespace sidegate::spf
