#include "intake/incoming.h"

#include <algorithm>

#include "alias/address.h"
#include "base/text.h"

namespace sidegate::intake {
namespace {

// Grows by doubling, but never beyond `most`: a session's memory is bounded by what it may hold.
void append_within(std::string& to, std::string_view bytes, std::size_t most) {
  std::size_t needed = to.size() + bytes.size();
  if (needed > to.capacity()) to.reserve(std::max(needed, std::min(most, 2 * to.capacity())));
  to.append(bytes);
}

}  // namespace

std::size_t Incoming::take(std::string_view bytes, std::size_t max_header) {
  std::size_t taken = 0;
  if (!splitter_.done()) {
    taken = splitter_.push(bytes);
    if (header_.size() + taken > max_header) {
      refusal = mail::Reply(552, {5, 3, 4}, "Header block is larger than " + std::to_string(max_header) + " octets");
      return bytes.size();
    }
    append_within(header_, bytes.substr(0, taken), max_header);
    if (splitter_.done()) end_header();
  }
  std::size_t room = queue::kChunkSize - body_.size();
  std::string_view rest = bytes.substr(taken, room);
  if (!rest.empty()) append_body(rest);
  return taken + rest.size();
}

void Incoming::end_header() {
  std::size_t cut = header_.size() - splitter_.take_back();
  std::string back = header_.substr(cut);
  header_.resize(cut);
  eight_bit_header_ = !is_ascii(header_);
  if (!back.empty()) append_body(back);
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
