// All settings of one configuration: a snapshot, immutable once loaded. Rooms declare the structs; this room fills
// them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "alias/settings.h"
#include "deliver/settings.h"
#include "dns/settings.h"
#include "doctor/settings.h"
#include "intake/admission.h"
#include "intake/client_rates.h"
#include "intake/settings.h"
#include "intake/user_rules.h"
#include "login/settings.h"
#include "milter/settings.h"
#include "queue/settings.h"
#include "rewrite/rules.h"
#include "screen/settings.h"
#include "tls/context.h"

namespace sidegate::config {

enum class LogStyleName : std::uint8_t { kJson, kPlain, kPostfix };
using deliver::LogTls;

struct LogSettings {
  LogStyleName style = LogStyleName::kJson;
  std::string level = "info";
  LogTls tls = LogTls::kSummary;
  intake::LogConnections connections = intake::LogConnections::kAll;
};

// A [[relay_domain]] block as written.
struct RelayDomainBlock {
  std::string domain;
  std::string next_hop;
  std::string recipients = "any";
  deliver::TlsMode tls = deliver::TlsMode::kOpportunistic;
  std::uint32_t connections = 10;
};

// A [[milter]] block as written.
struct MilterBlock {
  std::string name;     // default: the address
  std::string address;  // milter::parse_address()
  milter::OnFailure failure = milter::OnFailure::kTempfail;
  std::vector<std::string> listeners;  // names or profiles, "submit"; empty: every [[listener]]
  milter::Timeouts timeouts;
  std::uint32_t protocol = milter::kNewestVersion;
  std::vector<std::string> macros;  // "name=value"
};

// A [[dkim]] block as written.
struct DkimBlock {
  std::string domain, selector, key_file;
  std::vector<std::string> headers;
  std::string canonicalization = "relaxed/relaxed";
  bool subdomains = true;
};

// [rewrite], as mail comes in.
struct RewriteSettings {
  rewrite::MapText canonical, sender_canonical, recipient_canonical;
  std::string canonical_file, sender_canonical_file, recipient_canonical_file;
  std::vector<std::string> canonical_classes;
};

struct Settings {
  std::string hostname;           // default: the system's name, fully qualified where that is known
  std::string user = "sidegate";  // whom to become after the ports are bound, when started as root
  bool sandbox = true;            // Landlock and seccomp for the server process
  std::uint32_t threads = 0;      // I/O threads; 0: one per core
  std::string control_socket = "/run/sidegate/control";
  std::string srs_domain;  // resolved into deliver.srs, as the two below
  std::string srs_secret;  // words: the first one signs
  std::string srs_secret_file;
  std::string dead_letter = "";  // reserved name of the dead-letter store; empty: inside the queue
  tls::ServerSettings tls;       // of the listeners, unless theirs differ
  intake::AdmissionLimits admission;
  intake::ClientRateSettings client_rates;
  std::vector<screen::BlockListSettings> blocklists;
  intake::SubmitSettings submit;
  login::Settings auth;
  intake::UserSettings users;                                     // what they may do
  std::string ldap_bind_password_file, oauth_client_secret_file;  // resolved into auth
  RewriteSettings rewrite;
  std::vector<DkimBlock> dkim;                        // resolved into deliver.dkim
  rewrite::RulesText rewrite_out;                     // resolved into deliver.rewrite
  std::shared_ptr<const rewrite::Incoming> incoming;  // resolved from rewrite; null: nothing
  LogSettings log;
  queue::StoreSettings store;
  queue::ScheduleSettings schedule;
  dns::ResolverSettings dns;
  doctor::Settings doctor;
  deliver::LocalSettings local;                     // mail that ends on this machine
  deliver::DirectSettings direct;                   // straight to MX hosts
  std::vector<intake::ListenerSettings> listeners;  // default 127.0.0.1:25 and [::1]:25
  std::vector<RelayDomainBlock> relay_domains;
  std::vector<MilterBlock> milters;
  std::vector<milter::Settings> submit_milters;               // resolved from them, as those of the listeners are
  std::vector<intake::RelayDomainSettings> relay_recipients;  // resolved from them, as deliver.next_hops is
  deliver::DeliverSettings deliver;
  alias::Settings alias;

  // The [[listener]] blocks, and the submit socket behind them.
  std::vector<intake::ListenerSettings> all_listeners() const;
};

}  // namespace sidegate::config
