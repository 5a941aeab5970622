#include "spf/record.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "spf/macro.h"

namespace sidegate::spf {
namespace {

constexpr std::string_view kVersion = "v=spf1";

std::unexpected<Error> wrong(std::string_view term) {
  return fail(ErrorKind::kBadInput, "SPF: \"" + printable(term, 200) + "\" is not understood");
}

// "/24", "/24//64", "//64" at the end of a and mx; without leading zeros. False: malformed.
bool read_bits(std::string_view text, unsigned most, unsigned* bits) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text.front() == '0')) return false;
  auto number = parse_number(text);
  if (!number || *number > most) return false;
  *bits = static_cast<unsigned>(*number);
  return true;
}

bool read_dual(std::string_view text, Directive& d) {
  if (text.empty()) return true;
  if (!text.starts_with('/')) return false;
  std::string_view four = text.substr(1), six;
  if (const std::size_t at = text.find("//"); at != std::string_view::npos) {
    four = at == 0 ? std::string_view() : text.substr(1, at - 1);
    six = text.substr(at + 2);
    if (!read_bits(six, 128, &d.bits6)) return false;
    if (at == 0) return true;
  }
  return read_bits(four, 32, &d.bits4);
}

// A slash may stand in a macro ("%{l/}"), so the prefix is what matches at the very end.
std::size_t begin_of_prefix(std::string_view text) {
  std::size_t at = text.size();
  while (at > 0 && (is_digit(text[at - 1]) || text[at - 1] == '/')) --at;
  const std::size_t slash = text.find('/', at);
  return slash == std::string_view::npos ? text.size() : slash;
}

bool is_address(int family, const std::string& text) {
  std::array<unsigned char, 16> octets{};
  return inet_pton(family, text.c_str(), octets.data()) == 1;
}

bool read_network(std::string_view rest, bool six, Directive& d) {
  if (!rest.starts_with(':')) return false;
  rest.remove_prefix(1);
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos && !read_bits(rest.substr(slash + 1), six ? 128 : 32, six ? &d.bits6 : &d.bits4))
    return false;
  d.address = std::string(rest.substr(0, slash));
  return is_address(six ? AF_INET6 : AF_INET, d.address);
}

bool read_host(std::string_view rest, bool with_prefix, bool required, Directive& d) {
  if (with_prefix) {
    const std::size_t at = begin_of_prefix(rest);
    if (!read_dual(rest.substr(at), d)) return false;
    rest = rest.substr(0, at);
  }
  if (rest.empty()) return !required;
  if (!rest.starts_with(':')) return false;
  d.domain = std::string(rest.substr(1));
  return is_domain_spec(d.domain);
}

Result<Directive> read_directive(std::string_view term) {
  Directive d;
  d.text = std::string(term);
  std::string_view rest = term;
  if (rest.starts_with('+') || rest.starts_with('-') || rest.starts_with('~') || rest.starts_with('?')) {
    d.qualifier = rest.front() == '-'   ? Qualifier::kFail
                  : rest.front() == '~' ? Qualifier::kSoftFail
                  : rest.front() == '?' ? Qualifier::kNeutral
                                        : Qualifier::kPass;
    rest.remove_prefix(1);
  }
  const std::size_t end = rest.find_first_of(":/");
  const std::string name = lower(rest.substr(0, end));
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  bool good = false;
  if (name == "all") {
    d.mechanism = Mechanism::kAll;
    good = rest.empty();
  } else if (name == "include") {
    d.mechanism = Mechanism::kInclude;
    good = read_host(rest, false, true, d);
  } else if (name == "a") {
    d.mechanism = Mechanism::kA;
    good = read_host(rest, true, false, d);
  } else if (name == "mx") {
    d.mechanism = Mechanism::kMx;
    good = read_host(rest, true, false, d);
  } else if (name == "ptr") {
    d.mechanism = Mechanism::kPtr;
    good = read_host(rest, false, false, d);
  } else if (name == "ip4") {
    d.mechanism = Mechanism::kIp4;
    good = read_network(rest, false, d);
  } else if (name == "ip6") {
    d.mechanism = Mechanism::kIp6;
    good = read_network(rest, true, d);
  } else if (name == "exists") {
    d.mechanism = Mechanism::kExists;
    good = read_host(rest, false, true, d);
  }
  if (!good) return wrong(term);
  return d;
}

// name "=" macro-string; a mechanism has no "=" before its ":" or "/".
bool is_modifier(std::string_view term) {
  const std::size_t equals = term.find('=');
  if (equals == std::string_view::npos || equals == 0 || !is_alpha(term.front())) return false;
  return std::ranges::all_of(term.substr(0, equals),
                             [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.'; });
}

// A record as it is put together again.
struct Parts {
  std::vector<std::string> mechanisms;
  std::string all, redirect, explanation;

  void add(const std::string& term) {
    const auto same = [&](const std::string& known) { return iequals(known, term); };
    if (std::ranges::none_of(mechanisms, same)) mechanisms.push_back(term);
  }
  void take(std::string_view record);
  std::string text() const;
};

// The terms that are understood. RFC 7208 section 6.1: beside "all" a redirect says nothing.
void Parts::take(std::string_view record) {
  std::string own_all, own_redirect;
  for (std::string_view part : split(record.substr(kVersion.size()), ' ')) {
    const std::string term(part);
    if (term.empty() || !parse_record(std::string(kVersion) + " " + term)) continue;
    const std::string bare = lower(term.substr(std::min(term.find_first_not_of("+-~?"), term.size())));
    if (bare == "all") {
      own_all = term;
    } else if (bare.starts_with("redirect=")) {
      own_redirect = term.substr(term.find('=') + 1);
    } else if (bare.starts_with("exp=")) {
      if (explanation.empty()) explanation = term;
    } else {
      add(term);
    }
  }
  if (!own_all.empty()) {
    all = all.empty() || iequals(all, own_all) ? own_all : "~all";
  } else if (redirect.empty()) {
    redirect = own_redirect;
  } else if (!own_redirect.empty()) {
    add("include:" + own_redirect);
  }
}

std::string Parts::text() const {
  std::string out(kVersion);
  const auto append = [&out](const std::string& term) { out += " " + term; };
  for (const std::string& term : mechanisms) append(term);
  if (!redirect.empty()) append((all.empty() ? "redirect=" : "include:") + redirect);
  if (!all.empty() || redirect.empty()) append(all.empty() ? "~all" : all);
  if (!explanation.empty()) append(explanation);
  return out;
}

}  // namespace

std::string merged(const std::vector<std::string>& records, const std::vector<std::string>& terms) {
  Parts parts;
  for (const std::string& record : records) {
    if (is_record(record)) parts.take(record);
  }
  for (const std::string& term : terms) parts.add(term);
  return parts.text();
}

bool is_record(std::string_view text) {
  return istarts_with(text, kVersion) && (text.size() == kVersion.size() || text[kVersion.size()] == ' ');
}

Result<Record> parse_record(std::string_view text) {
  if (!is_record(text)) return fail(ErrorKind::kBadInput, "SPF: this is no record of version 1");
  Record record;
  bool explained = false;
  for (std::string_view term : split(text.substr(kVersion.size()), ' ')) {
    if (term.empty()) continue;
    if (!is_modifier(term)) {
      auto directive = read_directive(term);
      if (!directive) return std::unexpected(directive.error());
      record.directives.push_back(std::move(*directive));
      continue;
    }
    const std::size_t equals = term.find('=');
    const std::string name = lower(term.substr(0, equals));
    const std::string_view value = term.substr(equals + 1);
    if (name == "redirect") {
      if (record.redirect || !is_domain_spec(value)) return wrong(term);
      record.redirect = std::string(value);
    } else if (name == "exp") {
      if (explained || !is_domain_spec(value)) return wrong(term);
      explained = true;
    } else if (!is_macro_string(value)) {
      return wrong(term);
    }
  }
  return record;
}

bool in_network(std::string_view address, std::string_view network, unsigned bits) {
  const bool six = network.find(':') != std::string_view::npos;
  if ((address.find(':') != std::string_view::npos) != six) return false;
  std::array<unsigned char, 16> a{}, b{};
  const int family = six ? AF_INET6 : AF_INET;
  if (inet_pton(family, std::string(address).c_str(), a.data()) != 1 ||
      inet_pton(family, std::string(network).c_str(), b.data()) != 1)
    return false;
  bits = std::min(bits, six ? 128u : 32u);
  for (unsigned i = 0; i < bits; ++i) {
    if (((a[i / 8] ^ b[i / 8]) & (0x80 >> (i % 8))) != 0) return false;
  }
  return true;
}

}  // namespace sidegate::spf
