#include "deliver/candidates.h"

namespace sidegate::deliver {

std::vector<Candidate> candidates_of(const RelaySettings& settings) {
  return {{settings.host, settings.port, settings.tls, settings.tls_name.empty() ? settings.host : settings.tls_name}};
}

}  // namespace sidegate::deliver
