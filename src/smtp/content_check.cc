#include "smtp/content_check.h"

namespace sidegate::smtp {
namespace {

struct Tally {
  std::size_t crs = 0;
  bool nul = false;
  bool eight_bit = false;
};

// One pass that the compiler turns into vector code: counters of one octet, so at most 255 rounds between the sums.
Tally tally(std::string_view bytes) {
  Tally result;
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t left = bytes.size();
  unsigned char high = 0, nul = 0;
  constexpr std::size_t kLanes = 32, kRounds = 255;
  while (left >= kLanes) {
    std::size_t rounds = left / kLanes < kRounds ? left / kLanes : kRounds;
    unsigned char crs[kLanes] = {}, highs[kLanes] = {}, nuls[kLanes] = {};
    for (std::size_t r = 0; r < rounds; ++r, p += kLanes) {
      for (std::size_t i = 0; i < kLanes; ++i) {
        crs[i] = static_cast<unsigned char>(crs[i] + (p[i] == '\r'));
        highs[i] |= p[i];
        nuls[i] |= static_cast<unsigned char>(p[i] == 0);
      }
    }
    for (std::size_t i = 0; i < kLanes; ++i) {
      result.crs += crs[i];
      high |= highs[i];
      nul |= nuls[i];
    }
    left -= rounds * kLanes;
  }
  for (; left > 0; --left, ++p) {
    result.crs += *p == '\r';
    high |= *p;
    nul |= static_cast<unsigned char>(*p == 0);
  }
  result.nul = nul != 0;
  result.eight_bit = (high & 0x80) != 0;
  return result;
}

constexpr std::size_t kBlock = 16 * 1024;  // stays in the first-level cache for both passes

}  // namespace

void ContentCheck::push(std::string_view bytes) {
  while (!bytes.empty()) {
    std::string_view block = bytes.substr(0, kBlock);
    bytes.remove_prefix(block.size());
    if (!push_clean(block)) push_slow(block);
  }
}

// The usual case: every CR of the block stands before a LF and every LF behind a CR. False, and nothing changed, where
// it does not hold.
bool ContentCheck::push_clean(std::string_view bytes) {
  Tally seen = tally(bytes);
  if (seen.nul) return false;
  bool last_cr = bytes.back() == '\r';
  std::size_t line = line_, longest = longest_, pairs = 0, at = 0;
  for (std::size_t lf = bytes.find('\n'); lf != std::string_view::npos; lf = bytes.find('\n', at)) {
    bool crlf = lf > 0 ? bytes[lf - 1] == '\r' : after_cr_;
    if (!crlf) return false;
    // A CR in the block before this one is not among this block's, and was not counted into the line.
    std::size_t length = lf > 0 ? line + (lf - 1 - at) : line;
    if (length + 2 > max_line_) return false;
    if (length > longest) longest = length;
    pairs += lf > 0;
    line = 0;
    at = lf + 1;
  }
  if (seen.crs != pairs + last_cr) return false;
  if (after_cr_ && bytes.front() != '\n') return false;
  line += bytes.size() - at - last_cr;
  if (line + 2 > max_line_) return false;
  line_ = line;
  longest_ = longest;
  after_cr_ = last_cr;
  eight_bit_ |= seen.eight_bit;
  return true;
}

void ContentCheck::push_slow(std::string_view bytes) {
  for (char c : bytes) {
    if (c == '\n') {
      if (after_cr_) {
        end_line(line_);
        line_ = 0;
      } else {
        note(ContentFault::kBareLf);
        ++line_;
      }
      after_cr_ = false;
      continue;
    }
    if (after_cr_) {
      note(ContentFault::kBareCr);
      ++line_;
    }
    after_cr_ = c == '\r';
    if (after_cr_) continue;
    if (c == 0) note(ContentFault::kNul);
    if (static_cast<unsigned char>(c) >= 0x80) eight_bit_ = true;
    ++line_;
    if (line_ + 2 > max_line_) note(ContentFault::kLineTooLong);
  }
}

void ContentCheck::end_line(std::size_t length) {
  if (length > longest_) longest_ = length;
}

void ContentCheck::finish() {
  if (after_cr_) note(ContentFault::kBareCr);
  end_line(line_);
  line_ = 0;
  after_cr_ = false;
}

}  // namespace sidegate::smtp
