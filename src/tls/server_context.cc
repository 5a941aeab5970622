#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/setup.h"

namespace sidegate::tls {
namespace {

// An encrypted key must fail; without this OpenSSL would ask on the terminal.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

}  // namespace

Result<std::shared_ptr<ServerContext>> ServerContext::make(const Identity& identity) {
  ERR_clear_error();
  std::shared_ptr<ServerContext> self(new ServerContext);
  self->ctx_ = new_context(TLS_server_method());
  if (self->ctx_ == nullptr) return fail(ErrorKind::kTls, "TLS: " + last_error());
  SSL_CTX* ctx = self->ctx_;
  SSL_CTX_set_default_passwd_cb(ctx, &no_passphrase);
  if (SSL_CTX_use_certificate_chain_file(ctx, identity.cert_file.c_str()) != 1) {
    return fail(ErrorKind::kTls, "certificate " + identity.cert_file + ": " + last_error());
  }
  if (SSL_CTX_use_PrivateKey_file(ctx, identity.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fail(ErrorKind::kTls, "private key " + identity.key_file + ": " + last_error());
  }
  if (SSL_CTX_check_private_key(ctx) != 1) {
    return fail(ErrorKind::kTls, "private key " + identity.key_file + " does not belong to the certificate " +
                                     identity.cert_file + ": " + last_error());
  }
  SSL_CTX_set_dh_auto(ctx, 1);
  // Tickets are kept by the client: a cache here would only hold memory.
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, 1);
  return self;
}

SSL* ServerContext::new_ssl() const {
  SSL* ssl = SSL_new(ctx_);
  if (ssl != nullptr) SSL_set_accept_state(ssl);
  return ssl;
}

ServerContext::~ServerContext() {
  SSL_CTX_free(ctx_);
}

}  // namespace sidegate::tls
