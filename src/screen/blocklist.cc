#include "screen/blocklist.h"

#include <algorithm>

#include "base/i18n.h"
#include "base/text.h"
#include "mail/mailbox.h"

namespace sidegate::screen {
namespace {

constexpr int kMostWeight = 1000;

bool number_of(std::string_view text, unsigned& out) {
  auto number = parse_number(text);
  if (!number || *number > 255 || text.size() > 3) return false;
  out = static_cast<unsigned>(*number);
  return true;
}

// "7", "2..11": sets the bits; false: neither.
bool add_range(std::string_view text, std::bitset<256>& bits) {
  const std::size_t dots = text.find("..");
  unsigned first = 0, last = 0;
  if (!number_of(text.substr(0, dots), first)) return false;
  last = first;
  if (dots != std::string_view::npos && !number_of(text.substr(dots + 2), last)) return false;
  if (last < first) return false;
  for (unsigned i = first; i <= last; ++i) bits.set(i);
  return true;
}

bool add_place(std::string_view text, std::bitset<256>& bits) {
  if (!text.starts_with('[')) return text.find("..") == std::string_view::npos && add_range(text, bits);
  if (!text.ends_with(']')) return false;
  for (std::string_view part : split(text.substr(1, text.size() - 2), ';')) {
    if (!add_range(part, bits)) return false;
  }
  return true;
}

// The four places of a filter; dots between brackets are part of a range.
std::vector<std::string_view> places_of(std::string_view text) {
  std::vector<std::string_view> places;
  std::size_t begin = 0;
  bool inside = false;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == '.' && !inside)) {
      places.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    } else if (text[i] == '[' || text[i] == ']') {
      inside = text[i] == '[';
    }
  }
  return places;
}

Result<int> weight_of(std::string_view text) {
  const bool negative = text.starts_with('-');
  auto number = parse_number(negative ? text.substr(1) : text);
  if (!number || *number > kMostWeight) return bad(tr("\"{}\" is no weight", printable(text, 40)));
  return negative ? -static_cast<int>(*number) : static_cast<int>(*number);
}

}  // namespace

Result<AnswerFilter> AnswerFilter::parse(std::string_view text) {
  AnswerFilter filter;
  const auto places = places_of(text);
  bool good = places.size() == 4;
  for (std::size_t i = 0; good && i < 4; ++i) good = add_place(places[i], filter.places_[i]);
  if (!good)
    return bad(tr("\"{}\" is no answer of a block list, such as 127.0.0.2 or 127.0.0.[2;4..8]", printable(text, 80)));
  return filter;
}

bool AnswerFilter::matches(const net::AddressOctets& address) const {
  if (!net::is_ipv4(address)) return false;
  for (std::size_t i = 0; i < 4; ++i) {
    if (!places_[i].test(address[12 + i])) return false;
  }
  return true;
}

Result<BlockList> BlockList::make(const BlockListSettings& settings) {
  BlockList list;
  std::string_view zone = settings.zone;
  list.weight = settings.weight;
  std::vector<std::string> answers = settings.answers;
  if (const std::size_t star = zone.rfind('*'); star != std::string_view::npos) {
    auto weight = weight_of(zone.substr(star + 1));
    if (!weight) return std::unexpected(weight.error());
    list.weight = *weight;
    zone = zone.substr(0, star);
  }
  if (const std::size_t equals = zone.find('='); equals != std::string_view::npos) {
    if (!answers.empty()) return bad(_("its answers stand both in zone and in answers"));
    answers.emplace_back(zone.substr(equals + 1));
    zone = zone.substr(0, equals);
  }
  if (zone.ends_with('.')) zone.remove_suffix(1);
  if (!mail::is_domain(zone, false) || zone.find('.') == std::string_view::npos || net::parse_address(zone))
    return bad(tr("\"{}\" is no zone such as \"zen.spamhaus.org\"", printable(zone, 100)));
  list.zone = lower(zone);
  list.name = settings.name.empty() ? list.zone : settings.name;
  list.action = settings.action;
  for (const std::string& text : answers) {
    auto filter = AnswerFilter::parse(text);
    if (!filter) return std::unexpected(filter.error());
    list.answers.push_back(*filter);
  }
  return list;
}

ListAnswer judge_answer(const BlockList& list, const std::vector<std::string>& addresses) {
  ListAnswer answer = ListAnswer::kNothing;
  for (const std::string& text : addresses) {
    const auto address = net::parse_address(text);
    if (!address || !net::is_ipv4(*address) || (*address)[12] != 127) {
      answer = ListAnswer::kNonsense;
      continue;
    }
    // https://www.spamhaus.org/faq: 127.255.255.252 a typing error, .254 an open resolver, .255 too many questions.
    if ((*address)[13] == 255 && (*address)[14] == 255) {
      answer = ListAnswer::kRefused;
      continue;
    }
    const bool counts = list.answers.empty() ||
                        std::ranges::any_of(list.answers, [&](const AnswerFilter& f) { return f.matches(*address); });
    if (counts) return ListAnswer::kListed;
  }
  return answer;
}

Score score(const std::vector<Listing>& listings, int threshold) {
  int rejecting = 0, all = 0;
  for (const Listing& one : listings) {
    if (!one.listed || one.list->action == Action::kOff) continue;
    all += one.list->weight;
    if (one.list->action == Action::kReject || one.list->weight < 0) rejecting += one.list->weight;
  }
  Score out;
  out.action = rejecting >= threshold ? Action::kReject : all >= threshold ? Action::kTag : Action::kOff;
  out.total = out.action == Action::kReject ? rejecting : all;
  if (out.action == Action::kOff) return out;
  for (const Listing& one : listings) {
    const bool counts = one.listed && one.list->weight > 0 && one.list->action != Action::kOff &&
                        (out.action == Action::kTag || one.list->action == Action::kReject);
    if (counts && (out.worst == nullptr || one.list->weight > out.worst->list->weight)) out.worst = &one;
  }
  if (out.worst == nullptr) out.action = Action::kOff;  // no list has anything against the client
  return out;
}

}  // namespace sidegate::screen
