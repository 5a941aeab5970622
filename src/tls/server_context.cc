#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "base/text.h"
#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/setup.h"
#include "tls/ticket_keys.h"

namespace sidegate::tls {
namespace {

// TLS 1.2: forward secrecy always; AEAD first, then what old printers and mail programs have. Kinds of key are mixed:
// the client's wish decides between an ECDSA and an RSA certificate.
constexpr const char* kCiphers =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES256:ECDHE+AES128:!aNULL:!eNULL:!PSK:!SRP:!CAMELLIA:!"
    "ARIA";
constexpr long kTicketSeconds = 6 * 3600;

using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX, SSL_CTX_free>>;

// An encrypted key must fail; without this OpenSSL would ask on the terminal.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

// An identity with everything read.
struct Shown {
  std::vector<Certificate> chain;  // the leaf first
  Key key;
  CertificateFacts facts;
  int kind = 0;  // EVP_PKEY_RSA, EVP_PKEY_EC, ...
};

std::string whole_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

Result<Key> read_key(const Identity& identity) {
  const std::string pem = identity.key_pem.empty() ? whole_file(identity.key_file) : identity.key_pem;
  std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  Key key(PEM_read_bio_PrivateKey(in.get(), nullptr, &no_passphrase, nullptr));
  if (key == nullptr) return fail(ErrorKind::kTls, "private key " + identity.key_file + ": " + last_error());
  return key;
}

Result<Shown> read_identity(const Identity& identity) {
  ERR_clear_error();
  const std::string pem = identity.cert_pem.empty() ? whole_file(identity.cert_file) : identity.cert_pem;
  Shown shown;
  auto chain = read_certificates(pem, identity.cert_file);
  if (!chain) return std::unexpected(chain.error());
  shown.chain = std::move(*chain);
  auto key = read_key(identity);
  if (!key) return std::unexpected(key.error());
  shown.key = std::move(*key);
  X509* leaf = shown.chain.front().get();
  if (X509_check_private_key(leaf, shown.key.get()) != 1) {
    return fail(ErrorKind::kTls, "private key " + identity.key_file + " does not belong to the certificate " +
                                     identity.cert_file + ": " + last_error());
  }
  shown.kind = EVP_PKEY_get_base_id(shown.key.get());
  shown.facts = facts_of(leaf, identity.cert_file);
  return shown;
}

Status show(SSL_CTX* context, const Shown& shown) {
  STACK_OF(X509)* above = sk_X509_new_null();
  for (std::size_t i = 1; i < shown.chain.size(); ++i) sk_X509_push(above, shown.chain[i].get());
  int taken = SSL_CTX_use_cert_and_key(context, shown.chain.front().get(), shown.key.get(), above, 1);
  sk_X509_free(above);
  if (taken == 1) return {};
  return fail(ErrorKind::kTls, "certificate " + shown.facts.file + ": " + last_error());
}

// The handshake goes on whatever the client's certificate is worth: describe() says it, and who asks for EXTERNAL
// looks.
int note_and_go_on(int, X509_STORE_CTX*) {
  return 1;
}

Status ask_for_certificates(SSL_CTX* context, const ServerSettings& settings) {
  const std::string pem = settings.client_ca_pem.empty() ? whole_file(settings.client_ca_file) : settings.client_ca_pem;
  auto authorities = read_certificates(pem, settings.client_ca_file);
  if (!authorities) return std::unexpected(authorities.error());
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const Certificate& one : *authorities) {
    X509_STORE_add_cert(store, one.get());
    SSL_CTX_add_client_CA(context, one.get());
  }
  ERR_clear_error();
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, &note_and_go_on);
  return {};
}

int with_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                    int sealing) {
  auto* keys = static_cast<TicketKeys*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  if (sealing) return keys->seal(name, iv, cipher, mac);
  int opened = keys->open(name, iv, cipher, mac);
  // RFC 8446 appendix C.4: a ticket is used once, so who resumes gets the next one.
  return opened == 1 && SSL_version(ssl) == TLS1_3_VERSION ? 2 : opened;
}

Status set_ciphers(SSL_CTX* context, const std::string& wanted) {
  const std::string ciphers = wanted.empty() ? kCiphers : wanted;
  if (SSL_CTX_set_cipher_list(context, ciphers.c_str()) == 1) return {};
  return fail(ErrorKind::kTls, "ciphers \"" + ciphers + "\": " + last_error());
}

Result<Context> new_site(const ServerSettings& settings, TicketKeys* tickets) {
  Context made(new_context(TLS_server_method()));
  if (made == nullptr) return fail(ErrorKind::kTls, "TLS: " + last_error());
  SSL_CTX* ctx = made.get();
  if (settings.minimum == Version::kTls13) SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
  if (Status set = set_ciphers(ctx, settings.ciphers); !set) return std::unexpected(set.error());
  SSL_CTX_set_dh_auto(ctx, 1);
  // Tickets are kept by the client: a cache here would only hold memory.
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, 1);
  SSL_CTX_set_timeout(ctx, kTicketSeconds);
  SSL_CTX_set_app_data(ctx, tickets);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, &with_ticket_key);
  // A session verified by other CAs is none of this context's.
  unsigned char digest[SHA256_DIGEST_LENGTH];
  const std::string& authorities = settings.client_ca_pem;
  SHA256(reinterpret_cast<const unsigned char*>(authorities.data()), authorities.size(), digest);
  SSL_CTX_set_session_id_context(ctx, digest, SSL_MAX_SID_CTX_LENGTH);
  if (!settings.client_ca_file.empty()) {
    if (Status asked = ask_for_certificates(ctx, settings); !asked) return std::unexpected(asked.error());
  }
  return made;
}

// "*.example.org" is for one label (RFC 6125 section 6.4.3).
std::string wildcard_of(std::string_view name) {
  const std::size_t dot = name.find('.');
  return dot == std::string_view::npos ? std::string() : "*" + std::string(name.substr(dot));
}

bool is_for(const CertificateFacts& facts, const std::string& name) {
  const std::string wildcard = wildcard_of(name);
  return std::ranges::any_of(facts.names,
                             [&](const std::string& own) { return iequals(own, name) || iequals(own, wildcard); });
}

}  // namespace

Status use_identity(SSL_CTX* context, const Identity& identity) {
  auto shown = read_identity(identity);
  if (!shown) return std::unexpected(shown.error());
  return show(context, *shown);
}

// A site is one SSL_CTX: for a set of names, a certificate of each kind of key.
struct ServerContext::Sites {
  std::map<std::string, SSL_CTX*, std::less<>> by_name;  // lower case; "*.example.org" too
  std::map<std::vector<std::size_t>, Context> all;       // by the identities it shows
  SSL_CTX* first = nullptr;

  // The identities for a name: the first of each kind of key.
  static std::vector<std::size_t> showing(const std::vector<Shown>& identities, const std::string& name) {
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < identities.size(); ++i) {
      bool has_kind =
          std::ranges::any_of(chosen, [&](std::size_t j) { return identities[j].kind == identities[i].kind; });
      if (is_for(identities[i].facts, name) && !has_kind) chosen.push_back(i);
    }
    return chosen;
  }

  Result<SSL_CTX*> site(const std::vector<std::size_t>& which, const std::vector<Shown>& identities,
                        const ServerSettings& settings, TicketKeys* tickets) {
    if (auto at = all.find(which); at != all.end()) return at->second.get();
    auto made = new_site(settings, tickets);
    if (!made) return std::unexpected(made.error());
    for (std::size_t i : which) {
      if (Status shown = show(made->get(), identities[i]); !shown) return std::unexpected(shown.error());
    }
    SSL_CTX* context = made->get();
    all.emplace(which, std::move(*made));
    return context;
  }

  SSL_CTX* find(std::string_view name) const {
    const std::string plain = lower(name);
    if (auto at = by_name.find(plain); at != by_name.end()) return at->second;
    auto at = by_name.find(wildcard_of(plain));
    return at == by_name.end() ? nullptr : at->second;
  }

  // RFC 6066 section 3. A name that is none of ours is no error: mail servers ask for the name of the domain they have
  // mail for, or for their own.
  static int by_server_name(SSL* ssl, int*, void* self) {
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX* site = name == nullptr ? nullptr : static_cast<const Sites*>(self)->find(name);
    if (site == nullptr) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_SSL_CTX(ssl, site);
    return SSL_TLSEXT_ERR_OK;
  }
};

Result<std::shared_ptr<ServerContext>> ServerContext::make(const Identity& identity) {
  ServerSettings settings;
  settings.identities.push_back(identity);
  return serve(settings);
}

Status check_ciphers(const std::string& ciphers) {
  ERR_clear_error();
  const Context tried(new_context(TLS_server_method()));
  if (tried == nullptr) return fail(ErrorKind::kTls, "TLS: " + last_error());
  return set_ciphers(tried.get(), ciphers);
}

Result<std::shared_ptr<ServerContext>> ServerContext::serve(const ServerSettings& settings,
                                                            std::shared_ptr<TicketKeys> tickets) {
  if (settings.identities.empty()) return fail(ErrorKind::kBadInput, "TLS: no certificate is given");
  std::shared_ptr<ServerContext> self(new ServerContext);
  self->tickets_ = tickets ? std::move(tickets) : std::make_shared<TicketKeys>(system_clock());
  self->sites_ = std::make_unique<Sites>();
  std::vector<Shown> identities;
  for (const Identity& identity : settings.identities) {
    auto shown = read_identity(identity);
    if (!shown) return std::unexpected(shown.error());
    self->facts_.push_back(shown->facts);
    identities.push_back(std::move(*shown));
  }
  Sites& sites = *self->sites_;
  for (std::size_t i = 0; i < identities.size(); ++i) {
    std::vector<std::string> names = identities[i].facts.names;
    if (names.empty()) names.emplace_back();  // it can be shown, and asked for by nobody
    for (const std::string& name : names) {
      std::vector<std::size_t> which = Sites::showing(identities, name);
      if (which.empty()) which = {i};
      auto site = sites.site(which, identities, settings, self->tickets_.get());
      if (!site) return std::unexpected(site.error());
      sites.by_name.emplace(lower(name), *site);
      if (sites.first == nullptr) sites.first = *site;
    }
  }
  SSL_CTX_set_tlsext_servername_callback(sites.first, &Sites::by_server_name);
  SSL_CTX_set_tlsext_servername_arg(sites.first, &sites);
  return self;
}

SSL* ServerContext::new_ssl() const {
  SSL* ssl = SSL_new(sites_->first);
  if (ssl != nullptr) SSL_set_accept_state(ssl);
  return ssl;
}

ServerContext::~ServerContext() = default;

}  // namespace sidegate::tls
