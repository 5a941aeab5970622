#include "helper/format.h"

namespace sidegate::helper {
namespace {

constexpr std::string_view kFrom = "From ";

}  // namespace

void UnixLines::put(char c, std::string& out) {
  if (quote_from_ && line_start_) {
    if (c == kFrom[matched_]) {
      if (++matched_ < kFrom.size()) return;
      out += '>';
      out += kFrom;
      line_start_ = false;
      matched_ = 0;
      return;
    }
    out += kFrom.substr(0, matched_);
    matched_ = 0;
  }
  out += c;
  line_start_ = c == '\n';
}

void UnixLines::push(std::string_view in, std::string& out) {
  for (char c : in) {
    if (after_cr_ && c != '\n') put('\r', out);  // a bare CR is content
    after_cr_ = c == '\r';
    if (!after_cr_) put(c, out);
  }
}

void UnixLines::finish(std::string& out) {
  if (after_cr_) put('\r', out);
  after_cr_ = false;
  bool open = !line_start_ || matched_ > 0;
  if (matched_ > 0) out += kFrom.substr(0, matched_);
  matched_ = 0;
  if (open) out += '\n';
  line_start_ = true;
}

}  // namespace sidegate::helper
