// Where the listeners of a configuration can be met from this machine, and what is to be tried there.
#pragma once

#include <string>
#include <vector>

#include "config/settings.h"
#include "doctor/look.h"
#include "doctor/vantage.h"

namespace sidegate::cli {

std::vector<doctor::Place> own_places(const config::Settings& settings, const std::vector<doctor::Interface>& own);
std::string own_domain(const config::Settings& settings);  // whose mail is taken
std::vector<std::string> own_domains(const config::Settings& settings);
// Addresses elsewhere, for the trials: of reserved names (RFC 2606) that are not ours by chance.
void choose_strangers(const std::vector<std::string>& ours, doctor::LookOptions& options);

}  // namespace sidegate::cli
