#include "deliver/way.h"

#include <algorithm>

#include "base/text.h"
#include "deliver/reply_rules.h"
#include "route/refusal.h"

namespace sidegate::deliver {

Advice Health::trouble(SteadyTime now, smtp::Phase phase, std::string_view kind, unsigned standing, Duration least) {
  std::lock_guard lock(mutex_);
  bool setting_up = phase < smtp::Phase::kMail;
  if (setting_up && standing > 0) {  // the provider's limit on connections, most likely
    open_from_ = now + first_pause_;
    return {Advice::Response::kSlowOpening, first_pause_, false};
  }
  // A working way that drops one connection in the middle of a transaction is no broken way; twice in a row is.
  bool first = !phase_.has_value();
  bool was_working = first && count_ == 0 && !setting_up && least.count() == 0;
  if (was_working) {
    count_ = 1;
    return {Advice::Response::kGoOn, Duration(0), false};
  }
  bool say = first || kind_ != kind;
  ++count_;
  if (!phase_ || phase > *phase_) phase_ = phase;
  kind_ = kind;
  return {Advice::Response::kDown, std::max(first_pause_, least), say};  // the scheduler doubles it from time to time
}

bool Health::good(smtp::Phase phase) {
  std::lock_guard lock(mutex_);
  if (!phase_) {
    if (phase >= smtp::Phase::kMail) count_ = 0;
    return false;
  }
  if (phase < *phase_) return false;  // logging in again says nothing about a quota
  phase_.reset();
  kind_.clear();
  count_ = 0;
  return true;
}

bool Health::may_open(SteadyTime now) const {
  std::lock_guard lock(mutex_);
  return now >= open_from_;
}

constexpr Duration kAskAgain = std::chrono::hours(24);

bool NullSender::refused(SteadyTime now) const {
  return now < refused_until_.load(std::memory_order_relaxed);
}

bool NullSender::learn(SteadyTime now) {
  return refused_until_.exchange(now + kAskAgain) <= now;
}

bool ToldOnce::first(QueueId id) {
  std::lock_guard lock(mutex_);
  if (std::ranges::find(told_, id) != told_.end()) return false;
  if (told_.size() == kMost) told_.pop_front();
  told_.push_back(id);
  return true;
}

bool split_host(const std::string& text, std::string* host, std::uint16_t* port) {
  if (!text.starts_with('[')) {
    *host = text;
    return !text.empty();
  }
  auto close = text.find(']');
  if (close == std::string::npos) return false;
  *host = text.substr(1, close - 1);
  std::string_view rest = std::string_view(text).substr(close + 1);
  if (rest.empty()) return !host->empty();
  auto number = rest.starts_with(':') ? parse_number(rest.substr(1)) : std::nullopt;
  if (!number || *number == 0 || *number > 65535) return false;
  *port = static_cast<std::uint16_t>(*number);
  return !host->empty();
}

std::string account_of(const RelaySettings& relay) {
  if (relay.protocol != Protocol::kSmtp || relay.host.empty()) return {};
  // Without a login nothing says that two ports of one host lead to the same provider (two tunnels on this machine).
  if (relay.user.empty()) return fmt::format("{}:{} ", lower(relay.host), relay.port);
  return lower(relay.host) + " " + lower(relay.user);
}

std::vector<quota::Limit> limits_of(const RelaySettings& relay) {
  using quota::Measure;
  using quota::Span;
  const quota::Limit all[] = {
      {{Measure::kMessages, Span::kSecond}, relay.messages_per_second},
      {{Measure::kMessages, Span::kMinute}, relay.messages_per_minute},
      {{Measure::kMessages, Span::kHour}, relay.messages_per_hour},
      {{Measure::kMessages, Span::kDay}, relay.messages_per_day},
      {{Measure::kRecipients, Span::kMinute}, relay.recipients_per_minute},
      {{Measure::kRecipients, Span::kHour}, relay.recipients_per_hour},
      {{Measure::kRecipients, Span::kDay}, relay.recipients_per_day},
  };
  std::vector<quota::Limit> limits;
  for (const quota::Limit& limit : all) {
    if (limit.most != 0) limits.push_back(limit);
  }
  return limits;
}

namespace {

bool same_block(const RelaySettings& a, const RelaySettings& b) {
  return a.protocol == b.protocol && a.host == b.host && a.port == b.port && a.tls == b.tls &&
         a.tls_verify == b.tls_verify && a.tls_ca_file == b.tls_ca_file && a.tls_ca_pem == b.tls_ca_pem &&
         a.tls_name == b.tls_name && a.tls_fingerprints == b.tls_fingerprints && a.user == b.user &&
         a.password == b.password && a.mechanisms == b.mechanisms && a.insecure_auth == b.insecure_auth &&
         a.places == b.places && a.source_addresses == b.source_addresses && a.proxy == b.proxy &&
         a.certificate == b.certificate && a.refusal == b.refusal && a.policy == b.policy;
}

const std::string& tls_name_of(const RelaySettings& s) {
  return s.tls_name.empty() ? s.host : s.tls_name;
}

auto make_context(const RelaySettings& s, const std::string& name) {
  tls::PeerPolicy policy{s.tls_verify, name, s.tls_ca_file, s.tls_ca_pem, s.tls_fingerprints};
  policy.own = s.certificate;
  return tls::ClientContext::make(std::move(policy));
}

bool uses_tls(const RelaySettings& s) {
  return s.tls != TlsMode::kNone || s.places.srv ||
         std::ranges::any_of(candidates_of(s), [](const Candidate& c) { return c.tls != TlsMode::kNone; });
}

bool same_identity(const RelaySettings& a, const RelaySettings& b) {
  const bool same_rules = a.rewrite == b.rewrite || (a.rewrite && b.rewrite && *a.rewrite == *b.rewrite);
  return a.identity == b.identity && a.address == b.address && a.allowed == b.allowed && same_rules &&
         a.sign == b.sign && a.on_sender_refused == b.on_sender_refused;
}

std::shared_ptr<Way> make_way(queue::WayId id, RelaySettings settings) {
  auto way = std::make_shared<Way>();
  way->id = id;
  std::string host;
  if (split_host(settings.host, &host, &settings.port)) settings.host = host;
  way->settings = std::move(settings);
  way->health.set_first_pause(way->settings.retry_after);
  const RelaySettings& s = way->settings;
  if (!uses_tls(s)) return way;
  auto context = make_context(s, tls_name_of(s));
  if (context) {
    way->tls = *context;
  } else {
    way->tls_error = context.error().text;
  }
  return way;
}

std::shared_ptr<Way> find(const Ways* ways, const std::string& name) {
  if (!ways) return nullptr;
  auto at = std::ranges::find_if(ways->list, [&](const auto& w) { return w->settings.name == name; });
  return at == ways->list.end() ? nullptr : *at;
}

bool same_replies(const RelaySettings& a, const RelaySettings& b) {
  if (!a.replies || !b.replies) return a.replies == b.replies;
  return std::ranges::equal(a.replies->own(), b.replies->own());
}

// An unchanged block keeps its way object, so what was learnt stays; limits and time-outs may differ, so those need a
// new one that shares nothing. Good enough: a reload that touches a block starts it afresh.
bool unchanged(const Way& way, const RelaySettings& s) {
  RelaySettings wanted = s;
  std::string host;
  if (split_host(s.host, &host, &wanted.port)) wanted.host = host;
  const RelaySettings& have = way.settings;
  return !way.retired && way.tls_error.empty() && same_block(have, wanted) && have.connections == wanted.connections &&
         have.messages_per_connection == wanted.messages_per_connection && have.retry_after == wanted.retry_after &&
         have.eight_bit == wanted.eight_bit && have.reply_provider == wanted.reply_provider &&
         same_identity(have, wanted) && have.timeouts == wanted.timeouts && limits_of(have) == limits_of(wanted) &&
         have.when_full == wanted.when_full && same_replies(have, wanted);
}

}  // namespace

std::shared_ptr<const tls::ClientContext> Way::tls_for(const std::string& name) {
  constexpr std::size_t kMost = 64;  // names of one way that are kept
  if (!tls || name == tls_name_of(settings)) return tls;
  std::lock_guard lock(contexts_mutex_);
  if (auto known = contexts_.find(name); known != contexts_.end()) return known->second;
  auto made = make_context(settings, name);
  if (!made) return nullptr;
  if (contexts_.size() >= kMost) contexts_.erase(contexts_.begin());
  return contexts_[name] = std::move(*made);
}

std::vector<Candidate> Way::found() const {
  std::lock_guard lock(found_mutex_);
  return found_;
}

void Way::set_found(std::vector<Candidate> candidates) {
  std::lock_guard lock(found_mutex_);
  found_ = std::move(candidates);
}

// The ways of mail that stays on this machine, as blocks of their own.
static std::vector<RelaySettings> built_in(const LocalSettings& local, bool lmtp_by_route) {
  RelaySettings here;
  here.name = kLocalWay;
  here.protocol = Protocol::kLocal;
  here.host = kLocalWay;
  here.tls = TlsMode::kNone;
  here.connections = local.connections;
  std::vector<RelaySettings> ways{here};
  if (local.delivery != MailboxDelivery::kLmtp && !(lmtp_by_route && !local.lmtp.empty())) return ways;
  RelaySettings lmtp = here;
  lmtp.name = kLmtpWay;
  lmtp.protocol = Protocol::kLmtp;
  lmtp.host = local.lmtp;
  lmtp.port = 24;                      // RFC 2033 section 5 leaves it open; IANA's lmtp is 24
  if (!local.lmtp.starts_with('/')) {  // "host:24", "[2001:db8::1]:24"
    auto colon = local.lmtp.rfind(':');
    auto port =
        colon == std::string::npos ? std::nullopt : parse_number(std::string_view(local.lmtp).substr(colon + 1));
    if (port && *port > 0 && *port <= 65535) {
      lmtp.port = static_cast<std::uint16_t>(*port);
      lmtp.host = local.lmtp.substr(0, colon);
    }
  }
  ways.push_back(std::move(lmtp));
  return ways;
}

// The way of one block: the old one where nothing has changed, and its id wherever there was one of its name.
static queue::WayId place(Ways& ways, const RelaySettings& relay, const Ways* previous, bool anew = false) {
  auto old = find(previous, relay.name);
  auto id = old ? old->id : static_cast<queue::WayId>(ways.list.size());
  const bool kept = old && !anew && unchanged(*old, relay);
  auto way = kept ? old : make_way(id, relay);
  if (old && !kept) way->edition = old->edition + 1;
  if (old) {
    ways.list[id] = std::move(way);
  } else {
    ways.list.push_back(std::move(way));
  }
  return id;
}

// The way of that name which is in use, whatever the case.
static std::optional<queue::WayId> find_in(const Ways& ways, const std::string& name) {
  auto at = std::ranges::find_if(ways.list,
                                 [&](const auto& way) { return !way->retired && iequals(way->settings.name, name); });
  if (at == ways.list.end()) return std::nullopt;
  return (*at)->id;
}

// Direct delivery, as a block of its own.
static RelaySettings direct_block(const DirectSettings& direct) {
  RelaySettings block;
  block.name = kDirectWay;
  block.protocol = Protocol::kDirect;
  block.host = kDirectWay;
  block.port = direct.port;
  block.tls = TlsMode::kOpportunistic;  // each opening's policy decides (tls_policy.h)
  block.tls_verify = false;             // whom to expect is a policy's matter (direct.h, TlsPolicy), not this block's
  block.connections = direct.connections;
  block.messages_per_connection = direct.messages_per_connection;
  block.retry_after = direct.retry_after;
  for (const std::string& source : {direct.source_address, direct.source_address6}) {
    if (!source.empty()) block.source_addresses.push_back(source);
  }
  block.proxy = direct.proxy;
  block.certificate = direct.certificate;
  block.timeouts.connect = direct.connect_timeout;
  block.timeouts.greeting = direct.greeting_timeout;
  block.timeouts.idle = direct.idle_timeout;
  // Connections that stand were opened by them: others need connections of their own.
  block.policy = fmt::format("{} {} {}", name(direct.tls), direct.tls_ca_file, direct.tls_ca_pem);
  for (const TlsRule& rule : direct.tls_rules)
    block.policy += fmt::format("\n{} {} {}", rule.domain, name(rule.level), fmt::join(rule.match, " "));
  return block;
}

// The routes in which direct delivery stands. What is behind it there says how long a destination that refuses us is
// left in peace (kRefusedFor, kRefusedAlone).
static std::vector<std::vector<std::string>> routes_of_direct(const DeliverSettings& settings) {
  const auto is_direct = [](const std::string& name) { return iequals(name, kDirectWay); };
  std::vector<std::vector<std::string>> routes;
  for (const RouteSettings& route : settings.routes) {
    if (std::ranges::any_of(route.ways, is_direct)) routes.push_back(route.ways);
  }
  if (settings.relays.empty()) routes.push_back({kDirectWay});
  return routes;
}

// What is known of port 25 stays, whatever the block says now, as long as it is the same line's; what single
// destinations said of us goes with what they saw of us.
static void place_direct(Ways& ways, const DeliverSettings& settings, const Ways* previous) {
  RelaySettings block = direct_block(settings.direct);
  give_replies(block, settings.replies);
  const bool same = previous != nullptr && previous->settings.direct == settings.direct &&
                    previous->settings.hostname == settings.hostname &&
                    routes_of_direct(previous->settings) == routes_of_direct(settings);
  const queue::WayId id = place(ways, block, previous, !same);
  ways.direct = ways.list[id];
  if (previous != nullptr && previous->direct == ways.direct) ways.members = previous->members;
  const bool same_line =
      previous != nullptr && previous->direct && previous->settings.direct.proxy == settings.direct.proxy;
  if (!ways.direct->direct) ways.direct->direct = same_line ? previous->direct->direct : std::make_shared<Direct>();
  ways.direct->direct->port25.set_first_pause(settings.direct.port25_retry_after);
}

static std::vector<route::Rule> next_hop_rules(Ways& ways, const std::vector<NextHop>& hops, const Ways* previous) {
  std::vector<route::Rule> rules;
  for (const NextHop& hop : hops)
    rules.push_back({{place(ways, hop.relay, previous)}, route::Rule::For::kDomain, hop.domain});
  return rules;
}

static std::string route_way_name(const RouteSettings& route, std::size_t number) {
  switch (route.action) {
    case RouteAction::kLocal:
      return kLocalWay;
    case RouteAction::kLmtp:
      return kLmtpWay;
    case RouteAction::kDiscard:
      return "discard";
    default:
      return fmt::format("fail:{}", number);
  }
}

// The way of a route that does not lead out. Those of this machine are there already.
static void place_decision(Ways& ways, const RouteSettings& route, const std::string& name, const Ways* previous) {
  if (find_in(ways, name)) return;
  RelaySettings block;
  block.name = name;
  block.host = name;
  block.tls = TlsMode::kNone;
  block.protocol = route.action == RouteAction::kFail ? Protocol::kFail : Protocol::kDiscard;
  if (auto refusal = route::read_refusal(route.text)) block.refusal = std::move(*refusal);
  place(ways, block, previous);
}

static std::vector<route::Rule> route_rules(Ways& ways, const std::vector<RouteSettings>& routes,
                                            const Ways* previous) {
  std::vector<route::Rule> rules;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const RouteSettings& from = routes[i];
    route::Rule rule{{}, route::Rule::For::kRoute};
    rule.block = i + 1;
    rule.holds = from.action == RouteAction::kHold;
    rule.leads_out = from.action == RouteAction::kWays;
    // The loader has told of what is wrong; a rule that cannot be made fits nobody.
    auto conditions = route::Conditions::make(from.conditions);
    if (!conditions) continue;
    rule.conditions = std::move(*conditions);
    std::vector<std::string> names = from.ways;
    if (from.action != RouteAction::kWays && !rule.holds) {
      names = {route_way_name(from, i + 1)};
      place_decision(ways, from, names.front(), previous);
    }
    for (const std::string& name : names) {
      if (auto id = find_in(ways, name)) rule.ways.push_back(*id);
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

std::shared_ptr<const Ways> Ways::make(DeliverSettings settings, const Ways* previous) {
  auto ways = std::make_shared<Ways>();
  if (previous) {
    for (const auto& old : previous->list) {  // ids stay taken: what still works on them may finish
      auto gone = std::make_shared<Way>();
      gone->id = old->id;
      gone->settings.name = old->settings.name;
      gone->settings.connections = 0;
      gone->retired = true;
      ways->list.push_back(std::move(gone));
    }
  }
  using For = route::Rule::For;
  route::Rule leaves{{}, For::kLeaves}, mailboxes{{}, For::kMailboxes}, stays{{}, For::kStays};
  std::vector<RelaySettings> blocks = settings.relays;
  const bool lmtp_by_route =
      std::ranges::any_of(settings.routes, [](const auto& r) { return r.action == RouteAction::kLmtp; });
  for (RelaySettings& block : built_in(settings.local, lmtp_by_route)) blocks.push_back(std::move(block));
  for (RelaySettings& relay : blocks) give_replies(relay, settings.replies);
  for (NextHop& hop : settings.next_hops) give_replies(hop.relay, settings.replies);
  for (const RelaySettings& relay : blocks) {
    const queue::WayId id = place(*ways, relay, previous);
    (relay.protocol == Protocol::kSmtp   ? leaves
     : relay.protocol == Protocol::kLmtp ? mailboxes
                                         : stays)
        .ways.push_back(id);
  }
  place_direct(*ways, settings, previous);
  if (settings.relays.empty() && settings.direct.enabled) leaves.ways.push_back(ways->direct->id);
  std::vector<route::Rule> rules = route_rules(*ways, settings.routes, previous);
  for (route::Rule& rule : next_hop_rules(*ways, settings.next_hops, previous)) rules.push_back(std::move(rule));
  rules.push_back(std::move(leaves));
  if (!mailboxes.ways.empty() && settings.local.delivery == MailboxDelivery::kLmtp)
    rules.push_back(std::move(mailboxes));
  rules.push_back(std::move(stays));
  ways->direct_used = std::ranges::any_of(rules, [&](const route::Rule& rule) {
    return std::ranges::find(rule.ways, ways->direct->id) != rule.ways.end();
  });
  ways->table = route::Table(std::move(rules));
  ways->settings = std::move(settings);
  return ways;
}

std::shared_ptr<Way> Ways::find(queue::WayId id, const queue::Scheduler& scheduler, SteadyTime now) const {
  if (id < list.size()) [[likely]]
    return list[id];
  if (!queue::is_member(id) || !direct) return nullptr;
  if (auto known = members->find(id, now)) return known;
  const auto who = scheduler.member(id);
  if (!who || who->family != direct->id) return nullptr;
  return members->get(id, *who, direct, now);
}

route::Decision Ways::at_entry(const queue::ClassKey& key) const {
  using What = route::Decision::What;
  const route::Rule* rule = table.rule_at_entry(key);
  if (rule == nullptr) return {};
  if (rule->holds) return {What::kHold, {}, fmt::format("held by [[route]] {} of the configuration", rule->block)};
  if (rule->ways.empty()) return {};
  const RelaySettings& first = list[rule->ways.front()]->settings;
  return first.protocol == Protocol::kFail ? route::Decision{What::kRefuse, first.refusal, {}} : route::Decision{};
}

bool Ways::decides_at_entry() const {
  return std::ranges::any_of(settings.routes, [](const RouteSettings& route) {
    return route.action == RouteAction::kFail || route.action == RouteAction::kHold;
  });
}

std::vector<queue::WayLimits> Ways::limits() const {
  std::vector<queue::WayLimits> limits;
  for (const auto& way : list)
    limits.push_back({.name = way->retired ? std::string() : way->settings.name,  // empty: none
                      .connections = way->settings.connections,
                      .each = way == direct ? settings.direct.connections_per_destination : 0,
                      .account = way->retired ? std::string() : account_of(way->settings),
                      .limits = limits_of(way->settings),
                      .next_when_full = way->settings.when_full == WhenFull::kNext,
                      .edition = way->edition});
  return limits;
}

}  // namespace sidegate::deliver
