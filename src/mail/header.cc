#include "mail/header.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"

namespace sidegate::mail {

namespace {

// RFC 5322 section 2.2: a field name is printable ASCII without the colon.
constexpr std::array<bool, 256> kNameChar = [] {
  std::array<bool, 256> table{};
  for (int c = 33; c < 127; ++c) table[c] = c != ':';
  return table;
}();

constexpr bool is_name_char(char c) {
  return kNameChar[static_cast<unsigned char>(c)];
}
constexpr bool is_wsp(char c) {
  return c == ' ' || c == '\t';
}

// The field's name at the start of `line` and where its colon is; npos: this line is no field.
std::size_t find_colon(std::string_view line, std::size_t& name_length) {
  std::size_t at = 0;
  while (at < line.size() && is_name_char(line[at])) ++at;
  name_length = at;
  while (at < line.size() && is_wsp(line[at])) ++at;  // RFC 5322 section 4.5: old mail has a space before the colon
  bool field = name_length > 0 && name_length <= HeaderSplitter::kNameLimit && at < line.size() && line[at] == ':' &&
               at <= HeaderSplitter::kNameLimit;
  return field ? at : std::string_view::npos;
}

}  // namespace

bool detail::next_field(std::string_view block, std::size_t& at, Field& field) {
  std::string_view rest = block.substr(at);
  std::size_t name_length;
  std::size_t colon = find_colon(rest, name_length);
  if (colon == std::string_view::npos) return false;
  std::size_t end = colon;
  do {  // RFC 5322 section 2.2.3: a line that begins with white space continues the field
    end = rest.find('\n', end + 1);
  } while (end != std::string_view::npos && end + 1 < rest.size() && is_wsp(rest[end + 1]));
  std::size_t next = end == std::string_view::npos ? rest.size() : end + 1;
  std::string_view value = rest.substr(colon + 1, next - colon - 1);
  if (value.ends_with('\n')) value.remove_suffix(1);
  if (end != std::string_view::npos && value.ends_with('\r')) value.remove_suffix(1);
  field.name = rest.substr(0, name_length);
  field.value = value;
  at += next;
  return true;
}

bool has_field(std::string_view block, std::string_view name) {
  bool found = false;
  for_each_field(block, [&](const Field& field) {
    found = iequals(field.name, name);
    return !found;
  });
  return found;
}

unsigned count_field(std::string_view block, std::string_view name) {
  unsigned count = 0;
  for_each_field(block, [&](const Field& field) {
    if (iequals(field.name, name)) ++count;
    return true;
  });
  return count;
}

std::string field_value(std::string_view block, std::string_view name) {
  std::string value;
  for_each_field(block, [&](const Field& field) {
    if (!iequals(field.name, name)) return true;
    value.reserve(field.value.size());
    // RFC 5322 section 2.2.3: unfolding takes the line ends out and leaves the white space.
    for (char c : trim(field.value)) {
      if (c != '\r' && c != '\n') value += c;
    }
    return false;
  });
  return value;
}

std::size_t HeaderSplitter::push(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && !done_) {
    if (place_ == Place::kValue) {
      auto* lf = static_cast<const char*>(std::memchr(bytes.data() + at, '\n', bytes.size() - at));
      if (lf == nullptr) return bytes.size();
      at = static_cast<std::size_t>(lf - bytes.data()) + 1;
      place_ = Place::kLineStart;
    } else {
      at += step(bytes[at]) ? 1 : 0;
    }
  }
  if (!done_) return bytes.size();
  // The line that was no field may have begun in this chunk, or before it.
  std::size_t here = std::min(pending_, at);
  take_back_ = pending_ - here;
  return at - here;
}

// Looks at one octet outside of a value; false: the block ends before the line this octet is in.
bool HeaderSplitter::step(char c) {
  if (place_ == Place::kLineStart && is_wsp(c) && fields_) {
    place_ = Place::kValue;
    return true;
  }
  bool name = is_name_char(c) && place_ != Place::kBlank;
  bool blank = is_wsp(c) && place_ != Place::kLineStart;
  bool colon = c == ':' && place_ != Place::kLineStart;
  if (colon && pending_ <= kNameLimit) {
    place_ = Place::kValue;
    fields_ = true;
    pending_ = 0;
    return true;
  }
  if ((!name && !blank) || pending_ >= kNameLimit) {
    done_ = true;
    return false;
  }
  place_ = blank ? Place::kBlank : Place::kName;
  ++pending_;
  return true;
}

void HeaderSplitter::finish() {
  if (done_) return;
  done_ = true;
  take_back_ = pending_;
}

}  // namespace sidegate::mail
