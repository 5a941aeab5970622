#include "rewrite/identity.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/text.h"
#include "mail/header.h"
#include "rewrite/address_list.h"
#include "rewrite/rules.h"

namespace sidegate::rewrite {
namespace {

// One field with the octets it came as.
struct RawField {
  std::string_view name, value, raw;  // raw: with the CRLF at its end
};

std::vector<RawField> fields_of(std::string_view block) {
  std::vector<RawField> fields;
  mail::Field field;
  for (std::size_t at = 0, begin = 0; mail::detail::next_field(block, at, field); begin = at) {
    fields.push_back({field.name, field.value, block.substr(begin, at - begin)});
  }
  return fields;
}

std::string_view first_line(std::string_view text) {
  return text.substr(0, text.find('\r'));
}

// "Name:" and the octets of another field's value. RFC 5322 section 2.2.3: a line that would grow too long is folded.
void append_field(std::string& out, std::string_view name, std::string_view value) {
  std::size_t was = first_line(value).size(), is = name.size() + 1 + was;
  out += name;
  out += ':';
  if (is > kLineLimit && was <= kLineLimit) out += "\r\n";
  if (value.empty() || (value.front() != ' ' && value.front() != '\t' && value.front() != '\r')) out += ' ';
  out += value;
  out += "\r\n";
}

class Rewriting {
 public:
  Rewriting(std::string_view header, std::string_view sender, const Account& account)
      : sender_(sender), account_(account), fields_(fields_of(header)), header_(header) {}

  RewrittenHeader run() {
    for (const RawField& field : fields_) note(field);
    for (const RawField& field : fields_) take(field);
    if (!from_seen_) add_missing_from();
    add_reply_to();
    if (!result_.changed) return {};
    result_.breaks_signature = from_changed_ && signed_;
    // The rest, where the block ends in a line that is no field.
    std::size_t octets = 0;
    for (const RawField& field : fields_) octets += field.raw.size();
    result_.header += header_.substr(octets);
    return std::move(result_);
  }

 private:
  void note(const RawField& field) {
    if (iequals(field.name, "Reply-To")) has_reply_to_ |= !trim(field.value).empty();
    if (iequals(field.name, "DKIM-Signature")) signed_ = true;
  }

  void take(const RawField& field) {
    if (iequals(field.name, "From")) return take_from(field);
    if (iequals(field.name, "Resent-From")) return take_author(field, "Resent-From", parse_address_list(field.value));
    if (iequals(field.name, "Sender") || iequals(field.name, "Resent-Sender")) return take_sender(field);
    if (iequals(field.name, "Reply-To") && trim(field.value).empty()) {
      empty_reply_to_ = field.raw;
      return;
    }
    keep(field);
  }

  void keep(const RawField& field) {
    result_.header += field.raw;
    if (!field.raw.ends_with('\n')) result_.header += "\r\n";  // only where the block was cut
  }

  void take_from(const RawField& field) {
    if (std::exchange(from_seen_, true)) {  // RFC 5322 section 3.6: there may be one only
      result_.changed = true;
      return append_field(result_.header, "X-Original-From", field.value);
    }
    auto list = parse_address_list(field.value);
    bool changed = !may_stay(list);
    from_changed_ = changed;
    result_.unread = !list;
    if (changed && list && !list->addresses.empty()) {
      reply_to_ = qualified(field.value, *list);
    } else if (changed) {
      answer_to_sender();
    }
    take_author(field, "From", list);
    from_end_ = result_.header.size();
  }

  // From or Resent-From: the account's address in the place of the first one.
  void take_author(const RawField& field, const std::string& name, const std::optional<AddressList>& list) {
    if (may_stay(list)) return keep(field);
    result_.changed = true;
    bool one = list && list->alone();
    const std::size_t begin = result_.header.size();
    if (one) {
      replace_address(field, list->addresses[0]);
    } else {  // several, a group, or nothing we can read
      std::string value = list && !list->addresses.empty() ? first_of(field.value, list->addresses[0]) : "";
      append_field(result_.header, name, " " + (value.empty() ? account_.address : value));
    }
    // A name so broken that with it the field would not read as the account's, folded or not: the address alone.
    std::string_view made = std::string_view(result_.header).substr(begin);
    bool reads_well = is_account(parse_address_list(made.substr(made.find(':') + 1))) &&
                      is_account(parse_address_list(mail::field_value(made, name)));
    if (!reads_well) {
      result_.header.resize(begin);
      append_field(result_.header, name, " " + account_.address);
    }
    append_field(result_.header, "X-Original-" + name, field.value);
  }

  // RFC 5322 section 3.6.2: Sender names who really sends. That is the account now, and From says so.
  void take_sender(const RawField& field) {
    auto list = parse_address_list(field.value);
    if (may_stay(list)) return keep(field);
    result_.changed = true;
    bool again = iequals(field.name, "Resent-Sender");
    append_field(result_.header, again ? "X-Original-Resent-Sender" : "X-Original-Sender", field.value);
  }

  // The account's own, or every one of them is among those it may use.
  bool may_stay(const std::optional<AddressList>& list) const {
    if (is_account(list)) return true;
    if (account_.allowed.empty() || !list || list->addresses.empty()) return false;
    return std::ranges::all_of(list->addresses, [this](const ListedAddress& one) { return may_use(one.address); });
  }
  bool may_use(const std::string& address) const {
    const bool whole = !domain_part(address).empty();
    return same_address(address, account_.address) ||
           is_listed(whole ? address : address + "@" + account_.hostname, account_.allowed);
  }

  bool is_account(const std::optional<AddressList>& list) const {
    return list && list->addresses.size() == 1 && same_address(list->addresses[0].address, account_.address);
  }

  // The field with other octets only where the address stood.
  void replace_address(const RawField& field, const ListedAddress& address) {
    std::string& out = result_.header;
    std::size_t line = out.size();
    auto value_at = static_cast<std::size_t>(field.value.data() - field.raw.data());  // behind the colon
    std::string_view after = field.value.substr(address.mailbox_end);
    const std::string quoted = quoted_joined(field.value, address);
    const std::string before =
        quoted.empty() ? std::string(field.raw.substr(0, value_at + address.begin - (address.angle ? 1 : 0)))
                       : std::string(field.raw.substr(0, value_at + address.mailbox)) + quoted;
    out += before;
    std::string name = address.named ? std::string() : name_for(address.address);
    if (before.ends_with(':')) out += ' ';
    std::string put = put_address(name, address.angle || !name.empty());
    // A name this long leaves no room on its line.
    auto break_at = out.rfind('\n');
    std::size_t column =
        break_at == std::string::npos || break_at < line ? out.size() - line : out.size() - break_at - 1;
    std::size_t then = column + put.size() + first_line(after).size();
    if (then > kLineLimit && column > 1 && address.angle && address.named) out += "\r\n ";
    out += put;
    // Nor does a comment behind it.
    const std::size_t begin = address.begin - (address.angle ? 1 : 0);
    const bool was_short = column + (address.mailbox_end - begin) + first_line(after).size() <= kLineLimit;
    if (then > kLineLimit && was_short && !(address.angle && address.named) &&
        after.find('(') != std::string_view::npos)
      out += after.front() == ' ' || after.front() == '\t' ? "\r\n" : "\r\n ";
    out += after;
    out += "\r\n";
  }

  std::string put_address(const std::string& name, bool in_brackets) const {
    std::string out = name.empty() ? "" : name + " ";
    return out + (in_brackets ? "<" + account_.address + ">" : account_.address);
  }

  // "root@nas.home" without a name of its own still says who it was.
  static std::string name_for(std::string_view address) {
    std::string local = unquoted(local_part(address));
    bool plain = !local.empty() && local.size() <= 100 && is_ascii(local);
    for (char c : local) plain &= !is_control(c);
    return plain ? quoted_name(local) : std::string();
  }

  // Yamada, Taro <...>: such a name in quotes, or the field reads as two authors to who is strict. Empty: it needs
  // none, or cannot have them (its octets would mean something else there).
  static std::string quoted_joined(std::string_view value, const ListedAddress& address) {
    if (!address.joined) return {};
    const std::string_view name = trim(value.substr(address.mailbox, address.begin - 1 - address.mailbox));
    const bool plain =
        std::ranges::none_of(name, [](char c) { return is_control(c) || c == '"' || c == '\\' || c == '('; });
    return plain && !name.contains("=?") ? "\"" + std::string(name) + "\" " : std::string();
  }

  // The first of several with its name, the account's address in it.
  std::string first_of(std::string_view value, const ListedAddress& address) const {
    if (!address.angle || !address.named) return put_address(name_for(address.address), true);
    std::string name = quoted_joined(value, address);
    if (name.empty()) name = value.substr(address.mailbox, address.begin - 1 - address.mailbox);
    return name + "<" + account_.address + ">";
  }

  // The old value, as an answer needs it: "root" alone is nobody elsewhere.
  std::string qualified(std::string_view value, const AddressList& list) const {
    std::string out;
    std::size_t at = 0;
    for (const ListedAddress& address : list.addresses) {
      const bool whole = !domain_part(address.address).empty();
      if (whole && !address.open) continue;
      out += value.substr(at, address.begin - at);
      out += whole ? address.address : address.address + "@" + account_.hostname;
      if (address.open) out += '>';
      at = address.end;
    }
    out += value.substr(at);
    return out;
  }

  void add_missing_from() {
    result_.changed = true;
    from_changed_ = true;
    append_field(result_.header, "From", " " + put_address(sender_.empty() ? "" : name_for(sender_), !sender_.empty()));
    answer_to_sender();
    from_end_ = result_.header.size();
  }

  // Where nobody can be read from From.
  void answer_to_sender() {
    if (!sender_.empty() && !same_address(sender_, account_.address)) reply_to_ = " " + std::string(sender_);
  }

  void add_reply_to() {
    if (!reply_to_.empty() && !has_reply_to_) {
      std::string field;
      append_field(field, "Reply-To", reply_to_);
      result_.header.insert(from_end_, field);
      return;
    }
    result_.header += empty_reply_to_;
  }

  std::string_view sender_;
  const Account& account_;
  std::vector<RawField> fields_;
  std::string_view header_;
  RewrittenHeader result_;
  bool has_reply_to_ = false, signed_ = false, from_seen_ = false, from_changed_ = false;
  std::string reply_to_;             // the value of a Reply-To to be added
  std::string_view empty_reply_to_;  // a field that says nothing
  std::size_t from_end_ = 0;
};

std::string marker(const Account& account) {
  return "X-Loop: wrapped-report@" + account.hostname;
}

}  // namespace

RewrittenHeader as_account(std::string_view header, std::string_view sender, const Account& account) {
  return Rewriting(header, sender, account).run();
}

RewrittenHeader as_wrapped_report(std::string_view header, const Account& account) {
  RewrittenHeader made = as_account(header, {}, account);
  if (!made.changed) made.header = header;
  made.changed = true;
  // RFC 3834 section 5: nobody's autoresponder is to answer it.
  if (!mail::has_field(header, "Auto-Submitted")) made.header += "Auto-Submitted: auto-replied\r\n";
  made.header += marker(account) + "\r\n";
  return made;
}

bool is_wrapped_report(std::string_view header, std::string_view beginning_of_body, const Account& account) {
  return header.contains(marker(account)) || beginning_of_body.contains(marker(account));
}

}  // namespace sidegate::rewrite
