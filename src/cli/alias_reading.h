// The alias files as they are now, read by this command with its own rights: what the server would make of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "alias/expander.h"
#include "config/settings.h"
#include "intake/alias_files.h"
#include "intake/system_sources.h"

namespace sidegate::cli {

class AliasReading {
 public:
  explicit AliasReading(const config::Settings& settings);
  const alias::Tables& tables() const { return now_->tables; }
  alias::Sources& sources() { return sources_; }

 private:
  static unsigned service_user(const config::Settings& settings);
  intake::AliasFiles files_;
  intake::SystemSources sources_;
  std::shared_ptr<const intake::AliasSnapshot> now_;
};

// What RCPT makes of an address, and where its mail ends: also where it stands as it was given.
struct Resolution {
  alias::Expansion expansion;
  std::vector<mail::Recipient> ends;
};
Resolution resolve_address(const config::Settings& settings, AliasReading& reading, const std::string& address);
// For people: "mailbox", "command", "relay".
const char* destination_name(mail::Destination destination);

}  // namespace sidegate::cli
