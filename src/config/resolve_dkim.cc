// Keys that sign: read and looked at when the configuration is, so that none is found wanting when mail waits.
#include <unistd.h>

#include "base/i18n.h"
#include "base/text.h"
#include "config/resolve.h"
#include "config/secret_file.h"
#include "dkim/signer.h"
#include "mail/idna.h"

namespace sidegate::config {
namespace {

constexpr unsigned kGoodRsa = 2048;

std::shared_ptr<const dkim::Key> read_key(Draft& draft, std::size_t i, const DkimBlock& block) {
  const Where where = draft.where("dkim", i, "key_file");
  const bool of_container = where.file.starts_with('$') && is_container_secret(block.key_file);
  auto pem = draft.request.files->key(secret_place(block.key_file), of_container);
  if (!pem) {
    draft.error(where, fmt::format("key_file: {}", pem.error().what),
                access(secret_place(block.key_file).c_str(), F_OK) != 0
                    ? tr("make one: sidegate dkim new {}", block.domain)
                    : pem.error().next);
    return nullptr;
  }
  auto key = dkim::Key::from_pem(*pem);
  if (!key) {
    draft.error(where, fmt::format("key_file: {}: {}", block.key_file, key.error().text),
                tr("make one: sidegate dkim new {}", block.domain));
    return nullptr;
  }
  if (key->algorithm() == dkim::Algorithm::kRsa && key->bits() < kGoodRsa)
    draft.warn(where, tr("key_file: an RSA key of {} bits is short; many receivers want 2048", key->bits()),
               tr("make a new one beside it: sidegate dkim new {}", block.domain));
  return std::make_shared<const dkim::Key>(std::move(*key));
}

bool is_twice(Draft& draft, std::size_t i) {
  const auto& blocks = draft.loaded.settings.dkim;
  for (std::size_t j = 0; j < i; ++j) {
    if (blocks[j].domain != blocks[i].domain || !iequals(blocks[j].selector, blocks[i].selector)) continue;
    draft.error(draft.where("dkim", i, "selector"),
                tr("selector {} of {} is there twice", quoted(blocks[i].selector), blocks[i].domain),
                _("give each key a selector of its own"));
    return true;
  }
  return false;
}

}  // namespace

void resolve_dkim(Draft& draft) {
  Settings& s = draft.loaded.settings;
  std::vector<dkim::Signer> signers;
  for (std::size_t i = 0; i < s.dkim.size(); ++i) {
    const DkimBlock& block = s.dkim[i];
    if (block.domain.empty() || block.selector.empty() || block.key_file.empty()) continue;  // told of already
    if (is_twice(draft, i) || !draft.request.open_files) continue;
    dkim::Signer signer;
    const auto ascii = mail::to_ascii(block.domain);  // RFC 6376 section 3.5: d= has A-labels
    signer.domain = ascii ? *ascii : block.domain;
    signer.selector = block.selector;
    signer.subdomains = block.subdomains;
    signer.header_form = block.canonicalization.starts_with("simple") ? dkim::Form::kSimple : dkim::Form::kRelaxed;
    signer.body_form = block.canonicalization.ends_with("simple") ? dkim::Form::kSimple : dkim::Form::kRelaxed;
    if (!block.headers.empty()) signer.headers = block.headers;
    signer.key = read_key(draft, i, block);
    if (signer.key) signers.push_back(std::move(signer));
  }
  if (!signers.empty()) s.deliver.dkim = std::make_shared<const dkim::Signers>(std::move(signers));
}

}  // namespace sidegate::config
