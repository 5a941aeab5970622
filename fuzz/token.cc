// A bearer token that claims to be signed, against one key that signed none: nobody gets in.
#include <string_view>

#include "check.h"
#include "login/dovecot_answer.h"
#include "login/jwt.h"

using namespace sidegate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string kKeys =
      R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";
  std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)login::looks_like_jwt(text);
  SIDEGATE_CHECK(!login::jwt_claims(text, kKeys));
  (void)login::jwt_claims("eyJhbGciOiJFUzI1NiJ9.e30.AAAA", text);
  if (auto verdict = login::dovecot_answer(text, "me"); verdict && *verdict && **verdict)
    SIDEGATE_CHECK(!login::canonical_name(***verdict).empty());
  return 0;
}
