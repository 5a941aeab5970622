#include "doctor/judge_names.h"

#include <algorithm>
#include <array>

#include "base/i18n.h"
#include "base/text.h"
#include "dns/system_files.h"

namespace sidegate::doctor {
namespace {

std::string listed(const std::vector<std::string>& names) {
  return printable(fmt::format("{}", fmt::join(names, ", ")), 300);
}

std::vector<std::string> words_in(std::string_view name) {
  std::vector<std::string> words;
  std::string word;
  for (char c : name) {
    if (is_alpha(c)) {
      word += ascii_lower(c);
      continue;
    }
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::vector<std::string> numbers_in(std::string_view name) {
  std::vector<std::string> numbers;
  std::string number;
  for (char c : std::string(name) + ".") {
    if (is_digit(c)) {
      number += c;
      continue;
    }
    if (!number.empty()) {
      const std::size_t zeros = number.find_first_not_of('0');
      numbers.push_back(zeros == std::string::npos ? "0" : number.substr(zeros));
    }
    number.clear();
  }
  return numbers;
}

// "192-0-2-10", "10.2.0.192", "c000020a": the address itself.
bool spells(std::string_view name, const std::string& address) {
  if (dns::is_six(address)) {  // the last 16 bits in hex, and two groups more
    std::string flat, plain;
    for (char c : name) {
      if (c != '-' && c != '.' && c != ':') plain += ascii_lower(c);
    }
    std::vector<std::string_view> groups = split(address, ':');
    std::size_t found = 0;
    for (std::string_view g : groups) found += g.size() >= 3 && plain.find(g) != std::string::npos;
    return found >= 3;
  }
  std::vector<std::string> octets;
  for (std::string_view octet : split(address, '.')) octets.emplace_back(octet);
  if (octets.size() != 4) return false;
  const std::vector<std::string> numbers = numbers_in(name);
  auto holds = [&](const std::vector<std::string>& wanted) {
    return std::ranges::search(numbers, wanted).begin() != numbers.end();
  };
  const std::vector<std::string> back(octets.rbegin(), octets.rend());
  const std::vector<std::string> last(octets.begin() + 1, octets.end()), back3(back.begin(), back.end() - 1);
  if (holds(octets) || holds(back) || holds(last) || holds(back3)) return true;
  std::string hex;
  for (const std::string& octet : octets) hex += fmt::format("{:02x}", parse_number(octet).value_or(0));
  return lower(name).find(hex) != std::string::npos;
}

}  // namespace

bool is_generic_name(std::string_view name, std::string_view address) {
  static constexpr std::array<std::string_view, 29> kLineWords = {
      "dhcp",  "dyn",       "dynamic", "dynamicip", "ppp",    "pppoe",    "adsl", "xdsl",   "dsl",     "vdsl",
      "cable", "catv",      "pool",    "dial",      "dialup", "customer", "cust", "client", "clients", "ftth",
      "fttx",  "broadband", "flets",   "ipoe",      "home",   "user",     "nat",  "cgn",    "ipbf"};
  if (spells(name, std::string(address))) return true;
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return false;
  // The domain's own name says nothing: "mail.cable.example" may be anybody's.
  std::vector<std::string_view> labels = split(name, '.');
  std::string front;
  for (std::size_t i = 0; i + 2 < labels.size(); ++i) front += std::string(labels[i]) + ".";
  for (const std::string& word : words_in(front)) {
    if (std::ranges::find(kLineWords, word) != kLineWords.end()) return true;
  }
  // "p1234-ipngn5.", "softbank060..." : a letter or two and a number that is no small count.
  return false;
}

bool reverse_names_good(const NamesSeen& seen) {
  return !seen.reverse.empty() && std::ranges::all_of(seen.reverse, [](const ReverseSeen& r) {
    return std::ranges::any_of(r.confirmed, [&](const std::string& n) { return !is_generic_name(n, r.address); });
  });
}

Findings judge_names(const NamesSeen& seen, bool will_be_direct) {
  Findings out;
  const std::string host = printable(seen.hostname, 255);
  Finding name{"hostname", Mark::kGood, {}, {}, {}, {{"hostname", seen.hostname}}};
  const bool literal = dns::literal_address(seen.hostname).has_value();
  if (!literal && (seen.hostname.find('.') == std::string::npos || iequals(seen.hostname, "localhost.localdomain"))) {
    name.mark = will_be_direct ? Mark::kWarning : Mark::kNote;
    name.text = tr("hostname: {} is not a full name", host);
    name.why = _("some servers refuse a greeting with it");
    name.next = _("set hostname in the configuration to a name that exists in DNS");
  } else if (literal || (seen.addresses && !seen.addresses->empty())) {
    name.text = literal ? tr("hostname: {}", host) : tr("hostname: {} is {}", host, listed(*seen.addresses));
  } else if (!seen.addresses && seen.addresses.error().kind != ErrorKind::kNotFound) {
    name.mark = Mark::kNote;
    name.text = tr("hostname: {} cannot be looked up now", host);
  } else {
    name.mark = will_be_direct ? Mark::kWarning : Mark::kNote;
    name.text = tr("hostname: {} does not exist in DNS", host);
    name.why = will_be_direct ? _("many servers refuse direct mail from a host whose name does not exist")
                              : _("no obstacle while mail leaves by a relay");
    if (will_be_direct) name.next = _("add an A or AAAA record for it, or set hostname to a name that has one");
  }
  out.push_back(std::move(name));
  for (const ReverseSeen& r : seen.reverse) {
    Finding f{"reverse_dns", Mark::kGood, {}, {}, {}, {{"address", r.address}, {"confirmed", r.confirmed}}};
    if (r.names) f.details.emplace_back("names", *r.names);
    const bool generic = !r.confirmed.empty() && std::ranges::all_of(r.confirmed, [&](const std::string& n) {
      return is_generic_name(n, r.address);
    });
    f.details.emplace_back("generic", generic);
    const Mark bad = will_be_direct ? Mark::kWarning : Mark::kNote;
    if (!r.names && r.names.error().kind != ErrorKind::kNotFound) {
      f.mark = Mark::kNote;
      f.text = tr("reverse name of {}: cannot be looked up now", r.address);
    } else if (!r.names || r.names->empty()) {
      f.mark = bad;
      f.text = tr("reverse name of {}: none", r.address);
      f.why = _("many servers refuse direct mail from such an address");
      f.next = tr("ask the provider to set it to {}", host);
    } else if (r.confirmed.empty()) {
      f.mark = bad;
      f.text = tr("reverse name of {}: {}, which does not lead back to it", r.address, listed(*r.names));
      f.why = _("many servers refuse direct mail from such an address");
      f.next = tr("add the address record of {}, or have the reverse name set to {}", listed(*r.names), host);
    } else if (generic) {
      f.mark = bad;
      f.text =
          tr("reverse name of {}: {}, a name that the provider gives to every line", r.address, listed(r.confirmed));
      f.why = _("many servers refuse direct mail from such names");
      f.next = tr("ask the provider to set it to {}, or send by a relay", host);
    } else {
      f.text = tr("reverse name of {}: {}, and back", r.address, listed(r.confirmed));
    }
    if (!will_be_direct && f.mark == Mark::kNote) f.next.clear();
    out.push_back(std::move(f));
  }
  return out;
}

}  // namespace sidegate::doctor
