// Writing and reading the fields of a row: varints, strings, fixed numbers. The reader never reads past the end; after
// a failure it returns zeros and stays failed.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

namespace sidegate {

inline void put_big32(std::string& out, std::uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(v >> shift));
}
inline void put_big64(std::string& out, std::uint64_t v) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(v >> shift));
}
inline std::uint64_t get_big(std::string_view bytes) {
  std::uint64_t v = 0;
  for (char c : bytes) v = (v << 8) | static_cast<unsigned char>(c);
  return v;
}

class OctetWriter {
 public:
  explicit OctetWriter(std::string& out) : out_(out) {}
  void octet(std::uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void number(std::uint64_t v) {
    for (; v >= 0x80; v >>= 7) octet(static_cast<std::uint8_t>(v | 0x80));
    octet(static_cast<std::uint8_t>(v));
  }
  void fixed64(std::uint64_t v) {
    for (int i = 0; i < 8; ++i, v >>= 8) octet(static_cast<std::uint8_t>(v));
  }
  void string(std::string_view v) {
    number(v.size());
    out_.append(v);
  }
  void raw(std::string_view v) { out_.append(v); }

 private:
  std::string& out_;
};

class OctetReader {
 public:
  explicit OctetReader(std::string_view in) : in_(in) {}
  std::uint8_t octet() {
    if (in_.empty()) return failed();
    auto v = static_cast<std::uint8_t>(in_[0]);
    in_.remove_prefix(1);
    return v;
  }
  std::uint64_t number() {
    std::uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      std::uint8_t c = octet();
      if (shift == 63 && c > 1) return failed();
      v |= std::uint64_t(c & 0x7f) << shift;
      if (!(c & 0x80)) return ok_ ? v : 0;
    }
    return failed();
  }
  template <typename N>
  N number_as() {  // fails where the number does not fit
    std::uint64_t v = number();
    if (v > std::uint64_t(std::numeric_limits<N>::max())) return failed();
    return static_cast<N>(v);
  }
  std::uint64_t fixed64() {
    std::uint64_t v = 0;
    for (int i = 0; i < 8; ++i) v |= std::uint64_t(octet()) << (8 * i);
    return v;
  }
  std::string string() { return std::string(raw(number())); }
  std::string_view raw(std::uint64_t n) {
    if (n > in_.size()) {
      failed();
      return {};
    }
    std::string_view v = in_.substr(0, n);
    in_.remove_prefix(n);
    return v;
  }
  // A count of things that each take at least one octet: a hostile one cannot make us allocate.
  std::size_t count() {
    std::uint64_t n = number();
    if (n > in_.size()) return failed();
    return n;
  }
  bool done() const { return ok_ && in_.empty(); }
  bool ok() const { return ok_; }

 private:
  std::uint8_t failed() {
    ok_ = false;
    in_ = {};
    return 0;
  }
  std::string_view in_;
  bool ok_ = true;
};

}  // namespace sidegate
