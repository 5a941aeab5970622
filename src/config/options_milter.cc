// The [[milter]] blocks.
#include "base/i18n.h"
#include "base/text.h"
#include "config/option_checks.h"
#include "config/options.h"

namespace sidegate::config {

Table milter_table() {
  using enum Apply;
  using enum Secrecy;
  using milter::Timeouts;
  return {
      "milter",
      true,
      N_("A filter that is asked about mail while it comes in (rspamd, opendkim, clamav-milter), over the milter "
         "protocol. Several are asked in the order of their blocks; each sees what the one before has changed."),
      {
          {"name", Place(&MilterBlock::name).checked(check_block_name), "", kAny, kLive, kOpen,
           N_("What the log and `sidegate status` call it. Empty: its address.")},
          {"address", Place(&MilterBlock::address).checked(check_milter_address), "", kAny, kLive, kOpen,
           N_("Where it listens: \"inet:127.0.0.1:11332\", \"inet:HOST:PORT\", \"unix:/run/opendkim/opendkim.sock\". "
              "What "
              "Postfix and sendmail write is understood too: \"inet:PORT@HOST\", \"local:/PATH\". The service's user "
              "needs the right to write to a Unix socket."),
           true},
          {"failure", Place(&MilterBlock::failure), "tempfail", kAny, kLive, kOpen,
           N_("What becomes of mail while it is down, too slow, or does not make sense. tempfail: the client is "
              "answered "
              "451 and comes again. accept: it passes unseen by this filter. quarantine: it is taken and held, until "
              "`sidegate queue release`.")},
          {"listeners", Place(&MilterBlock::listeners), "", kAny, kLive, kOpen,
           N_("Whose mail it sees: names of listeners or their profiles ([\"smtp\", \"submission\"]), and \"submit\" "
              "for "
              "what programs of this machine send with sendmail. Empty: every [[listener]], but not \"submit\".")},
          {"connect_timeout",
           Place(&MilterBlock::timeouts, &Timeouts::connect),
           "30s",
           {"100ms", "10min"},
           kLive,
           kOpen,
           N_("For the connection, and for its first answer.")},
          {"command_timeout",
           Place(&MilterBlock::timeouts, &Timeouts::command),
           "30s",
           {"100ms", "10min"},
           kLive,
           kOpen,
           N_("For an answer before the content: connection, HELO, MAIL, RCPT, DATA.")},
          {"content_timeout",
           Place(&MilterBlock::timeouts, &Timeouts::content),
           "5min",
           {"100ms", "9min"},
           kLive,
           kOpen,
           N_("For an answer to a part of the content and for the verdict; a filter that says it is still at work gets "
              "it anew, up to 9min in all, since clients wait 10 (RFC 5321 section 4.5.3.2.6).")},
          {"protocol",
           Place(&MilterBlock::protocol),
           "6",
           {"2", "6"},
           kLive,
           kOpen,
           N_("The newest version of the protocol to offer it; it may choose an older one.")},
          {"macros", Place(&MilterBlock::macros).checked(check_milter_macro), "", kAny, kLive, kOpen,
           N_("What it is told beside the usual values: [\"name=value\"]. Where we know a value of that name, ours "
              "counts.")},
      }};
}

Status check_milter_address(std::string& text) {
  auto address = milter::parse_address(text);
  if (!address) return std::unexpected(address.error());
  return {};
}

Status check_milter_macro(std::string& text) {
  const std::size_t equals = text.find('=');
  std::string name = text.substr(0, equals);
  if (name.starts_with('{') && name.ends_with('}')) name = name.substr(1, name.size() - 2);
  const bool good = equals != std::string::npos && !name.empty() &&
                    std::ranges::all_of(name, [](char c) { return is_alpha(c) || is_digit(c) || c == '_'; });
  if (!good) return fail(ErrorKind::kBadInput, tr("{} is not \"name=value\"", quoted(text)));
  text = name + text.substr(equals);
  return {};
}

}  // namespace sidegate::config
