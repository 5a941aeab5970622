// Alias files, virtual maps, lists and ~/.forward: any text gives entries and problems; whatever they say, resolving an
// address ends, within its bounds, and what comes out is fit for an envelope.
#include <string>
#include <string_view>

#include "alias/address.h"
#include "alias/expander.h"
#include "base/text.h"
#include "check.h"
#include "mail/mailbox.h"

using namespace sidegate;
using namespace sidegate::alias;

namespace {

// Every name that begins with "u" is a user; the text itself is every ~/.forward and every included file.
struct Machine final : Sources {
  std::string text;
  Result<std::optional<User>> find_user(const std::string& name) override {
    SIDEGATE_CHECK(!name.empty() && name.find('/') == std::string::npos && is_utf8(name));
    if (name[0] != 'u') return std::nullopt;
    return User{name, 1000, "/home/" + name};
  }
  Result<std::optional<std::string>> read_forward(const User& user, const std::string&) override {
    if (user.name.size() > 2) return std::nullopt;
    return text;
  }
  Result<std::string> read_include(const std::string& path, unsigned) override {
    SIDEGATE_CHECK(path.starts_with('/') && path.find("/../") == std::string::npos);
    return text;
  }
};

bool clean(std::string_view text) {
  for (char c : text) {
    if (is_control(c)) return false;
  }
  return true;
}

void check_recipient(const mail::Recipient& r) {
  SIDEGATE_CHECK(mail::is_mailbox(r.address, true));
  SIDEGATE_CHECK(r.return_path.empty() || mail::is_mailbox(r.return_path, true));
  SIDEGATE_CHECK(clean(r.target) && clean(r.as_user) && clean(r.orcpt) && is_ascii(r.orcpt));
  switch (r.destination) {
    case mail::Destination::kRoute:
      SIDEGATE_CHECK(r.target.empty());
      break;
    case mail::Destination::kMailbox:
      SIDEGATE_CHECK(!r.target.empty() && r.target.find('/') == std::string::npos && r.target[0] != '.');
      break;
    case mail::Destination::kFile:
      SIDEGATE_CHECK(r.target.starts_with('/') && r.target.find("/../") == std::string::npos);
      break;
    case mail::Destination::kPipe:
      SIDEGATE_CHECK(!r.target.empty());
      break;
    case mail::Destination::kDiscard:
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Settings settings;
  settings.local_domains = {"a.test"};
  settings.hostname = "a.test";
  settings.recipient_delimiter = "+-";
  Machine machine;
  machine.text = text;
  MapFile aliases = parse_aliases("a", text), virtuals = parse_virtual("v", text);
  std::size_t lines = split(text, '\n').size();
  for (const MapFile* file : {&aliases, &virtuals}) {
    for (const Problem& p : file->problems) SIDEGATE_CHECK(p.at.line <= lines && !p.what.empty() && clean(p.what));
    for (const Entry& e : file->entries) SIDEGATE_CHECK(e.at.line > 0 && e.at.line <= lines && !e.key.empty());
  }
  for (ListKind kind : {ListKind::kInclude, ListKind::kForward}) {
    for (const Problem& p : parse_list("l", text, kind).problems) SIDEGATE_CHECK(p.at.line <= lines && clean(p.what));
  }
  std::vector<std::string> addresses = {"u@a.test", "uu@a.test", "postmaster@a.test", "x+y@a.test"};
  for (std::size_t i = 0; i < aliases.entries.size() && i < 3; ++i)
    addresses.push_back(join_address(aliases.entries[i].key, "a.test"));
  for (std::size_t i = 0; i < virtuals.entries.size() && i < 3; ++i) addresses.push_back("x" + virtuals.entries[i].key);
  Tables tables = Tables::make({std::move(aliases)}, {std::move(virtuals)});
  Expander expander(settings, tables, machine);
  for (const std::string& address : addresses) {
    if (!mail::is_mailbox(address, true) || address.find('@') == std::string::npos) continue;
    mail::Recipient given;
    given.address = address;
    Expansion e = expander.expand(given);
    SIDEGATE_CHECK((e.fate == Fate::kResolved) == !e.recipients.empty());
    SIDEGATE_CHECK(e.recipients.size() <= kMostRecipients && e.steps.size() <= 4 * kMostSteps);
    for (const mail::Recipient& r : e.recipients) check_recipient(r);
    if (!concerns(settings, tables, address)) SIDEGATE_CHECK(e.fate == Fate::kNotOurs);
  }
  return 0;
}
