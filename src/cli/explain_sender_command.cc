// `sidegate explain sender`: as whom mail from an address leaves, way by way, with the rule behind each step; the
// server's own code, with nothing sent.
#include <algorithm>
#include <boost/json.hpp>

#include "base/i18n.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/rewrite_words.h"
#include "deliver/sender_story.h"
#include "deliver/way.h"
#include "mail/mailbox.h"
#include "rewrite/address_list.h"
#include "route/ways.h"

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

// The ways out that the table could take for this sender, whoever the recipient is: what its rules ask of the rest is
// not known.
std::vector<deliver::RelaySettings> ways_for(const deliver::Ways& ways, const std::string& sender) {
  mail::Envelope envelope;
  envelope.reverse_path = sender;
  mail::Recipient somebody;
  somebody.address = "somebody@elsewhere.invalid";
  const queue::ClassKey key = route::class_key(envelope, {}, somebody);
  std::vector<deliver::RelaySettings> found;
  for (const route::Rule& rule : ways.table.rules()) {
    using For = route::Rule::For;
    const bool of_route = rule.whom == For::kRoute;
    if ((!of_route && rule.whom != For::kLeaves && rule.whom != For::kAll) || rule.holds) continue;
    if (of_route && rule.conditions.misfit(key) == route::Misfit::kSender) continue;
    for (queue::WayId id : rule.ways) {
      const deliver::RelaySettings& way = ways.list.at(id)->settings;
      const bool known = std::ranges::find(found, way.name, &deliver::RelaySettings::name) != found.end();
      if (deliver::leads_out(way.protocol) && !known) found.push_back(way);
    }
    const route::RouteConditions& asked = rule.conditions.written();
    if (asked.recipients.empty() && asked.users.empty() && asked.listeners.empty()) break;  // it takes all of his
  }
  return found;
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
  if (asked.way.empty()) {
    auto ways = deliver::Ways::make(settings.deliver);
    for (const deliver::RelaySettings& way : ways_for(*ways, envelope))
      all.push_back(tell(way, settings, envelope, from));
  }
  for (const deliver::RelaySettings& relay : settings.deliver.relays) {
    if (iequals(asked.way, relay.name)) all.push_back(tell(relay, settings, envelope, from));
  }
  if (iequals(asked.way, deliver::kDirectWay)) {
    deliver::RelaySettings direct;
    direct.name = deliver::kDirectWay;
    all.push_back(tell(direct, settings, envelope, from));
  }
  const Terminal& t = context.terminal;
  if (all.empty() && asked.way.empty()) {
    t.error(tr("no way out takes mail from {}", envelope.empty() ? "<>" : printable(envelope, 300)),
            _("`sidegate explain route --from A --to B` says which rule decides"));
    return EX_NOINPUT;
  }
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
