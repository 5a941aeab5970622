// `sidegate explain sender`: as whom mail from an address leaves, way by way, with the rule behind each step; the
// server's own code, with nothing sent.
#include <boost/json.hpp>

#include "base/i18n.h"
#include "base/text.h"
#include "cli/commands.h"
#include "deliver/sender_story.h"
#include "mail/mailbox.h"
#include "rewrite/address_list.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;

struct Told {
  std::string way;
  deliver::SenderStory story;
  std::vector<std::string> signers;  // "example.org, selector s1"
};

// As dkim::Signers finds them; the keys themselves are not for everybody to read.
std::vector<std::string> signers_of(const config::Settings& settings, std::string_view domain) {
  std::vector<std::string> found;
  for (std::string_view at = domain; found.empty() && !at.empty();) {
    for (const config::DkimBlock& block : settings.dkim) {
      if (iequals(block.domain, at) && (block.subdomains || at.size() == domain.size()))
        found.push_back(fmt::format("{}, selector {}", block.domain, block.selector));
    }
    const std::size_t dot = at.find('.');
    at = dot == std::string_view::npos ? std::string_view() : at.substr(dot + 1);
  }
  return found;
}

Told tell(const deliver::RelaySettings& way, const config::Settings& settings, const std::string& envelope,
          const std::string& from) {
  Told told{way.name, deliver::tell_sender(way, settings.deliver, envelope, from), {}};
  if (way.sign) told.signers = signers_of(settings, rewrite::domain_part(told.story.from));
  return told;
}

std::string in_words(const rewrite::Step& step) {
  const std::string before = printable(step.before, 300), after = printable(step.after, 300);
  std::string why = step.rule == "identity" ? fmt::format("identity = \"{}\"", step.because)
                                            : fmt::format("{}: {}", step.rule, printable(step.because, 300));
  if (step.rule == "identity" && step.because == "allowed")
    why = tr("identity = \"allowed\", and {} is not in allowed", before);
  std::string line = tr("{} becomes {}", before, after) + "  (" + why + ")";
  if (!step.at.empty()) line += "  [" + step.at + "]";
  return line;
}

void print_steps(const Terminal& t, const char* subject, const rewrite::Steps& steps) {
  for (const rewrite::Step& step : steps) t.out << "  " << subject << ": " << in_words(step) << "\n";
}

json::array as_json(const rewrite::Steps& steps) {
  json::array out;
  for (const rewrite::Step& step : steps) {
    const std::size_t colon = step.at.rfind(':');
    const bool placed = colon != std::string::npos;
    out.push_back(json::object{
        {"rule", step.rule},
        {"before", step.before},
        {"after", step.after},
        {"because", step.because},
        {"file", placed ? step.at.substr(0, colon) : std::string()},
        {"line", placed ? parse_number(std::string_view(step.at).substr(colon + 1)).value_or(0) : std::uint64_t{0}}});
  }
  return out;
}

std::string path_text(const std::string& address) {
  return "<" + address + ">";
}

void print(const Terminal& t, const Told& told) {
  t.out << t.in(Colour::kBold, tr("by {}", told.way)) << "\n";
  print_steps(t, _("envelope"), told.story.of_envelope);
  print_steps(t, "From", told.story.of_from);
  if (told.story.of_envelope.empty() && told.story.of_from.empty()) t.out << "  " << _("stays as it is") << "\n";
  for (const std::string& signer : told.signers) t.out << "  " << tr("signed: {}", signer) << "\n";
  t.out << t.in(Colour::kGreen, "-> ") << "MAIL FROM:" << path_text(told.story.envelope)
        << ", From: " << told.story.from << "\n";
}

bool readable(const Context& context, const std::string& address) {
  if (mail::is_mailbox(address, true)) return true;
  context.terminal.error(tr("{} is no mail address", printable(address, 300)));
  return false;
}

}  // namespace

int explain_sender_command(const Context& context, const SenderQuestion& asked) {
  config::LoadRequest request = context.request();
  request.open_files = false;
  request.open_maps = true;
  auto loaded = config::load(request);
  if (!loaded) {
    for (const config::Problem& problem : loaded.error()) context.terminal.error(problem.text());
    return EX_CONFIG;
  }
  const config::Settings& settings = loaded->settings;
  const rewrite::OwnNames own{settings.hostname, {}, {}};
  const bool null = asked.from.empty() || asked.from == "<>";
  std::string envelope = null ? std::string() : own.qualified(asked.from);
  std::string from = !asked.header_from.empty() ? own.qualified(asked.header_from)
                     : null                     ? "MAILER-DAEMON@" + settings.hostname
                                                : envelope;
  if ((!null && !readable(context, envelope)) || !readable(context, from)) return EX_DATAERR;
  rewrite::Steps in_envelope, in_from;
  if (settings.incoming) {
    envelope = settings.incoming->apply(envelope, rewrite::kEnvelopeSender, &in_envelope);
    from = settings.incoming->apply(from, rewrite::kHeaderSender, &in_from);
  }
  std::vector<Told> all;
  for (const deliver::RelaySettings& relay : settings.deliver.relays) {
    if (asked.way.empty() || iequals(asked.way, relay.name)) all.push_back(tell(relay, settings, envelope, from));
  }
  if (iequals(asked.way, "direct") || (asked.way.empty() && all.empty())) {
    deliver::RelaySettings direct;
    direct.name = "direct";
    all.push_back(tell(direct, settings, envelope, from));
  }
  const Terminal& t = context.terminal;
  if (all.empty()) {
    std::string names;
    for (const auto& relay : settings.deliver.relays) names += (names.empty() ? "" : ", ") + relay.name;
    t.error(tr("there is no way {}", printable(asked.way, 100)), tr("there are {}", names + ", direct"));
    return EX_NOINPUT;
  }
  if (context.common.json) {
    for (const Told& told : all) {
      json::object out{{"way", told.way},
                       {"sender", told.story.envelope},
                       {"from", told.story.from},
                       {"coming_in", json::object{{"envelope", as_json(in_envelope)}, {"from", as_json(in_from)}}},
                       {"signed_by", json::value_from(told.signers)},
                       {"envelope_steps", as_json(told.story.of_envelope)},
                       {"from_steps", as_json(told.story.of_from)}};
      t.out << json::serialize(out) << "\n";
    }
    return EX_OK;
  }
  if (!in_envelope.empty() || !in_from.empty()) {
    t.out << t.in(Colour::kBold, _("as it comes in")) << "\n";
    print_steps(t, _("envelope"), in_envelope);
    print_steps(t, "From", in_from);
  }
  for (const Told& told : all) print(t, told);
  return EX_OK;
}

}  // namespace sidegate::cli
