// The rules that make addresses others: maps from the configuration and from files, and what a relay has of its own.
#include "base/i18n.h"
#include "base/text.h"
#include "config/resolve.h"
#include "rewrite/rules.h"

namespace sidegate::config {
namespace {

using rewrite::AddressMap;
using rewrite::Outgoing;
using rewrite::RulesText;

constexpr std::size_t kMostFile = 64 << 20;

rewrite::OwnNames own_names(const Settings& s) {
  return {s.hostname, s.alias.local_domains, s.alias.recipient_delimiter};
}

unsigned classes_of(const std::vector<std::string>& words) {
  unsigned classes = 0;
  for (const std::string& word : words) classes |= rewrite::class_of_word(word).value_or(rewrite::AddressClass{});
  return classes;
}

// Where a map stands: "rewrite" or the relay of that number.
struct MapPlace {
  Draft& draft;
  std::string_view list;
  std::size_t index = 0;

  // Wrong lines are told of and passed over: one typing error must not stop all mail.
  AddressMap map(std::string_view key, const rewrite::MapText& text, const std::string& path) const {
    rewrite::MapText entries = text;
    if (!path.empty() && (draft.request.open_files || draft.request.open_maps)) {
      const Where where = draft.where(list, index, std::string(key) + "_file");
      auto content = draft.request.files->text(path, kMostFile);
      if (!content) {
        draft.error(where, fmt::format("{}_file: {}", key, content.error().what), content.error().next);
        return {};
      }
      std::vector<std::string> problems;
      for (rewrite::MapEntry& entry : rewrite::parse_map_file(path, *content, problems))
        entries.push_back(std::move(entry));
      for (const std::string& problem : problems)
        draft.warn(where, problem, _("the line is passed over; write: ADDRESS ADDRESS, a line each"));
    }
    return AddressMap(std::move(entries));
  }
};

// Given, even if empty: then nothing of it is to be done here.
bool says(const MapPlace& block, std::string_view key) {
  return block.draft.given(block.list, block.index, key);
}
bool says_map(const MapPlace& block, std::string_view key) {
  return says(block, key) || says(block, std::string(key) + "_file");
}
bool says_any(const MapPlace& block) {
  for (std::string_view key : {"generic", "canonical_out", "sender_canonical_out", "recipient_canonical_out"}) {
    if (says_map(block, key)) return true;
  }
  return says(block, "masquerade_domains") || says(block, "masquerade_exceptions") || says(block, "masquerade_classes");
}

// base: what holds where the block says nothing.
Outgoing outgoing(const MapPlace& block, const RulesText& text, Outgoing rules) {
  auto map = [&](AddressMap& into, std::string_view key, const rewrite::MapText& here, const std::string& path) {
    if (says_map(block, key)) into = block.map(key, here, path);
  };
  map(rules.generic, "generic", text.generic, text.generic_file);
  map(rules.canonical.all, "canonical_out", text.canonical_out, text.canonical_out_file);
  map(rules.canonical.sender, "sender_canonical_out", text.sender_canonical_out, text.sender_canonical_out_file);
  map(rules.canonical.recipient, "recipient_canonical_out", text.recipient_canonical_out,
      text.recipient_canonical_out_file);
  rewrite::Masquerade& masquerade = rules.masquerade;
  if (says(block, "masquerade_domains")) masquerade.domains = text.masquerade_domains;
  if (says(block, "masquerade_exceptions")) masquerade.exceptions = text.masquerade_exceptions;
  if (says(block, "masquerade_classes")) {
    const auto& words = text.masquerade_classes;
    masquerade.classes = words.empty() ? rewrite::Masquerade().classes : classes_of(words);
  }
  return rules;
}

void check_masquerade(const MapPlace& block, const Outgoing& rules) {
  if (rules.masquerade.domains.empty() && says(block, "masquerade_exceptions") && !rules.masquerade.exceptions.empty())
    block.draft.warn(block.draft.where(block.list, block.index, "masquerade_exceptions"),
                     _("masquerade_exceptions without masquerade_domains say nothing"),
                     _("add masquerade_domains = [\"example.org\"]"));
}

}  // namespace

void resolve_rewrite(Draft& draft) {
  Settings& s = draft.loaded.settings;
  const MapPlace block{draft, "rewrite"};
  Outgoing base;
  base.own = own_names(s);
  base = outgoing(block, s.rewrite_out, std::move(base));
  check_masquerade(block, base);
  rewrite::Incoming incoming;
  incoming.own = base.own;
  const RewriteSettings& in = s.rewrite;
  incoming.canonical.all = block.map("canonical", in.canonical, in.canonical_file);
  incoming.canonical.sender = block.map("sender_canonical", in.sender_canonical, in.sender_canonical_file);
  incoming.canonical.recipient = block.map("recipient_canonical", in.recipient_canonical, in.recipient_canonical_file);
  if (!in.canonical_classes.empty()) incoming.canonical.classes = classes_of(in.canonical_classes);
  if (!incoming.empty()) s.incoming = std::make_shared<const rewrite::Incoming>(std::move(incoming));
  for (std::size_t i = 0; i < s.deliver.relays.size(); ++i) {
    const MapPlace own{draft, "relay", i};
    deliver::RelaySettings& relay = s.deliver.relays[i];
    if (relay.rewrites && !says_any(own)) continue;
    Outgoing none;
    none.own = base.own;
    Outgoing rules = outgoing(own, relay.rewrite_text, relay.rewrites ? base : std::move(none));
    check_masquerade(own, rules);
    relay.rewrite = std::make_shared<const Outgoing>(std::move(rules));
  }
  // Servers behind this one get addresses as they are known in here.
  for (deliver::NextHop& hop : s.deliver.next_hops) {
    hop.relay.rewrite = std::make_shared<const Outgoing>();
    hop.relay.sign = false;
  }
  if (!base.empty()) s.deliver.rewrite = std::make_shared<const Outgoing>(std::move(base));
}

}  // namespace sidegate::config
