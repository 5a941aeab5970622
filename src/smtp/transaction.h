// One mail transaction as the session keeps it (RFC 5321 section 3.3); RSET, EHLO and the end of the message replace
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "smtp/bdat_reader.h"
#include "smtp/content_pace.h"
#include "smtp/settings.h"

namespace sidegate::smtp {

struct Transaction {
  std::string reverse_path;  // for the log
  bool smtputf8 = false;
  std::uint32_t accepted = 0;  // recipients
  std::uint32_t refused = 0;
  std::uint64_t octets = 0;  // of content, dots removed (RFC 1870 section 3)
  bool spoiled = false;      // a fault, or too large: what follows is read and thrown away
  bool too_large = false;
  std::optional<BdatReader> chunks;  // BDAT is under way
  std::optional<ContentPace> pace;   // of the content, from its first command on
};

}  // namespace sidegate::smtp
