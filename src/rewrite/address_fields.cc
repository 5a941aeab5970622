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

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Some line of the field is longer than RFC 5322 section 2.1.1 allows. named: octets of "Name:" before the value.
bool has_long_line(std::string_view value, std::size_t named) {
  for (std::size_t at = 0, first = named; at <= value.size(); first = 0) {
    const std::size_t end = std::min(value.find('\n', at), value.size());
    if (first + end - at - (end > at && end < value.size() ? 1 : 0) > kLineLimit) return true;
    at = end + 1;
  }
  return false;
}

// Lines that have grown too long are folded, each at the last of `places` (in order) that leaves it short enough:
// before a name, a bracket or a bare address, and before the comment behind one. What has no such place stays as it is.
std::string folded(std::string_view value, const std::vector<std::size_t>& places, std::size_t named) {
  std::string out;
  std::size_t at = 0, column = named;
  bool words = false;  // the line has more than white space by now
  for (std::size_t i = 0; i <= places.size(); ++i) {
    const std::size_t end = i < places.size() ? places[i] : value.size();
    const std::string_view piece = value.substr(at, end - at);
    if (i > 0 && words && column + std::min(piece.find('\r'), piece.size()) > kLineLimit) {
      const bool blank = !piece.empty() && is_blank(piece.front());
      out += blank ? "\r\n" : "\r\n ";
      column = blank ? 0 : 1;
      words = false;
    }
    for (char c : piece) {
      column = c == '\n' ? 0 : column + 1;
      words = c != '\n' && (words || !is_blank(c));
    }
    out += piece;
    at = end;
  }
  return out;
}

std::string with(std::string_view value, const std::vector<ListedAddress>& listed, const std::vector<Replacement>& all,
                 std::size_t name_size, bool comments) {
  std::string out;
  std::vector<std::size_t> places;
  std::size_t at = 0;
  auto copy_to = [&](std::size_t end) {
    if (end > at) out += value.substr(at, end - at);
    at = std::max(at, end);
  };
  auto next = all.begin();
  for (const ListedAddress& one : listed) {
    copy_to(one.mailbox);
    places.push_back(out.size());
    if (one.angle && one.begin - 1 > one.mailbox) {
      copy_to(one.begin - 1);
      places.push_back(out.size());
    }
    copy_to(one.begin);
    if (next != all.end() && next->old == &one) {
      std::string_view gone = value.substr(one.begin, one.end - one.begin);
      out += next->address;
      if (comments && gone.contains('(')) out += comments_in(gone);
      if (one.open) out += '>';
      at = one.end;
      ++next;
    }
    copy_to(one.mailbox_end);
    if (value.substr(at, 2).contains('(')) places.push_back(out.size());
  }
  copy_to(value.size());
  if (has_long_line(value, name_size + 1)) return out;
  return has_long_line(out, name_size + 1) ? folded(out, places, name_size + 1) : out;
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

// Where the elements of a list end that cannot be read as a whole: behind each comma outside of quotes, comments and
// brackets, and at the end.
std::vector<std::size_t> element_ends(std::string_view value) {
  std::vector<std::size_t> ends;
  unsigned depth = 0;
  bool quoted = false, angle = false;
  for (std::size_t at = 0; at < value.size(); ++at) {
    const char c = value[at];
    if (c == '\\') {
      ++at;
    } else if (c == '"' && depth == 0) {
      quoted = !quoted;
    } else if (quoted) {
      continue;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')' && depth > 0) {
      --depth;
    } else if (depth == 0 && (c == '<' || c == '>')) {
      angle = c == '<';
    } else if (c == ',' && depth == 0 && !angle) {
      ends.push_back(at + 1);
    }
  }
  ends.push_back(value.size());
  return ends;
}

std::optional<std::string> replaced_value(std::string_view value, std::size_t name_size, FieldClass cls,
                                          const Replace& replace);

// One element that is none ("<>", words without an address) leaves the others as they are meant. Of ASCII alone: what
// other octets mean is known of a whole value, if at all.
std::optional<std::string> replaced_one_by_one(std::string_view value, FieldClass cls, const Replace& replace) {
  if (!is_ascii(value) || value.contains('\x1b')) return std::nullopt;
  const std::vector<std::size_t> ends = element_ends(value);
  if (ends.size() == 1) return std::nullopt;
  std::string out;
  bool any = false;
  for (std::size_t i = 0, at = 0; i < ends.size(); at = ends[i++]) {
    const std::string_view element = value.substr(at, ends[i] - at);
    auto made = parse_address_list(element) ? replaced_value(element, 0, cls, replace) : std::nullopt;
    any |= made.has_value();
    out += made ? *made : std::string(element);
  }
  return any ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<std::string> replaced_value(std::string_view value, std::size_t name_size, FieldClass cls,
                                          const Replace& replace) {
  auto list = parse_address_list(value);
  if (!list) return replaced_one_by_one(value, cls, replace);
  std::vector<Replacement> all;
  for (const ListedAddress& one : list->addresses) {
    auto other = replace(one.address, cls);
    if (other && *other != one.address) all.push_back({&one, std::move(*other)});
  }
  if (all.empty()) return std::nullopt;
  // What does not read as was meant (a name in a charset that plays tricks) is better left alone.
  for (bool comments : {true, false}) {
    std::string made = with(value, list->addresses, all, name_size, comments);
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
    auto value = replaced_value(field.value, field.name.size(), cls, replace);
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
