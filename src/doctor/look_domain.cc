#include "doctor/look_domain.h"

#include <algorithm>

#include "base/text.h"
#include "dns/system_files.h"
#include "doctor/targets.h"
#include "spf/dmarc.h"
#include "spf/record.h"

namespace sidegate::doctor {
namespace {

constexpr Duration kLongest{15'000};  // for all of one domain's questions
constexpr std::size_t kMostAddresses = 4;
constexpr const char* kStranger = "240.0.0.1";  // RFC 1112 section 4: nobody's

// Names that never exist in the world's DNS (RFC 2606, RFC 6761, RFC 6762, RFC 8375).
bool is_reserved(const std::string& domain) {
  static constexpr const char* kNames[] = {".test",        ".invalid",  ".localhost", ".local",
                                           ".localdomain", ".internal", ".home.arpa"};
  return std::ranges::any_of(kNames, [&](const char* end) { return domain.ends_with(end); });
}

class Look {
 public:
  Look(net::Loop& loop, dns::Resolver& outside, DomainLook look)
      : loop_(loop), outside_(outside), look_(std::move(look)), end_(loop.clock().steady() + kLongest) {}
  net::Awaitable<DomainSeen> run();

 private:
  net::Awaitable<Found> records(std::string name, dns::RecordType type);
  net::Awaitable<spf::Answer> answer(spf::Question question);
  net::Awaitable<spf::Evaluation> evaluate(std::string address, std::string domain);
  net::Awaitable<void> find_alias();
  net::Awaitable<void> find_networks(WayAdmitted* way);
  net::Awaitable<void> try_remedy();
  net::Awaitable<void> look_at_way(DomainWay way);
  net::Awaitable<void> find_include(WayAdmitted* way);
  net::Awaitable<void> look_at_policy();

  net::Loop& loop_;
  dns::Resolver& outside_;
  DomainLook look_;
  SteadyTime end_;
  spf::Answers known_;
  DomainSeen seen_;
};

net::Awaitable<Found> Look::records(std::string name, dns::RecordType type) {
  if (loop_.clock().steady() >= end_) co_return fail(ErrorKind::kTimeout, "DNS: " + name + ": not asked any more");
  co_return co_await outside_.records(loop_, std::move(name), type, look_.patience);
}

net::Awaitable<spf::Answer> Look::answer(spf::Question question) {
  Found found;
  if (question.type == spf::Type::kPtr) {
    found = co_await outside_.names(loop_, question.name, look_.patience);
  } else {
    const dns::RecordType type = question.type == spf::Type::kTxt    ? dns::RecordType::kTxt
                                 : question.type == spf::Type::kA    ? dns::RecordType::kA
                                 : question.type == spf::Type::kAaaa ? dns::RecordType::kAaaa
                                                                     : dns::RecordType::kMx;
    found = co_await records(question.name, type);
  }
  spf::Answer out;
  if (!found) {
    out.kind = found.error().kind == ErrorKind::kNotFound ? spf::Answer::Kind::kNothing : spf::Answer::Kind::kTrouble;
    co_return out;
  }
  out.kind = spf::Answer::Kind::kFound;
  out.list = std::move(*found);
  if (question.type == spf::Type::kMx) {  // "10 mx.example.org"
    std::ranges::sort(out.list, {},
                      [](const std::string& line) { return parse_number(line.substr(0, line.find(' '))).value_or(0); });
    for (std::string& line : out.list) line = line.substr(line.find(' ') + 1);
  }
  co_return out;
}

net::Awaitable<spf::Evaluation> Look::evaluate(std::string address, std::string domain) {
  spf::Query query{std::move(address), std::move(domain), look_.sender, look_.hostname};
  for (unsigned asked = 0; asked <= spf::kMostQuestions; ++asked) {
    spf::Evaluation e = spf::evaluate(query, known_);
    if (!e.needed) co_return e;
    spf::Question question = *e.needed;
    known_[*e.needed] = co_await answer(std::move(question));
  }
  spf::Evaluation gave_up;
  gave_up.result = spf::Verdict::kTempError;
  co_return gave_up;
}

net::Awaitable<DomainSeen> Look::run() {
  seen_.domain = look_.domain;
  seen_.used_by = look_.used_by;
  seen_.guessed = look_.guessed;
  seen_.keys = look_.keys;
  for (const DomainWay& way : look_.ways)
    seen_.providers_own |= !way.host.empty() && iequals(owner_of(way.host), spf::organizational_domain(look_.domain));
  if (is_reserved(look_.domain)) {  // RFC 6761: nobody is asked
    seen_.exchangers = fail(ErrorKind::kNotFound, "reserved");
    seen_.addresses = seen_.spf = seen_.exchangers;
    co_return std::move(seen_);
  }
  seen_.exchangers = co_await records(look_.domain, dns::RecordType::kMx);
  const bool asked = seen_.exchangers || seen_.exchangers.error().kind == ErrorKind::kNotFound;
  if (asked && (!seen_.exchangers || seen_.exchangers->empty())) {
    seen_.addresses = co_await records(look_.domain, dns::RecordType::kA);
    if (!seen_.addresses) seen_.addresses = co_await records(look_.domain, dns::RecordType::kAaaa);
  }
  // Where DNS does not answer now, each further question would wait as long.
  const bool trouble = !seen_.exchangers && seen_.exchangers.error().kind != ErrorKind::kNotFound;
  if (seen_.providers_own || trouble) co_return std::move(seen_);
  seen_.spf = co_await records(look_.domain, dns::RecordType::kTxt);
  for (const DomainWay& way : look_.ways) {
    DomainWay copy = way;
    co_await look_at_way(std::move(copy));
  }
  co_await try_remedy();
  for (KeyPublished& key : seen_.keys) {
    std::string name = key.name;
    key.found = co_await records(std::move(name), dns::RecordType::kTxt);
  }
  co_await look_at_policy();
  co_return std::move(seen_);
}

net::Awaitable<void> Look::look_at_way(DomainWay way) {
  WayAdmitted admitted{way.name, way.host, {}, {}, false};
  std::vector<std::string> addresses = way.addresses;
  if (!way.host.empty()) {
    std::string host = way.host;
    auto found = co_await outside_.addresses(loop_, std::move(host));
    if (found) addresses = found->list;
  }
  if (addresses.size() > kMostAddresses) addresses.resize(kMostAddresses);
  for (const std::string& address : addresses) {
    std::string one = address, domain = look_.domain;
    spf::Evaluation e = co_await evaluate(std::move(one), std::move(domain));
    admitted.tried.push_back({address, std::move(e)});
  }
  if (!way.host.empty()) co_await find_include(&admitted);
  seen_.ways.push_back(std::move(admitted));
}

// A provider sends from other addresses than those it takes mail at: what it wants to stand in its customers' records
// is known by heart, or is what its own record is made of.
net::Awaitable<void> Look::find_include(WayAdmitted* way) {
  if (const char* known = include_of_provider(way->host)) way->include = known;
  if (way->include.empty() && !dns::literal_address(way->host)) {
    for (const WayAdmitted::Tried& tried : way->tried) {
      std::string address = tried.address, owner = owner_of(way->host);
      const std::string its_own = owner;
      spf::Evaluation own = co_await evaluate(std::move(address), std::move(owner));
      if (own.result != spf::Verdict::kPass) continue;
      way->include = its_own;
      if (!own.visited.empty()) {
        std::string inner = own.visited.front(), again = tried.address;
        spf::Evaluation e = co_await evaluate(std::move(again), std::move(inner));
        if (e.result == spf::Verdict::kPass) way->include = own.visited.front();
      }
      break;
    }
  }
  if (way->include.empty()) co_return;
  for (const WayAdmitted::Tried& tried : way->tried) {
    const auto& visited = tried.evaluation.visited;
    const bool usable = tried.evaluation.result != spf::Verdict::kPermError;
    way->include_found |= usable && std::ranges::find(visited, lower(way->include)) != visited.end();
  }
}

net::Awaitable<void> Look::find_alias() {
  const Found found = co_await records(look_.domain, dns::RecordType::kCname);
  if (found && !found->empty()) seen_.alias_of = found->front();
}

// The include's record, where it is made of addresses alone.
net::Awaitable<void> Look::find_networks(WayAdmitted* way) {
  if (way->include.empty()) co_return;
  const spf::Question question{spf::Type::kTxt, lower(way->include)};
  if (!known_.contains(question)) {
    spf::Question asked = question;
    known_[question] = co_await answer(std::move(asked));
  }
  for (const std::string& text : known_[question].list) {
    auto record = spf::parse_record(text);
    if (!record) continue;
    for (const spf::Directive& d : record->directives) {
      if (d.mechanism == spf::Mechanism::kAll) break;
      const bool plain = d.qualifier == spf::Qualifier::kPass && !d.address.empty();
      if (!plain || record->redirect) {
        way->networks.clear();
        co_return;
      }
      way->networks.push_back(d.text);
    }
  }
}

// What we would have published is tried first, as if it stood there: a record that is broken, or asks DNS too often
// (RFC 7208 section 4.6.4), would lose the domain what it has. By an address that no term is for, so that every term
// is evaluated.
net::Awaitable<void> Look::try_remedy() {
  if (seen_.guessed || record_needed(seen_).empty()) co_return;
  co_await find_alias();
  const spf::Question own{spf::Type::kTxt, look_.domain};
  const auto standing = known_.find(own);
  const spf::Answer before = standing == known_.end() ? spf::Answer() : standing->second;
  for (Remedy remedy : {Remedy::kTerms, Remedy::kNetworks}) {
    seen_.remedy = remedy;
    if (remedy == Remedy::kNetworks) {
      for (WayAdmitted& way : seen_.ways) co_await find_networks(&way);
    }
    known_[own] = {spf::Answer::Kind::kFound, {record_needed(seen_)}};
    std::string stranger = kStranger, domain = look_.domain;
    const spf::Evaluation e = co_await evaluate(std::move(stranger), std::move(domain));
    if (e.result != spf::Verdict::kPermError) break;
    if (remedy != Remedy::kNetworks) continue;
    seen_.remedy = Remedy::kNone;
    seen_.remedy_why = e.why;
  }
  known_[own] = before;
}

// RFC 7489 section 6.6.3: the domain's own record, else its organisation's.
net::Awaitable<void> Look::look_at_policy() {
  for (const std::string& domain : {look_.domain, spf::organizational_domain(look_.domain)}) {
    std::string name = "_dmarc." + domain;
    seen_.dmarc = co_await records(std::move(name), dns::RecordType::kTxt);
    seen_.dmarc_domain = domain;
    if (!seen_.dmarc && seen_.dmarc.error().kind != ErrorKind::kNotFound) co_return;
    if (seen_.dmarc && std::ranges::any_of(*seen_.dmarc, [](const std::string& t) { return spf::is_dmarc(t); }))
      co_return;
  }
}

}  // namespace

net::Awaitable<DomainSeen> look_at_domain(net::Loop& loop, dns::Resolver& outside, DomainLook look) {
  Look one(loop, outside, std::move(look));
  co_return co_await one.run();
}

}  // namespace sidegate::doctor
