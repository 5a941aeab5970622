#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <deque>
#include <mutex>

#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/freed.h"
#include "tls/setup.h"

namespace sidegate::tls {
namespace {

using Session = std::unique_ptr<SSL_SESSION, Freed<SSL_SESSION, SSL_SESSION_free>>;

constexpr std::size_t kMostSessions = 8;

// Every certificate of `pem` is a trust anchor; false where there is none, or one that cannot be read.
bool trust(SSL_CTX* context, const std::string& pem) {
  std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  unsigned count = 0;
  while (X509* certificate = PEM_read_bio_X509_AUX(in.get(), nullptr, nullptr, nullptr)) {
    bool added = X509_STORE_add_cert(store, certificate) == 1;
    X509_free(certificate);
    if (!added) return false;
    ++count;
  }
  bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (count == 0 || !at_end) return false;
  ERR_clear_error();
  return true;
}

// The one version to be tried; false: there is none of that name.
bool restrict_to(SSL_CTX* context, const std::string& version) {
  static constexpr std::pair<std::string_view, int> kVersions[] = {
      {"TLSv1", TLS1_VERSION}, {"TLSv1.1", TLS1_1_VERSION}, {"TLSv1.2", TLS1_2_VERSION}, {"TLSv1.3", TLS1_3_VERSION}};
  for (const auto& [name, number] : kVersions) {
    if (version != name) continue;
    // Their handshakes are signed with SHA-1, which OpenSSL allows at level 0 alone.
    if (number < TLS1_2_VERSION && SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0") != 1) return false;
    return SSL_CTX_set_min_proto_version(context, number) == 1 && SSL_CTX_set_max_proto_version(context, number) == 1;
  }
  return false;
}

// The records, and the names that go with DANE-TA. False: none of them can be used, and nothing may be taken for
// verified.
bool expect(SSL* ssl, const PeerPolicy& policy) {
  if (SSL_dane_enable(ssl, policy.name.c_str()) <= 0) return false;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  for (const std::string& name : policy.names) {
    if (SSL_add1_host(ssl, name.c_str()) != 1) return false;
  }
  bool any = false;
  for (const Tlsa& one : policy.tlsa) {
    const auto* data = reinterpret_cast<const unsigned char*>(one.data.data());
    any |= SSL_dane_tlsa_add(ssl, one.usage, one.selector, one.matching, data, one.data.size()) == 1;
  }
  ERR_clear_error();
  return any;
}

}  // namespace

// The last tickets the peer gave us, newest at the back. Filled and taken by all threads.
struct ClientContext::Sessions {
  std::mutex mutex;
  std::deque<Session> kept;

  void keep(Session session) {
    std::lock_guard lock(mutex);
    kept.push_back(std::move(session));
    if (kept.size() > kMostSessions) kept.pop_front();
  }

  Session take() {
    std::lock_guard lock(mutex);
    if (kept.empty()) return nullptr;
    Session newest = std::move(kept.back());
    kept.pop_back();
    // RFC 8446 appendix C.4: a TLS 1.3 ticket is used once; a TLS 1.2 session as often as the peer takes it.
    if (SSL_SESSION_get_protocol_version(newest.get()) < TLS1_3_VERSION && SSL_SESSION_up_ref(newest.get()) == 1) {
      kept.emplace_back(newest.get());
    }
    return newest;
  }

  static int on_new(SSL* ssl, SSL_SESSION* session) {
    auto* sessions = static_cast<Sessions*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    if (SSL_SESSION_is_resumable(session) != 1) return 0;
    sessions->keep(Session(session));
    return 1;  // we keep the reference
  }
};

Result<std::shared_ptr<ClientContext>> ClientContext::make(PeerPolicy policy) {
  ERR_clear_error();
  std::shared_ptr<ClientContext> self(new ClientContext);
  self->policy_ = std::move(policy);
  // RFC 6066 section 3 and X.509 know no trailing dot.
  if (self->policy_.name.ends_with('.')) self->policy_.name.pop_back();
  self->sessions_ = std::make_unique<Sessions>();
  self->ctx_ = new_context(TLS_client_method());
  if (self->ctx_ == nullptr) return fail(ErrorKind::kTls, "TLS: " + last_error());
  const std::string& version = self->policy_.only_version;
  if (!version.empty() && !restrict_to(self->ctx_, version))
    return fail(ErrorKind::kTls, "TLS: cannot speak " + version);
  const std::string& ca_file = self->policy_.ca_file;
  if (!ca_file.empty()) {
    const std::string& pem = self->policy_.ca_pem;
    bool trusted = pem.empty() ? SSL_CTX_load_verify_file(self->ctx_, ca_file.c_str()) == 1 : trust(self->ctx_, pem);
    if (!trusted) return fail(ErrorKind::kTls, "CA file " + ca_file + ": " + last_error());
  } else {
    // The hashed directory is read as certificates are needed: nothing is held in memory for what is never asked.
    SSL_CTX_set_default_verify_paths(self->ctx_);
    ERR_clear_error();
  }
  if (!self->policy_.tlsa.empty()) {
    if (SSL_CTX_dane_enable(self->ctx_) != 1) return fail(ErrorKind::kTls, "TLS: " + last_error());
    // RFC 7672 section 3.1.1: DANE-EE says nothing of names.
    SSL_CTX_dane_set_flags(self->ctx_, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
  }
  if (!self->policy_.own.cert_file.empty()) {
    if (Status shown = use_identity(self->ctx_, self->policy_.own); !shown) return std::unexpected(shown.error());
  }
  // The handshake goes on with a bad certificate, so that judge() can tell the reason.
  SSL_CTX_set_verify(self->ctx_, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_session_cache_mode(self->ctx_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_app_data(self->ctx_, self->sessions_.get());
  SSL_CTX_sess_set_new_cb(self->ctx_, &Sessions::on_new);
  return self;
}

SSL* ClientContext::new_ssl() const {
  SSL* ssl = SSL_new(ctx_);
  if (ssl == nullptr) return nullptr;
  SSL_set_connect_state(ssl);
  if (!policy_.tlsa.empty() && !expect(ssl, policy_)) {
    SSL_free(ssl);
    return nullptr;
  }
  // RFC 6066 section 3: the server name is a DNS name, never an address.
  if (!policy_.name.empty() && !is_ip_address(policy_.name)) SSL_set_tlsext_host_name(ssl, policy_.name.c_str());
  if (Session session = sessions_->take()) SSL_set_session(ssl, session.get());
  return ssl;
}

ClientContext::~ClientContext() {
  if (ctx_ != nullptr) SSL_CTX_sess_set_new_cb(ctx_, nullptr);  // an SSL may outlive us; sessions_ does not
  SSL_CTX_free(ctx_);
}

}  // namespace sidegate::tls
