// Whether the world takes mail from a domain by the ways it leaves: it exists, SPF admits them, our DKIM key stands in
// DNS, DMARC is content. Pure; for what fails, the record to publish.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "doctor/finding.h"
#include "spf/evaluate.h"

namespace sidegate::doctor {

using Found = Result<std::vector<std::string>>;

// A way that mail of this domain leaves by, and what the domain's SPF record says to it.
struct WayAdmitted {
  std::string way;   // "isp", "direct"
  std::string host;  // of a relay; empty: direct
  struct Tried {
    std::string address;
    spf::Evaluation evaluation;
  };
  std::vector<Tried> tried;    // by its own addresses, or ours
  std::string include;         // what a provider wants to stand in its customers' records; empty: not known
  bool include_found = false;  // the domain's record has it
  // What may stand in the place of the include: "ip4:203.0.113.0/24"; empty: it is made of more than addresses.
  std::vector<std::string> networks = {};
  bool admitted() const;
};

struct KeyPublished {
  std::string selector;
  std::string name;   // "s1._domainkey.example.org"
  std::string value;  // of the record that belongs there
  std::string key;    // p= of it
  Found found;        // TXT
};

// In what form the record that the domain needs is offered: it is evaluated before anybody is told to publish it.
enum class Remedy : std::uint8_t {
  kTerms,     // as providers want it: include:, a:
  kNetworks,  // that would ask DNS too often: ip4:, ip6:
  kNone,      // it would be broken all the same
};

struct DomainSeen {
  std::string domain;
  std::string used_by;   // where it is written: "relay isp", "local_domains"
  bool guessed = false;  // nobody wrote it down: it is this machine's name
  // A provider's own domain: its records are its own business.
  bool providers_own = false;
  Found exchangers, addresses;  // MX as "10 name"; A and AAAA
  Found spf;                    // TXT of the domain itself
  std::string alias_of;         // the domain is a CNAME, of this name
  std::vector<WayAdmitted> ways;
  Remedy remedy = Remedy::kTerms;
  std::string remedy_why;          // of kNone: what would be wrong with it
  std::vector<KeyPublished> keys;  // those that sign for it
  std::string dmarc_domain;        // where the record was found
  Found dmarc;                     // TXT of _dmarc
};

// In the customers' SPF records, by the owner of the relay's name; nullptr: not known by heart.
const char* include_of_provider(std::string_view relay_host);

// The one SPF record that says what the domain's records say and admits every way that they do not; empty: nothing
// lacks, or what lacks is not known.
std::string record_needed(const DomainSeen& seen);
// `example.org. IN TXT "..."`, with strings of at most 255 octets.
std::string txt_line(std::string_view name, std::string_view value);

Findings judge_domain(const DomainSeen& seen);

}  // namespace sidegate::doctor
