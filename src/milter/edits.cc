#include "milter/edits.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "mail/header.h"

namespace sidegate::milter {

namespace {

// One field as it stands in a block. RFC 5322 section 2.2.3: a line of the value that does not begin with white space
// would be a field of its own, an empty one would end the block.
std::string field(std::string_view name, std::string_view value, bool leading_space) {
  std::string out(name);
  out += leading_space ? ":" : ": ";
  while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.remove_suffix(1);
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\r' || value[i] == '\0') continue;
    if (value[i] != '\n') {
      out.push_back(value[i]);
      continue;
    }
    std::size_t next = value.find_first_not_of("\r", i + 1);
    if (value[next] == '\n') continue;  // an empty line: there is a next octet, the last of the value is no line end
    out += "\r\n";
    if (value[next] != ' ' && value[next] != '\t') out.push_back('\t');
  }
  return out + "\r\n";
}

bool is_named(std::string_view line, std::string_view name) {
  if (!istarts_with(line, name)) return false;
  std::size_t at = line.find_first_not_of(" \t", name.size());
  return at != std::string_view::npos && line[at] == ':';
}

}  // namespace

bool is_field_name(std::string_view name) {
  return !name.empty() && name.size() <= 998 &&
         std::ranges::all_of(name, [](char c) { return c > 32 && c < 127 && c != ':'; });
}

std::string bare_address(std::string_view path) {
  path = trim(path);
  if (path.starts_with('<')) path.remove_prefix(1);
  if (path.ends_with('>')) path.remove_suffix(1);
  return std::string(path);
}

HeaderBlock::HeaderBlock(std::string_view own, std::string_view received) {
  read(own, true);
  read(received, false);
}

void HeaderBlock::read(std::string_view block, bool own) {
  std::size_t at = 0;
  mail::Field field;
  for (std::size_t next = 0; mail::detail::next_field(block, next, field); at = next) {
    lines_.push_back({std::string(block.substr(at, next - at)), own});
    if (!lines_.back().text.ends_with('\n')) lines_.back().text += "\r\n";
  }
  rest_ += block.substr(at);
}

void HeaderBlock::add(std::string_view name, std::string_view value, bool leading_space) {
  lines_.push_back({field(name, value, leading_space), false});
}

void HeaderBlock::insert(std::uint32_t index, std::string_view name, std::string_view value, bool leading_space) {
  std::size_t at = std::min<std::size_t>(index, lines_.size());
  lines_.insert(lines_.begin() + static_cast<std::ptrdiff_t>(at), {field(name, value, leading_space), false});
}

void HeaderBlock::change(std::uint32_t index, std::string_view name, std::string_view value, bool leading_space) {
  std::uint32_t left = std::max(index, 1U);
  auto found = std::ranges::find_if(
      lines_, [&](const Line& line) { return !line.own && is_named(line.text, name) && --left == 0; });
  bool erases = value.empty();
  if (found == lines_.end()) {
    if (!erases) add(name, value, leading_space);
  } else if (erases) {
    lines_.erase(found);
  } else {
    found->text = field(name, value, leading_space);
  }
}

std::string HeaderBlock::text() const {
  std::string out;
  for (const Line& line : lines_) out += line.text;
  return out + rest_;
}

namespace {

void add_recipient(Message& message, const Edit& edit) {
  Recipient added{bare_address(edit.name), edit.value};
  bool there = added.address.empty() || std::ranges::any_of(message.recipients, [&](const Recipient& r) {
                 return iequals(r.address, added.address);
               });
  if (!there) message.recipients.push_back(std::move(added));
}

void apply_to_envelope(const Edit& edit, Message& message) {
  switch (edit.kind) {
    case Edit::Kind::kAddRecipient:
      add_recipient(message, edit);
      break;
    case Edit::Kind::kDeleteRecipient:
      std::erase_if(message.recipients, [&, gone = bare_address(edit.name)](const Recipient& recipient) {
        return iequals(recipient.address, gone);
      });
      break;
    case Edit::Kind::kChangeFrom:
      message.from = bare_address(edit.name);
      message.from_parameters = edit.value;
      break;
    case Edit::Kind::kQuarantine:
      message.quarantine = edit.name;
      break;
    default:
      break;
  }
}

// Puts the block back: apart from ours while ours is still on top.
void put_back(const HeaderBlock& block, Message& message) {
  message.header.clear();  // first: no header block is in memory more often than it must
  message.header.shrink_to_fit();
  message.header = block.text();
  if (message.header.starts_with(message.own)) {
    message.header.erase(0, message.own.size());
  } else {
    message.own.clear();
  }
}

}  // namespace

std::string what_changes(const std::vector<Edit>& edits, bool body) {
  bool header = false, sender = false, recipients = false;
  for (const Edit& edit : edits) {
    using enum Edit::Kind;
    header |= edit.kind == kAddHeader || edit.kind == kInsertHeader || edit.kind == kChangeHeader;
    sender |= edit.kind == kChangeFrom;
    recipients |= edit.kind == kAddRecipient || edit.kind == kDeleteRecipient;
  }
  std::string words;
  auto add = [&words](bool changed, const char* word) {
    if (changed) words.append(words.empty() ? "" : ", ").append(word);
  };
  add(header, "header");
  add(sender, "sender");
  add(recipients, "recipients");
  add(body, "body");
  return words;
}

void apply(const std::vector<Edit>& edits, bool leading_space, Message& message) {
  HeaderBlock block(message.own, message.header);
  bool header = false;
  for (const Edit& edit : edits) {
    switch (edit.kind) {
      case Edit::Kind::kAddHeader:
        block.add(edit.name, edit.value, leading_space);
        break;
      case Edit::Kind::kInsertHeader:
        block.insert(edit.index, edit.name, edit.value, leading_space);
        break;
      case Edit::Kind::kChangeHeader:
        block.change(edit.index, edit.name, edit.value, leading_space);
        break;
      default:
        apply_to_envelope(edit, message);
        continue;
    }
    header = true;
  }
  if (header) put_back(block, message);
}

}  // namespace sidegate::milter
