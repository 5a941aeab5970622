// What may stand on the right-hand side: in /etc/aliases, an :include: file, ~/.forward and, addresses only, the
// virtual map. One syntax for all, pure. Text given holds no comment lines; "\n" in it is where a continuation line
// began.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "alias/problem.h"

namespace sidegate::alias {

enum class TargetKind : unsigned char {
  kAddress,  // user@domain, or a name without domain
  kMailbox,  // \user: this user's mailbox, nothing else is looked up
  kDomain,   // @domain: the same local part there (virtual map)
  kCommand,  // |command
  kFile,     // /path
  kDiscard,  // /dev/null
  kInclude,  // :include:/path
};

struct Target {
  TargetKind kind = TargetKind::kAddress;
  std::string text;  // the address, name, command or path alone
  unsigned line = 0;
  bool operator==(const Target&) const = default;
};
std::string text_of(const Target& target);  // as one would write it

// Where the list stands decides what may be in it.
enum class ListKind : unsigned char { kAlias, kVirtual, kInclude, kForward };

struct Targets {
  std::vector<Target> list;
  Problems problems;
};
// place: of the text's first line.
Targets parse_targets(std::string_view text, const Place& place, ListKind kind);

// Lines as these files have them: comment lines and empty ones are gone, a line that begins with white space goes on
// with the one before (joined by "\n"s, so that line numbers stay right).
struct LogicalLine {
  std::string text;
  unsigned line = 0;
  bool orphan = false;  // begins with white space, but there is nothing to go on with
};
std::vector<LogicalLine> logical_lines(std::string_view text);

// How many octets the quoted string at the start takes, quotes included; 0: it does not end.
std::size_t quoted_length(std::string_view text);

}  // namespace sidegate::alias
