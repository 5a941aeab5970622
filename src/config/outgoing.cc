#include "config/outgoing.h"

#include "base/i18n.h"
#include "config/proxy.h"
#include "config/secret_file.h"

namespace sidegate::config {

void Outgoing::error(std::string_view key, std::string what, std::string next) const {
  if (!title.empty()) what = fmt::format("{}: {}", title, what);
  draft.error(draft.where(list, index, key), std::move(what), std::move(next));
}

void read_proxy(const Outgoing& out, deliver::Proxy& proxy) {
  const std::string url = proxy.url;
  if (url.empty()) return;
  auto parsed = parse_proxy(url);
  if (!parsed)
    return out.error("proxy", tr("proxy: {}", parsed.error().text), _("write proxy = \"socks5://127.0.0.1:1080\""));
  proxy = std::move(*parsed);
  proxy.url = url;
}

void read_certificate(const Outgoing& out, tls::Identity& own) {
  if (own.cert_file.empty()) {
    if (!own.key_file.empty()) out.error("tls_key", _("tls_key is given and no tls_certificate"));
    return;
  }
  if (own.key_file.empty()) own.key_file = own.cert_file;
  if (!out.draft.request.open_files) return;
  Files& files = *out.draft.request.files;
  auto key = files.key(own.key_file, is_container_secret(own.key_file));
  auto cert = own.cert_file == own.key_file ? key : files.text(own.cert_file, 1 << 20);
  if (!cert) return out.error("tls_certificate", cert.error().what, cert.error().next);
  if (!key) return out.error("tls_key", key.error().what, key.error().next);
  own.cert_pem = std::move(*cert);
  own.key_pem = std::move(*key);
  tls::PeerPolicy policy;
  policy.own = own;
  if (auto made = tls::ClientContext::make(std::move(policy)); !made) out.error("tls_certificate", made.error().text);
}

}  // namespace sidegate::config
