#include "doctor/judge_domain.h"

#include <algorithm>
#include <array>

#include "base/i18n.h"
#include "base/text.h"
#include "dns/system_files.h"
#include "doctor/targets.h"
#include "spf/dmarc.h"
#include "spf/record.h"

namespace sidegate::doctor {
namespace {

bool there(const Found& found) {
  return found && !found->empty();
}
bool trouble(const Found& found) {
  return !found && found.error().kind != ErrorKind::kNotFound;
}

Finding begin(const char* check, const DomainSeen& seen) {
  return {check, Mark::kGood, {}, {}, {}, {{"domain", seen.domain}, {"used_by", seen.used_by}}};
}

Finding exists(const DomainSeen& seen) {
  Finding f = begin("sender_domain", seen);
  const std::string domain = printable(seen.domain, 255);
  const bool null_mx = there(seen.exchangers) && seen.exchangers->size() == 1 && seen.exchangers->front() == "0 .";
  f.details.emplace_back("resolves", there(seen.exchangers) || there(seen.addresses));
  if (null_mx) {
    f.mark = Mark::kWarning;
    f.text = tr("sender domain {}: it says that it takes no mail (null MX)", domain);
    f.why = _("servers refuse a sender that cannot be answered (RFC 7505 section 4.2)");
    f.next = tr("give it an MX record, or send as another domain (identity = \"account\")");
  } else if (there(seen.exchangers) || there(seen.addresses)) {
    f.text = tr("sender domain {}: exists ({})", domain, there(seen.exchangers) ? "MX" : "A");
  } else if (trouble(seen.exchangers) || trouble(seen.addresses)) {
    f.mark = Mark::kNote;
    f.text = tr("sender domain {}: cannot be looked up now", domain);
  } else {
    f.mark = seen.guessed ? Mark::kNote : Mark::kWarning;
    f.text = tr("sender domain {}: does not exist in DNS", domain);
    f.why = _("most servers refuse a sender whose domain does not exist");
    f.next = _("send as an address that exists: identity = \"account\" in [[relay]], or masquerade_domains");
  }
  return f;
}

std::vector<std::string> records_of(const Found& spf) {
  std::vector<std::string> out;
  if (!spf) return out;
  for (const std::string& text : *spf) {
    if (spf::is_record(text)) out.push_back(text);
  }
  std::ranges::sort(out);  // a name server tells them in any order
  return out;
}

// By its own addresses, or ours.
std::vector<std::string> addresses_of(const WayAdmitted& way) {
  std::vector<std::string> out;
  for (const WayAdmitted::Tried& t : way.tried) {
    if (way.host.empty() && t.evaluation.result == spf::Verdict::kPass) continue;
    out.push_back((dns::is_six(t.address) ? "ip6:" : "ip4:") + t.address);
  }
  return out;
}

// What would admit the way.
std::vector<std::string> terms_for(const WayAdmitted& way, Remedy remedy) {
  const bool networks = remedy == Remedy::kNetworks;
  if (networks && !way.networks.empty()) return way.networks;
  if (!way.include.empty()) return {"include:" + way.include};
  if (!way.host.empty() && !networks) return {"a:" + way.host};
  return addresses_of(way);
}

const spf::Evaluation* worst_of(const WayAdmitted& way) {
  const spf::Evaluation* out = nullptr;
  for (const WayAdmitted::Tried& t : way.tried) {
    if (t.evaluation.result == spf::Verdict::kPass && out != nullptr) continue;
    out = &t.evaluation;
  }
  return out;
}

Finding admits(const DomainSeen& seen, const WayAdmitted& way, bool dkim_good) {
  Finding f = begin("spf", seen);
  const std::string domain = printable(seen.domain, 255), name = printable(way.way, 100);
  f.details.emplace_back("way", way.way);
  f.details.emplace_back("admitted", way.admitted());
  const spf::Evaluation* e = worst_of(way);
  const spf::Verdict verdict = e == nullptr ? spf::Verdict::kNone : e->result;
  f.details.emplace_back("result", std::string(spf::name(way.admitted() ? spf::Verdict::kPass : verdict)));
  if (way.admitted()) {
    f.text = way.include_found && verdict != spf::Verdict::kPass
                 ? tr("SPF of {}: admits {} (include:{})", domain, name, way.include)
                 : tr("SPF of {}: admits {}", domain, name);
    return f;
  }
  if (trouble(seen.spf) || verdict == spf::Verdict::kTempError) {
    f.mark = Mark::kNote;
    f.text = tr("SPF of {}: cannot be looked up now", domain);
    return f;
  }
  if (way.tried.empty()) {
    f.mark = Mark::kNote;
    f.text = tr("SPF of {}: not known whether it admits {}: its address is not known", domain, name);
    return f;
  }
  if (verdict == spf::Verdict::kPermError) {
    f.mark = Mark::kWarning;
    f.text = tr("SPF of {}: the record is broken: {}", domain, printable(e->why, 300));
    f.why = _("receivers treat it as if nothing were admitted, or refuse");
    return f;
  }
  if (records_of(seen.spf).empty()) {
    f.mark = seen.guessed ? Mark::kNote : Mark::kWarning;
    f.text = tr("SPF of {}: there is no record", domain);
    f.why = dkim_good ? _("DKIM alone makes up for it at many receivers") : _("big providers refuse or mark such mail");
    if (dkim_good) f.mark = Mark::kNote;
  } else {
    const bool fails = verdict == spf::Verdict::kFail;
    f.mark = dkim_good && !fails ? Mark::kNote : Mark::kWarning;
    f.text = tr("SPF of {}: does not admit {} ({})", domain, name, spf::name(verdict));
    f.why = fails ? _("receivers refuse mail that leaves by it") : _("receivers mark mail that leaves by it");
  }
  return f;
}

// The domain's record does not admit the way, and that is known.
bool lacks(const DomainSeen& seen, const WayAdmitted& way) {
  if (way.admitted() || way.tried.empty() || trouble(seen.spf)) return false;
  return worst_of(way)->result != spf::Verdict::kTempError;
}

// What to publish: one record for all that the domain lacks.
void advise(Finding& f, const DomainSeen& seen) {
  const std::size_t records = records_of(seen.spf).size();
  const std::string domain = printable(seen.domain, 255);
  if (seen.guessed) {  // a machine's name needs no records: it should not be a sender
    f.next = _("send as another domain: identity = \"account\" in [[relay]], or masquerade_domains");
    return;
  }
  if (!seen.alias_of.empty()) {  // RFC 1034 section 3.6.2
    f.next =
        tr("{} is an alias (CNAME) of {}, and no other record can stand beside a CNAME: give it MX, A and TXT "
           "records of its own in the place of the CNAME, or have this published at {}: {}",
           domain, printable(seen.alias_of, 255), printable(seen.alias_of, 255), record_needed(seen));
    return;
  }
  if (seen.remedy == Remedy::kNone) {
    f.next =
        tr("no record can be offered: with what is missing it would be broken: {}. A record may ask DNS ten times "
           "(RFC 7208 section 4.6.4): put addresses (ip4:, ip6:) in the place of an include, or take out what is "
           "not used",
           printable(seen.remedy_why, 300));
    return;
  }
  f.next = seen.remedy == Remedy::kNetworks
               ? _("publish (with addresses, as an include or a name more would ask DNS too often):")
           : records > 1 ? _("publish, in the place of all SPF records that are there:")
                         : _("publish:");
  f.paste = txt_line(seen.domain, record_needed(seen));
}

// Each way; the record that is to be published stands at the first that needs it, for all of them.
Findings admitted_ways(const DomainSeen& seen, bool dkim_good) {
  Findings out;
  bool advised = false;
  for (const WayAdmitted& way : seen.ways) {
    Finding f = admits(seen, way, dkim_good);
    if (lacks(seen, way)) {
      if (advised) {
        f.next = _("what is said above is for this way too");
      } else {
        advise(f, seen);
      }
      advised = true;
    }
    out.push_back(std::move(f));
  }
  return out;
}

// p= of a key record, without spaces.
std::string key_in(std::string_view record) {
  for (std::string_view tag : split(record, ';')) {
    tag = trim(tag);
    const std::size_t equals = tag.find('=');
    if (equals == std::string_view::npos || trim(tag.substr(0, equals)) != "p") continue;
    std::string out;
    for (char c : tag.substr(equals + 1)) {
      if (c != ' ' && c != '\t' && c != '\r' && c != '\n') out += c;
    }
    return out;
  }
  return {};
}

bool matches(const KeyPublished& key) {
  return key.found && std::ranges::any_of(*key.found, [&](const std::string& text) { return key_in(text) == key.key; });
}

Finding published(const DomainSeen& seen, const KeyPublished& key) {
  Finding f = begin("dkim", seen);
  f.details.emplace_back("selector", key.selector);
  f.details.emplace_back("matches", matches(key));
  const std::string name = printable(key.name, 300);
  if (matches(key)) {
    f.text = tr("DKIM: {} has our key", name);
  } else if (trouble(key.found)) {
    f.mark = Mark::kNote;
    f.text = tr("DKIM: {} cannot be looked up now", name);
  } else {
    f.mark = Mark::kWarning;
    f.text = there(key.found) ? tr("DKIM: {} has another key than ours", name) : tr("DKIM: {} does not exist", name);
    f.why = _("every signature we make is found wrong");
    f.next = _("publish:");
    f.paste = txt_line(key.name, key.value);
  }
  return f;
}

Finding policy(const DomainSeen& seen, bool spf_good, bool dkim_good) {
  Finding f = begin("dmarc", seen);
  const std::string domain = printable(seen.domain, 255);
  std::vector<std::string> records;
  if (seen.dmarc) {
    for (const std::string& text : *seen.dmarc) {
      if (spf::is_dmarc(text)) records.push_back(text);
    }
  }
  f.details.emplace_back("passes", spf_good || dkim_good);
  if (trouble(seen.dmarc)) {
    f.mark = Mark::kNote;
    f.text = tr("DMARC of {}: cannot be looked up now", domain);
    return f;
  }
  // RFC 7489 section 6.6.3: several records are none.
  auto parsed = records.size() == 1 ? spf::parse_dmarc(records.front())
                                    : Result<spf::Dmarc>(fail(ErrorKind::kNotFound, "no record"));
  if (!parsed) {
    f.details.emplace_back("policy", std::string("absent"));
    f.mark = Mark::kNote;
    f.text = records.empty() ? tr("DMARC of {}: there is no record", domain)
             : records.size() == 1
                 ? tr("DMARC of {}: the record is broken: {}", domain, printable(parsed.error().text, 200))
                 : tr("DMARC of {}: there are several records, so none counts", domain);
    f.why = _("big providers want one from whoever sends much");
    f.next = _("publish:");
    f.paste = txt_line("_dmarc." + spf::organizational_domain(seen.domain), "v=DMARC1; p=none");
    return f;
  }
  const bool below = !iequals(seen.dmarc_domain, seen.domain);
  const spf::Policy policy = below ? parsed->subdomains : parsed->policy;
  f.details.emplace_back("policy", std::string(spf::name(policy)));
  if (spf_good || dkim_good) {
    f.text = tr("DMARC of {}: would pass by {} (p={})", domain,
                spf_good && dkim_good ? "SPF, DKIM"
                : spf_good            ? "SPF"
                                      : "DKIM",
                spf::name(policy));
    return f;
  }
  f.mark = policy == spf::Policy::kNone ? Mark::kNote : Mark::kWarning;
  f.text = tr("DMARC of {}: would not pass (p={})", domain, spf::name(policy));
  f.why = policy == spf::Policy::kReject       ? _("receivers refuse mail from it")
          : policy == spf::Policy::kQuarantine ? _("receivers put mail from it with the spam")
                                               : _("receivers only count it");
  f.next = tr("publish what SPF or DKIM lack (above); keys are made by: sidegate dkim new {}", domain);
  return f;
}

}  // namespace

bool WayAdmitted::admitted() const {
  if (include_found) return true;
  if (tried.empty()) return false;
  auto passes = [](const Tried& t) { return t.evaluation.result == spf::Verdict::kPass; };
  // We do not know from which of its addresses a relay sends; from which we do, we know.
  return host.empty() ? std::ranges::all_of(tried, passes) : std::ranges::any_of(tried, passes);
}

const char* include_of_provider(std::string_view relay_host) {
  struct Row {
    std::string_view owner;
    const char* include;
  };
  static constexpr std::array<Row, 26> kRows = {{
      {"gmail.com", "_spf.google.com"},
      {"google.com", "_spf.google.com"},
      {"office365.com", "spf.protection.outlook.com"},
      {"outlook.com", "spf.protection.outlook.com"},
      {"amazonaws.com", "amazonses.com"},
      {"sendgrid.net", "sendgrid.net"},
      {"mailgun.org", "mailgun.org"},
      {"postmarkapp.com", "spf.mtasv.net"},
      {"mtasv.net", "spf.mtasv.net"},
      {"fastmail.com", "spf.messagingengine.com"},
      {"messagingengine.com", "spf.messagingengine.com"},
      {"me.com", "icloud.com"},
      {"icloud.com", "icloud.com"},
      {"brevo.com", "spf.brevo.com"},
      {"sendinblue.com", "spf.sendinblue.com"},
      {"mailjet.com", "spf.mailjet.com"},
      {"sparkpostmail.com", "_spf.sparkpostmail.com"},
      {"zoho.com", "zoho.com"},
      {"zoho.eu", "zoho.eu"},
      {"yandex.ru", "_spf.yandex.net"},
      {"yandex.com", "_spf.yandex.net"},
      {"ovh.net", "mx.ovh.com"},
      {"gandi.net", "_mailcust.gandi.net"},
      {"mailbox.org", "mailbox.org"},
      {"migadu.com", "spf.migadu.com"},
      {"xserver.jp", "spf.sender.xserver.jp"},
  }};
  const std::string owner = owner_of(relay_host);
  for (const Row& row : kRows) {
    if (row.owner == owner) return row.include;
  }
  return nullptr;
}

std::string record_needed(const DomainSeen& seen) {
  std::vector<std::string> terms;
  for (const WayAdmitted& way : seen.ways) {
    if (!lacks(seen, way)) continue;
    for (std::string& term : terms_for(way, seen.remedy)) terms.push_back(std::move(term));
  }
  return terms.empty() ? std::string() : spf::merged(records_of(seen.spf), terms);
}

std::string txt_line(std::string_view name, std::string_view value) {
  std::string out = std::string(name) + ". IN TXT";
  for (std::size_t at = 0; at == 0 || at < value.size(); at += 255) {
    out += " \"";
    for (char c : value.substr(at, 255)) out += (c == '"' || c == '\\') ? std::string("\\") + c : std::string(1, c);
    out += '"';
  }
  return out;
}

Findings judge_domain(const DomainSeen& seen) {
  Findings out = {exists(seen)};
  if (seen.providers_own) {
    out.back().details.emplace_back("providers_own", true);
    return out;
  }
  // What is not there, or cannot be asked now, has no records either.
  if (!there(seen.exchangers) && !there(seen.addresses)) return out;
  const bool dkim_good = std::ranges::any_of(seen.keys, [](const KeyPublished& k) { return matches(k); });
  const bool spf_good = !seen.ways.empty() && std::ranges::all_of(seen.ways, &WayAdmitted::admitted);
  for (Finding& f : admitted_ways(seen, dkim_good)) out.push_back(std::move(f));
  for (const KeyPublished& key : seen.keys) out.push_back(published(seen, key));
  if (!seen.guessed) out.push_back(policy(seen, spf_good, dkim_good));
  return out;
}

}  // namespace sidegate::doctor
