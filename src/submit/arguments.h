// The command line of sendmail(1), as Postfix understands it (doc/man/sendmail.1). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mail/envelope.h"

namespace sidegate::submit {

enum class Mode : std::uint8_t {
  kDeliver,     // -bm, the default: a message on standard input
  kDialogue,    // -bs: SMTP on standard input and output
  kVerify,      // -bv: a report instead of a message
  kMailq,       // -bp, `mailq`
  kNewaliases,  // -bi, -I, `newaliases`
  kFlush,       // -q, -qR, -qI
  kDaemon,      // -bd, -bl, -q30m: the server is started otherwise
  kNothing,     // -bh, -bH: nothing to do
};

// What becomes of what the server refuses for good (-oe, -e): m and w mail it back, p only says so, q only sets the
// exit code, e mails it back and ends with 0.
enum class Errors : std::uint8_t { kMail, kPrint, kQuiet, kMailAndSucceed };

struct Arguments {
  Mode mode = Mode::kDeliver;
  Errors errors = Errors::kMail;
  bool from_header = false;             // -t
  bool dot_ends = true;                 // without -i
  bool sender_given = false;            // -f, -r
  std::string sender;                   // of the last one; empty: the null sender
  std::string full_name;                // -F
  std::vector<std::string> recipients;  // as parsed from the line
  mail::BodyType body = mail::BodyType::kUnspecified;
  mail::Notify notify;
  mail::Ret ret = mail::Ret::kUnspecified;
  std::string envid;  // xtext
  unsigned verbose = 0;
  std::string config;  // -C
  std::string flush_site, flush_id;
  std::vector<std::string> warnings;
};

struct Parsed {
  Arguments arguments;
  std::string error;  // empty: none; the exit code is EX_USAGE otherwise
};

// name: what the program was called ("sendmail", "mailq", "newaliases", with or without a path); arguments without it.
Parsed parse_arguments(std::string_view name, const std::vector<std::string>& arguments);

// "mailq" of "/usr/bin/mailq"; empty when it is none of the three names.
std::string_view program_of(std::string_view name);

}  // namespace sidegate::submit
