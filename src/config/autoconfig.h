// What mail clients look for to set themselves up: DNS records (RFC 6186, RFC 8314 section 5.1) and the XML file that
// Thunderbird and others fetch. Pure.
#pragma once

#include <string>

#include "config/settings.h"

namespace sidegate::config {

struct Autoconfig {
  std::string domain;     // of the users' addresses
  std::string imap_host;  // where their mail is read, by IMAP with TLS; empty: not told
};

// Lines of a zone file, the preferred port first; empty where no listener is for users.
std::string autoconfig_records(const Settings& settings, const Autoconfig& wanted);
// For https://autoconfig.DOMAIN/mail/config-v1.1.xml; empty where no listener is for users.
std::string autoconfig_xml(const Settings& settings, const Autoconfig& wanted);

}  // namespace sidegate::config
