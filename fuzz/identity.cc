// A header rewritten for an account: one From, which is the account's; done twice is done once; every other field keeps
// its octets. The address lists in it, and return addresses of forwarded mail, are read on the way.
#include <string>
#include <string_view>

#include "base/text.h"
#include "check.h"
#include "mail/header.h"
#include "mail/mailbox.h"
#include "rewrite/address_fields.h"
#include "rewrite/address_list.h"
#include "rewrite/identity.h"
#include "rewrite/rules.h"
#include "rewrite/srs.h"

using namespace sidegate;

namespace {

bool is_ours(std::string_view name) {
  if (istarts_with(name, "X-Original-")) name.remove_prefix(11);
  if (istarts_with(name, "Resent-")) name.remove_prefix(7);
  return iequals(name, "From") || iequals(name, "Sender") || iequals(name, "Reply-To");
}

std::string others(std::string_view header) {
  std::string out;
  mail::for_each_field(header, [&](const mail::Field& field) {
    if (is_ours(field.name)) return true;
    out.append(field.name).append(":").append(field.value).append("\n");
    return true;
  });
  return out;
}

void check_srs(std::string_view address) {
  const WallTime now{std::chrono::seconds(1'763'770'000)};
  const rewrite::SrsKeys keys{"gate.example", {"secret"}, {}};
  (void)rewrite::srs_reverse(keys, address, now);
  std::string made = rewrite::srs_forward(keys, address, now);
  // What comes into an envelope, and does not pose as an address of ours already.
  if (made == address || rewrite::is_srs(address) || !mail::is_mailbox(address, true)) return;
  auto back = rewrite::srs_reverse(keys, made, now);
  SIDEGATE_CHECK(back.has_value() && rewrite::same_address(*back, address));
}

// Other fields keep their octets, addresses become what was meant, twice is once; whatever a map file says.
void check_rules(std::string_view header, std::string_view text) {
  auto home = [](std::string_view address, rewrite::FieldClass) -> std::optional<std::string> {
    if (iequals(rewrite::domain_part(address), "home.example")) return std::nullopt;
    return std::string(rewrite::local_part(address)) + "@home.example";
  };
  auto once = rewrite::replace_addresses(header, home);
  if (once) {
    std::string before, after;
    auto untouched = [](std::string& into) {
      return [&into](const mail::Field& field) {
        into.append(field.name);
        if (rewrite::class_of_field(field.name) == rewrite::FieldClass::kNone) into.append(field.value);
        return true;
      };
    };
    mail::for_each_field(header, untouched(before));
    mail::for_each_field(*once, untouched(after));
    SIDEGATE_CHECK(before == after);
    SIDEGATE_CHECK(!rewrite::breaks_signature(header, header));
  }
  std::vector<std::string> problems;
  rewrite::Outgoing rules;
  rules.own = {"nas.home", {}, "+"};
  rules.generic = rewrite::AddressMap(rewrite::parse_map_file("f", text, problems));
  rules.canonical.all = rules.generic;
  rules.masquerade.domains = {"home"};
  (void)rules.header(header);
  (void)rules.apply(text.substr(0, 300), rewrite::kEnvelopeSender);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string header;
  mail::for_each_field(text, [&](const mail::Field& field) {
    header.append(field.name).append(":").append(field.value).append("\r\n");
    return true;
  });
  const rewrite::Account account{"me@isp.example", "nas.home"};
  rewrite::RewrittenHeader once = rewrite::as_account(header, "root@nas.home", account);
  const std::string& out = once.changed ? once.header : header;
  SIDEGATE_CHECK(!rewrite::as_account(out, "root@nas.home", account).changed);
  SIDEGATE_CHECK(mail::count_field(out, "From") == 1);
  auto from = rewrite::parse_address_list(mail::field_value(out, "From"));
  SIDEGATE_CHECK(from && from->addresses.size() == 1);
  SIDEGATE_CHECK(rewrite::same_address(from->addresses[0].address, account.address));
  SIDEGATE_CHECK(others(out) == others(header));
  SIDEGATE_CHECK(rewrite::is_wrapped_report(rewrite::as_wrapped_report(header, account).header, "", account));
  check_rules(header, text);
  if (auto list = rewrite::parse_address_list(text)) {
    for (const auto& a : list->addresses) {
      SIDEGATE_CHECK(a.mailbox <= a.begin && a.begin < a.end && a.end <= a.mailbox_end && a.mailbox_end <= text.size());
      check_srs(a.address);
    }
  }
  (void)rewrite::srs_reverse({"gate.example", {"secret"}, {}}, text, WallTime());
  return 0;
}
