#include "submit/header_fields.h"

#include <algorithm>
#include <span>

#include "base/text.h"
#include "mail/address_list.h"
#include "mail/header.h"

namespace sidegate::submit {
namespace {

constexpr std::string_view kRecipients[] = {"To", "Cc", "Bcc"};
constexpr std::string_view kDropped[] = {"Bcc", "Resent-Bcc", "Return-Path", "Content-Length"};

bool one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::any_of(names, [&](std::string_view one) { return iequals(one, name); });
}

// "From" with its value, folded where the line would be long.
std::string author_field(std::string_view name, const Author& author) {
  if (author.address.empty()) return std::string(name) + ": Mail Delivery System <MAILER-DAEMON>\r\n";
  const std::string words = mail::display_name(author.full_name);
  if (words.empty()) return std::string(name) + ": " + author.address + "\r\n";
  return std::string(name) + ": " + words + (words.size() > 60 ? "\r\n <" : " <") + author.address + ">\r\n";
}

}  // namespace

std::vector<std::string> header_recipients(std::string_view block) {
  std::vector<std::string> usual, resent;
  bool any_resent = false;
  mail::for_each_field(block, [&](const mail::Field& field) {
    std::string_view name = field.name;
    const bool again = istarts_with(name, "resent-");
    if (again) name.remove_prefix(7);
    if (!one_of(name, kRecipients)) return true;
    any_resent |= again;
    for (mail::ListedAddress& one : mail::parse_address_list(field.value))
      (again ? resent : usual).push_back(std::move(one.address));
    return true;
  });
  return any_resent ? resent : usual;
}

bool is_resent(std::string_view block) {
  bool found = false;
  mail::for_each_field(block, [&](const mail::Field& field) {
    found = istarts_with(field.name, "resent-") && !iequals(field.name, "resent-bcc");
    return !found;
  });
  return found;
}

bool needs_author(std::string_view block) {
  return !mail::has_field(block, "From") || (is_resent(block) && !mail::has_field(block, "Resent-From"));
}

std::string edited_header(std::string_view block, const Author& author, const Resent& resent) {
  std::string out;
  if (is_resent(block)) {
    if (!mail::has_field(block, "Resent-From")) out += author_field("Resent-From", author);
    if (!mail::has_field(block, "Resent-Date")) out += "Resent-Date: " + resent.date + "\r\n";
    if (!mail::has_field(block, "Resent-Message-ID")) out += "Resent-Message-ID: " + resent.message_id + "\r\n";
  }
  std::size_t copied = 0;
  std::size_t end = 0;
  mail::Field field;
  for (std::size_t at = 0; mail::detail::next_field(block, at, field);) {
    const std::size_t start = end;
    end = at;
    if (!one_of(field.name, kDropped)) continue;
    out += block.substr(copied, start - copied);
    copied = end;
  }
  out += block.substr(copied);
  if (!mail::has_field(block, "From")) out += author_field("From", author);
  return out;
}

}  // namespace sidegate::submit
