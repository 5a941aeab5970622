// A configuration given as text, for tests.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/load.h"

namespace sidegate::config {

using TestEnvironment = std::vector<std::pair<std::string, std::string>>;

inline LoadRequest request_of(std::string text, TestEnvironment environment = {},
                              std::string system_name = "mail.example.org") {
  LoadRequest request;
  request.path = "f";
  request.text = std::move(text);
  request.environment = std::move(environment);
  request.system_name = std::move(system_name);
  return request;
}

inline LoadResult load_text(std::string text, TestEnvironment environment = {}) {
  return load(request_of(std::move(text), std::move(environment)));
}

}  // namespace sidegate::config
