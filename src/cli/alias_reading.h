// The alias files as they are now, read by this command with its own rights: what the server would make of them.
#pragma once

#include <memory>

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

}  // namespace sidegate::cli
