// The [doctor] block: whom `sidegate doctor` connects to, to see which ports this network lets out.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/clock.h"

namespace sidegate::doctor {

struct Settings {
  std::vector<std::string> targets;     // "mx.example.org:25", "smtp.example.org:465,587"; empty: default_targets()
  Duration patience = Duration(4'000);  // for one connection and its greeting
  bool operator==(const Settings&) const = default;
};

}  // namespace sidegate::doctor
