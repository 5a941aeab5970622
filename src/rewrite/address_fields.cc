#include "rewrite/address_fields.h"

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "mail/header.h"
#include "rewrite/address_list.h"

namespace sidegate::rewrite {
namespace {

// The comments within what is replaced: "ann(at home)@nas" -> " (at home)".
std::string comments_in(std::string_view text) {
  std::string out;
  unsigned depth = 0;
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    char c = text[at];
    if (depth == 0 && c == '"') quoted = !quoted;
    if (!quoted && c == '(' && depth++ == 0) out += ' ';
    if (depth > 0 || (quoted && c == '\\')) {
      if (depth > 0) out += c;
      if (c == '\\' && at + 1 < text.size()) {
        ++at;
        if (depth > 0) out += text[at];
      }
    }
    if (!quoted && c == ')' && depth > 0) --depth;
  }
  return depth == 0 ? out : std::string();
}

struct Replacement {
  const ListedAddress* old;
  std::string address;
};

// The length of the line in which `at` stands, up to there.
std::size_t column(std::string_view text, std::size_t name_size) {
  auto line = text.rfind('\n');
  return line == std::string_view::npos ? text.size() + name_size + 1 : text.size() - line - 1;
}

std::string with(std::string_view value, const std::vector<Replacement>& all, std::size_t name_size, bool comments) {
  std::string out;
  std::size_t at = 0;
  for (const Replacement& one : all) {
    const ListedAddress& old = *one.old;
    std::string_view gone = value.substr(old.begin, old.end - old.begin);
    std::string put = one.address;
    if (comments && gone.contains('(')) put += comments_in(gone);
    out += value.substr(at, old.begin - at);
    // A line that grows too long is folded before the bracket.
    std::string_view rest = value.substr(old.end);
    std::size_t before = column(out, name_size), then = put.size() + rest.substr(0, rest.find('\r')).size();
    bool was_long = before + gone.size() + rest.substr(0, rest.find('\r')).size() > kLineLimit;
    if (before + then > kLineLimit && !was_long && old.angle && out.ends_with('<') && before > name_size + 3)
      out.insert(out.size() - 1, "\r\n ");
    out += put;
    if (old.open) out += '>';
    at = old.end;
  }
  out += value.substr(at);
  return out;
}

bool reads_as(std::string_view value, const AddressList& list, const std::vector<Replacement>& all) {
  auto made = parse_address_list(value);
  if (!made || made->addresses.size() != list.addresses.size()) return false;
  for (std::size_t i = 0; i < list.addresses.size(); ++i) {
    auto at = std::ranges::find(all, &list.addresses[i], &Replacement::old);
    const std::string& expected = at == all.end() ? list.addresses[i].address : at->address;
    if (made->addresses[i].address != expected) return false;
  }
  return true;
}

std::optional<std::string> replaced(const mail::Field& field, FieldClass cls, const Replace& replace) {
  auto list = parse_address_list(field.value);
  if (!list) return std::nullopt;
  std::vector<Replacement> all;
  for (const ListedAddress& one : list->addresses) {
    auto other = replace(one.address, cls);
    if (other && *other != one.address) all.push_back({&one, std::move(*other)});
  }
  if (all.empty()) return std::nullopt;
  // What does not read as was meant (a name in a charset that plays tricks) is better left alone.
  for (bool comments : {true, false}) {
    std::string made = with(field.value, all, field.name.size(), comments);
    if (reads_as(made, *list, all)) return made;
  }
  return std::nullopt;
}

// Every value of the fields of that name, from the top.
std::vector<std::string_view> values(std::string_view header, std::string_view name) {
  std::vector<std::string_view> out;
  mail::for_each_field(header, [&](const mail::Field& field) {
    if (iequals(trim(field.name), name)) out.push_back(field.value);
    return true;
  });
  return out;
}

// RFC 6376 section 3.5: the names in h=.
std::vector<std::string> signed_names(std::string_view signature) {
  std::string text;
  for (char c : signature) {
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') text += c;
  }
  std::vector<std::string> names;
  for (std::string_view tag : split(text, ';')) {
    if (!tag.starts_with("h=")) continue;
    for (std::string_view name : split(tag.substr(2), ':')) names.push_back(lower(name));
  }
  // Section 5.4: From is in every one.
  return names.empty() ? std::vector<std::string>{"from"} : names;
}

}  // namespace

FieldClass class_of_field(std::string_view name) {
  name = trim(name);
  if (istarts_with(name, "Resent-")) name.remove_prefix(7);
  for (std::string_view sender : {"From", "Sender", "Reply-To", "Errors-To", "Return-Receipt-To",
                                  "Disposition-Notification-To", "Mail-Followup-To"}) {
    if (iequals(name, sender)) return FieldClass::kSender;
  }
  for (std::string_view recipient : {"To", "Cc", "Bcc", "Apparently-To"}) {
    if (iequals(name, recipient)) return FieldClass::kRecipient;
  }
  return FieldClass::kNone;
}

std::optional<std::string> replace_addresses(std::string_view header, const Replace& replace) {
  std::string out;
  std::size_t copied = 0;
  mail::for_each_field(header, [&](const mail::Field& field) {
    FieldClass cls = class_of_field(field.name);
    if (cls == FieldClass::kNone) return true;
    auto value = replaced(field, cls, replace);
    if (!value) return true;
    auto begin = static_cast<std::size_t>(field.value.data() - header.data());
    out += header.substr(copied, begin - copied);
    out += *value;
    copied = begin + field.value.size();
    return true;
  });
  if (copied == 0) return std::nullopt;
  out += header.substr(copied);
  return out;
}

bool breaks_signature(std::string_view before, std::string_view after) {
  for (std::string_view signature : values(before, "DKIM-Signature")) {
    for (const std::string& name : signed_names(signature)) {
      if (values(before, name) != values(after, name)) return true;
    }
  }
  return false;
}

}  // namespace sidegate::rewrite
