#include "doctor/vantage.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::doctor {
namespace {

struct Octets {
  std::array<std::uint8_t, 16> at{};
  bool six = false;
  bool in(unsigned bits, std::initializer_list<std::uint8_t> first) const {
    const std::vector<std::uint8_t> wanted(first);
    for (unsigned i = 0; i < bits; ++i) {
      const std::uint8_t mask = 0x80 >> (i % 8);
      const std::uint8_t want = i / 8 < wanted.size() ? wanted[i / 8] : 0;
      if ((at[i / 8] & mask) != (want & mask)) return false;
    }
    return true;
  }
};

std::optional<Octets> parse(std::string address) {
  if (address.starts_with("::ffff:") && address.find('.') != std::string::npos) address.erase(0, 7);
  if (std::size_t zone = address.find('%'); zone != std::string::npos) address.resize(zone);
  Octets octets;
  octets.six = address.find(':') != std::string::npos;
  if (inet_pton(octets.six ? AF_INET6 : AF_INET, address.c_str(), octets.at.data()) != 1) return std::nullopt;
  return octets;
}

bool same_network(const Interface& own, const Octets& other) {
  auto mine = parse(own.address);
  if (!mine || mine->six != other.six || own.prefix == 0) return false;
  for (unsigned i = 0; i < own.prefix; ++i) {
    if (((mine->at[i / 8] ^ other.at[i / 8]) & (0x80 >> (i % 8))) != 0) return false;
  }
  return true;
}

bool same_address(const std::string& a, const std::string& b) {
  auto one = parse(a), other = parse(b);
  return one && other && one->six == other->six && one->at == other->at;
}

bool holds(const std::vector<Interface>& own, const std::string& address) {
  return std::ranges::any_of(own, [&](const Interface& i) { return same_address(i.address, address); });
}

std::string joined(const std::vector<std::string>& words) {
  return printable(fmt::format("{}", fmt::join(words, ", ")), 500);
}

// The addresses of one family, without those that nobody else can use.
struct Family {
  std::vector<std::string> found, own, own_public;
  std::optional<std::string> shared, ds_lite;  // by an interface or by DNS
};

Family family_of(const AddressFacts& facts, bool six) {
  Family f;
  auto is_six = [](const std::string& a) { return a.find(':') != std::string::npos; };
  auto note = [&f](const std::string& address) {
    if (reach(address) == Reach::kShared) f.shared = address;
    if (reach(address) == Reach::kDsLite) f.ds_lite = address;
  };
  if (facts.found) {
    for (const std::string& a : *facts.found)
      if (is_six(a) == six) f.found.push_back(a), note(a);
  }
  for (const Interface& i : facts.own) {
    const Reach r = reach(i.address);
    if (!facts.names_own || is_six(i.address) != six || r == Reach::kLoopback || r == Reach::kLinkLocal) continue;
    f.own.push_back(i.address);
    if (r == Reach::kPublic) f.own_public.push_back(i.address);
    // A tunnel of one's own uses these addresses too (tailscale0, wg0): not the provider's.
    const bool tunnel = i.name.starts_with("tailscale") || i.name.starts_with("wg") || i.name.starts_with("tun");
    if (!tunnel) note(i.address);
  }
  return f;
}

const char* cure_of_shared() {
  return _(
      "IPv4 is shared there (CGNAT, DS-Lite, MAP-E): no router setting opens a port to the world. Use IPv6 (an AAAA "
      "record and the router's "
      "IPv6 filter open for 25, 465 and 587), ask the provider for an address of your own, or receive on a host "
      "outside");
}

std::string cure_of_forward(const std::vector<std::string>& own) {
  return tr(
      "forward ports 25, 465 and 587 at the router to {}; where the provider shares IPv4 among customers (CGNAT, "
      "DS-Lite, MAP-E) that does not "
      "help: use IPv6 or a host outside. Then look from another machine: sidegate check listeners HOST",
      own.empty() ? std::string(_("the server")) : own.front());
}

void judge_family(const AddressFacts& facts, const Family& f, bool six, Findings& out) {
  const char* record = six ? "AAAA" : "A";
  if (f.shared || f.ds_lite) {
    const std::string& address = f.shared ? *f.shared : *f.ds_lite;
    const bool in_dns = std::ranges::find(f.found, address) != f.found.end();
    out.push_back(
        {"public_address",
         in_dns ? Mark::kWrong : Mark::kNote,
         f.shared ? tr("{} is an address that the provider shares among its customers (CGNAT, RFC 6598)", address)
                  : tr("{} is an address of DS-Lite (RFC 6333): the provider shares IPv4 among its customers", address),
         _("nobody outside can reach it"),
         cure_of_shared(),
         {{"address", address}}});
    if (in_dns) return;
  }
  for (const std::string& address : f.found) {
    const Reach r = reach(address);
    Finding finding{"public_address", Mark::kGood, {}, {}, {}, {{"address", address}}};
    if (r == Reach::kShared || r == Reach::kDsLite) continue;  // told above
    if (r == Reach::kLoopback || r == Reach::kLinkLocal || r == Reach::kPrivate) {
      finding.mark = Mark::kWrong;
      finding.text = tr("{} has {} as {} record, a private address", facts.hostname, address, record);
      finding.why = _("only machines of the same network reach it; the world does not");
      finding.next = six ? _("give the name the server's global IPv6 address")
                         : tr("give the name the router's public address, and {}", cure_of_forward(f.own));
    } else if (!facts.names_own) {
      finding.text = tr("{} has the public address {}", facts.hostname, address);
    } else if (holds(facts.own, address)) {
      finding.text = tr("{} has the public address {}, and it is this machine's", facts.hostname, address);
    } else if (f.own_public.empty()) {
      finding.mark = Mark::kNote;
      finding.text = tr("{} has the public address {}; this machine has {}", facts.hostname, address,
                        f.own.empty() ? std::string(_("none of that kind")) : joined(f.own));
      finding.why =
          _("a router translates between them, or the record is wrong; which of the two cannot be seen from here");
      finding.next = six ? _("give the name this machine's global IPv6 address") : cure_of_forward(f.own);
    } else {
      finding.mark = Mark::kNote;
      finding.text = tr("{} has the public address {}, this machine has another one: {}", facts.hostname, address,
                        joined(f.own_public));
      finding.why = _("mail for this name goes to another machine, or through a router that translates");
      finding.next =
          tr("correct the {} record if the address has changed (dynamic DNS), or forward ports 25, 465 and 587 from {} "
             "to this machine",
             record, address);
    }
    out.push_back(std::move(finding));
  }
  if (f.found.empty() && !f.own_public.empty() && facts.found) {
    out.push_back({"public_address",
                   Mark::kNote,
                   tr("{} has no {} record, and this machine has {}", facts.hostname, record, joined(f.own_public)),
                   {},
                   tr("add the {} record, if mail is to come that way too", record)});
  }
  if (f.found.empty() && f.own_public.empty() && !f.own.empty() && !f.shared && !six && facts.found) {
    out.push_back({"public_address", Mark::kNote, tr("this machine has only private IPv4 addresses: {}", joined(f.own)),
                   _("the world does not reach them"), cure_of_forward(f.own)});
  }
}

}  // namespace

Reach reach(const std::string& address) {
  auto octets = parse(address);
  if (!octets) return Reach::kNone;
  if (octets->six) {
    if (octets->in(128, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})) return Reach::kLoopback;
    if (octets->in(10, {0xfe, 0x80})) return Reach::kLinkLocal;
    if (octets->in(7, {0xfc})) return Reach::kPrivate;
    return octets->in(128, {}) ? Reach::kNone : Reach::kPublic;
  }
  if (octets->in(32, {})) return Reach::kNone;
  if (octets->in(8, {127})) return Reach::kLoopback;
  if (octets->in(16, {169, 254})) return Reach::kLinkLocal;
  if (octets->in(8, {10}) || octets->in(12, {172, 16}) || octets->in(16, {192, 168})) return Reach::kPrivate;
  if (octets->in(10, {100, 64})) return Reach::kShared;
  if (octets->in(29, {192, 0, 0, 0})) return Reach::kDsLite;
  return Reach::kPublic;
}

Vantage vantage(const std::vector<Interface>& own, const std::string& address) {
  auto octets = parse(address);
  if (!octets) return Vantage::kSameHost;
  if (reach(address) == Reach::kLoopback || holds(own, address)) return Vantage::kSameHost;
  const unsigned all = octets->six ? 128 : 32;
  for (const Interface& i : own) {
    if (i.prefix < all && same_network(i, *octets)) return Vantage::kSameNetwork;
  }
  return reach(address) == Reach::kPublic ? Vantage::kOutside : Vantage::kPrivate;
}

Finding tell_vantage(Vantage from, const std::vector<Interface>& own, const std::string& place) {
  Finding f{"vantage", Mark::kNote, {}, {}, {}, {}, place};
  const char* elsewhere = _("run it on a machine in another network: sidegate check listeners HOST");
  switch (from) {
    case Vantage::kSameHost:
      f.text = _("looked at from the same machine: this says nothing about what the world sees");
      f.next = elsewhere;
      f.details = {{"from", std::string("same_host")}};
      return f;
    case Vantage::kSameNetwork:
      f.text = _("looked at from the same network: this says nothing about what the world sees");
      f.why = _("no router and no provider's filter is between");
      f.next = elsewhere;
      f.details = {{"from", std::string("same_network")}};
      return f;
    case Vantage::kPrivate:
      f.text = _("looked at by a private address: this says nothing about what the world sees");
      f.why = _("the world reaches it by another address, or not at all");
      f.next = elsewhere;
      f.details = {{"from", std::string("private")}};
      return f;
    case Vantage::kOutside:
      break;
  }
  const bool translated =
      std::ranges::none_of(own, [](const Interface& i) { return reach(i.address) == Reach::kPublic; });
  f.mark = translated ? Mark::kNote : Mark::kGood;
  f.text = _("looked at from another network");
  f.details = {{"from", std::string("outside")}};
  if (translated)
    f.why =
        _("this machine is behind a router; if the server is behind the same one, the world may see something else");
  return f;
}

Findings judge_addresses(const AddressFacts& facts) {
  Findings out;
  if (!facts.found && facts.found.error().kind != ErrorKind::kNotFound) {
    out.push_back({"public_address", Mark::kNote,
                   tr("the addresses of {} cannot be looked up now: {}", facts.hostname,
                      printable(facts.found.error().text, 300))});
  } else if (!facts.found || facts.found->empty()) {
    out.push_back({"public_address", Mark::kNote, tr("{} has no address in DNS", facts.hostname),
                   _("neither mail clients nor other servers find it by that name"),
                   _("add an A or AAAA record for it, or set hostname to a name that has one")});
  }
  for (bool six : {false, true}) judge_family(facts, family_of(facts, six), six, out);
  return out;
}

}  // namespace sidegate::doctor
