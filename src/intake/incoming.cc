#include "intake/incoming.h"

#include <algorithm>
#include <cstdint>

#include "alias/address.h"
#include "base/text.h"

namespace sidegate::intake {
namespace {

constexpr std::size_t kLongestStart = 200;  // more ">" and blanks than this are no mbox file's

// Grows by doubling, but never beyond `most`: a session's memory is bounded by what it may hold.
void append_within(std::string& to, std::string_view bytes, std::size_t most) {
  std::size_t needed = to.size() + bytes.size();
  if (needed > to.capacity()) to.reserve(std::max(needed, std::min(most, 2 * to.capacity())));
  to.append(bytes);
}

// Whether a message may begin with a "From " line of an mbox file (RFC 4155), quoted or not, by what is there of it.
enum class Mbox : std::uint8_t { kNo, kYes, kUnknown };
Mbox is_mbox_line(std::string_view line) {
  constexpr std::string_view kFrom = "From ";
  const std::size_t quoted = line.find_first_not_of('>');
  if (quoted == std::string_view::npos) return Mbox::kUnknown;
  line.remove_prefix(quoted);
  if (line.size() < kFrom.size()) return kFrom.starts_with(line) ? Mbox::kUnknown : Mbox::kNo;
  if (!line.starts_with(kFrom)) return Mbox::kNo;
  // RFC 5322 section 4.5.2: "From :" is a field of old.
  const std::size_t word = line.find_first_not_of(" \t", kFrom.size());
  if (word == std::string_view::npos) return Mbox::kUnknown;
  return line[word] == ':' ? Mbox::kNo : Mbox::kYes;
}

}  // namespace

std::size_t Incoming::take(std::string_view bytes, std::size_t max_header) {
  std::size_t taken = mbox_ ? take_mbox_lines(bytes, max_header) : 0;
  if (!mbox_ && !refusal && !splitter_.done()) taken += push_header(bytes.substr(taken), max_header);
  if (refusal) return bytes.size();
  if (!splitter_.done() || taken == bytes.size()) return taken;
  if (body_size_ == 0) begin_body(bytes.substr(taken));
  std::size_t room = queue::kChunkSize - body_.size();
  std::string_view rest = bytes.substr(taken, room);
  if (!rest.empty()) append_body(rest);
  return taken + rest.size();
}

std::size_t Incoming::push_header(std::string_view bytes, std::size_t max_header) {
  const std::size_t taken = splitter_.push(bytes);
  if (header_.size() + taken > max_header) {
    refusal = mail::Reply(552, {5, 3, 4}, "Header block is larger than " + std::to_string(max_header) + " octets");
    return bytes.size();
  }
  append_within(header_, bytes.substr(0, taken), max_header);
  if (splitter_.done()) end_header();
  return taken;
}

// Drops them; what is there of another line goes to the header.
std::size_t Incoming::take_mbox_lines(std::string_view bytes, std::size_t max_header) {
  std::size_t at = 0;
  while (mbox_ && at < bytes.size() && !refusal) {
    if (mbox_->dropping) {
      const std::size_t end = bytes.find('\n', at);
      if (end == std::string_view::npos) return bytes.size();
      at = end + 1;
      mbox_->dropping = false;
      continue;
    }
    mbox_->seen += bytes[at++];
    const Mbox verdict = mbox_->seen.size() > kLongestStart ? Mbox::kNo : is_mbox_line(mbox_->seen);
    if (verdict == Mbox::kNo) settle_mbox_line(max_header);
    if (verdict != Mbox::kYes) continue;
    mbox_dropped_ = mbox_->dropping = true;
    mbox_->seen.clear();
    if (bytes[at - 1] == '\n') mbox_->dropping = false;
  }
  return at;
}

// It was none.
void Incoming::settle_mbox_line(std::size_t max_header) {
  const std::string seen = std::move(mbox_->seen);
  mbox_.reset();
  const std::size_t taken = push_header(seen, max_header);
  if (refusal || taken == seen.size()) return;
  begin_body(std::string_view(seen).substr(taken));
  append_body(std::string_view(seen).substr(taken));
}

// RFC 5322 section 2.1: an empty line parts header and body.
void Incoming::begin_body(std::string_view bytes) {
  if (!mends_ || bytes.starts_with('\r')) return;
  broken_off_ = true;
  append_body("\r\n");
}

void Incoming::end_header() {
  std::size_t cut = header_.size() - splitter_.take_back();
  std::string back = header_.substr(cut);
  header_.resize(cut);
  eight_bit_header_ = !is_ascii(header_);
  if (back.empty()) return;
  begin_body(back);
  append_body(back);
}

// All but the empty line that the body begins with.
void Incoming::hash(std::string_view bytes) {
  const bool whole_start = start_size_ == 2;
  if (body_size_ >= 2) return hasher_->push(bytes);
  if (!whole_start) return;  // finish() has what is so short
  if (!separated()) hasher_->push({start_, 2});
  hasher_->push(bytes.substr(std::min<std::size_t>(bytes.size(), 2 - body_size_)));
}

void Incoming::append_body(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size() && start_size_ < 2; ++i) start_[start_size_++] = bytes[i];
  if (hasher_) hash(bytes);
  if (eight_bit_header_ && !eight_bit_body_) eight_bit_body_ = !is_ascii(bytes);
  append_within(body_, bytes, queue::kChunkSize);
  body_size_ += bytes.size();
}

std::string Incoming::take_chunk() {
  return std::exchange(body_, {});
}

void Incoming::finish() {
  if (mbox_) settle_mbox_line(SIZE_MAX);
  if (!splitter_.done()) {
    splitter_.finish();
    end_header();
  }
  if (!hasher_) return;
  if (start_size_ == 1) hasher_->push({start_, 1});
  hasher_->finish();
}

void Incoming::replace_body(std::string rest, std::uint32_t chunks, std::uint64_t size, bool eight_bit) {
  body_ = std::move(rest);
  chunks_put = chunks;
  body_size_ = size;
  eight_bit_body_ = eight_bit;
  replaced_ = true;
}

void Incoming::keep_recipients(std::size_t count) {
  for (std::size_t n = count; n < envelope.recipients.size(); ++n)
    ends.erase(alias::delivery_key(envelope.recipients[n]));
  envelope.recipients.resize(count);
  domains.resize(count);
}

void Incoming::drop_content() {
  header_ = {};
  body_ = {};
}

}  // namespace sidegate::intake
