// The forms in which a message is hashed (RFC 6376 section 3.4). A body streams through; a header is a block of fields.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sidegate::dkim {

enum class Form : std::uint8_t { kSimple, kRelaxed };
using Hash = std::array<std::uint8_t, 32>;  // SHA-256

// The hashes of a body, in either form or both. The body without the empty line that ends the header.
class BodyHasher {
 public:
  BodyHasher(bool simple, bool relaxed);
  ~BodyHasher();
  BodyHasher(BodyHasher&&) noexcept;
  BodyHasher& operator=(BodyHasher&&) noexcept;

  void push(std::string_view bytes);
  void finish();  // then the hashes may be asked for; a form that was not asked for is all zero
  Hash simple() const;
  Hash relaxed() const;

 private:
  class Canonical;
  class Simple;
  class Relaxed;
  std::unique_ptr<Simple> simple_;
  std::unique_ptr<Relaxed> relaxed_;
};

// One field as it is hashed, CRLF included. raw: "Name: value", folded as it is, without the CRLF at its end.
std::string canonical_field(std::string_view raw, Form form);

// What is signed: the fields that `names` names (each name takes the next one from below, section 5.4.2; there may be
// none), then the signature's own field with an empty b=, without a CRLF at its end.
std::string header_to_sign(std::string_view header, const std::vector<std::string>& names, std::string_view signature,
                           Form form);

}  // namespace sidegate::dkim
