// What a client sends in an AUTH exchange: the first octet chooses the mechanism, responses are separated by LF.
#include "auth/server.h"
#include "base/text.h"
#include "check.h"

using namespace sidegate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto& rows = auth::server_mechanisms();
  const auto& row = rows[data[0] % rows.size()];
  auto mechanism = auth::make_server_mechanism(
      row.name, {.binding_type = "tls-exporter", .binding_data = "binding", .external = "me@example.net"});
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto responses = split(text, '\n');
  std::size_t at = 0;
  bool initial = (data[0] & 0x80) != 0;
  auth::ServerStep step = initial ? mechanism->begin(responses[at++]) : mechanism->begin(std::nullopt);
  using Kind = auth::ServerStep::Kind;
  for (int i = 0; i < 16; ++i) {
    if (step.kind == Kind::kDone || step.kind == Kind::kFailed) break;
    SIDEGATE_CHECK(row.needs != auth::Needs::kScramSha256 || step.kind != Kind::kPassword);
    if (step.kind == Kind::kSecret) {
      step = mechanism->secret(auth::fake_secret("key", step.user, 1));
    } else if (step.kind == Kind::kPassword || step.kind == Kind::kToken) {
      SIDEGATE_CHECK(is_utf8(step.user) && !step.password.empty());
      step = mechanism->verified(std::nullopt);
    } else {
      if (at == responses.size()) break;
      step = mechanism->response(responses[at++]);
    }
  }
  // Nothing but a certificate lets anybody in here.
  SIDEGATE_CHECK(step.kind != Kind::kDone || row.needs == auth::Needs::kCertificate);
  return 0;
}
