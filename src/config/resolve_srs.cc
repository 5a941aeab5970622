#include "base/i18n.h"
#include "base/text.h"
#include "config/resolve.h"

namespace sidegate::config {
namespace {

constexpr std::size_t kShortSecret = 16;

std::string secret_text(Draft& draft) {
  const Settings& s = draft.loaded.settings;
  if (s.srs_secret_file.empty()) return s.srs_secret;
  if (!s.srs_secret.empty()) {
    draft.error(draft.where("", 0, "srs_secret"), _("srs_secret and srs_secret_file are both given"),
                _("keep srs_secret_file and remove srs_secret"));
    return {};
  }
  return read_secret(draft, "", 0, "srs_secret_file", s.srs_secret_file, "srs_secret_file").value_or("");
}

}  // namespace

void resolve_srs(Draft& draft) {
  Settings& s = draft.loaded.settings;
  s.deliver.srs.domain = s.srs_domain.empty() ? s.hostname : s.srs_domain;
  s.deliver.srs.own = s.alias.local_domains;
  const std::string text = secret_text(draft);
  for (std::string_view word : split(text, ' ')) {
    if (word.empty()) continue;
    if (word.size() < kShortSecret) {
      const bool in_file = !s.srs_secret_file.empty();
      draft.warn(draft.where("", 0, in_file ? "srs_secret_file" : "srs_secret"),
                 _("the secret for return addresses is short: who guesses it can send mail through them"),
                 _("use 16 characters or more, or none: one is made then"));
    }
    s.deliver.srs.secrets.emplace_back(word);
  }
}

}  // namespace sidegate::config
