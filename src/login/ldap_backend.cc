// A bind as the user (RFC 4511 section 4.2, 4513 section 5.1): with a name made from a pattern, or found by a search.
#include <ldap.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <memory>

#include "base/text.h"
#include "login/backend.h"
#include "login/ldap_name.h"

namespace sidegate::login {
namespace {

struct Unbind {
  void operator()(LDAP* ld) const { ldap_unbind_ext_s(ld, nullptr, nullptr); }
};
using Connection = std::unique_ptr<LDAP, Unbind>;

std::unexpected<Error> trouble(int code, const char* what) {
  return fail(code == LDAP_TIMEOUT ? ErrorKind::kTimeout : ErrorKind::kUnreachable,
              fmt::format("{}: {}", what, ldap_err2string(code)));
}

bool says_no(int code) {
  return code == LDAP_INVALID_CREDENTIALS || code == LDAP_NO_SUCH_OBJECT || code == LDAP_INVALID_DN_SYNTAX ||
         code == LDAP_INAPPROPRIATE_AUTH || code == LDAP_INSUFFICIENT_ACCESS || code == LDAP_UNWILLING_TO_PERFORM;
}

int bind_as(LDAP* ld, const std::string& dn, const std::string& password) {
  berval credentials{password.size(), const_cast<char*>(password.data())};
  return ldap_sasl_bind_s(ld, dn.c_str(), LDAP_SASL_SIMPLE, &credentials, nullptr, nullptr, nullptr);
}

// CA certificates where libldap finds them: it takes a path alone, and the server may not open the file itself. Memory
// that has a path is read again for each connection.
class TrustedFile {
 public:
  TrustedFile(const std::string& file, const std::string& pem) : path_(file) {
    if (pem.empty()) return;
    fd_ = memfd_create("ldap-ca", MFD_CLOEXEC);
    if (fd_ < 0 || ::write(fd_, pem.data(), pem.size()) != static_cast<ssize_t>(pem.size())) return;
    path_ = fmt::format("/proc/self/fd/{}", fd_);
  }
  ~TrustedFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  TrustedFile(const TrustedFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_ = -1;
};

class LdapBackend final : public Backend {
 public:
  explicit LdapBackend(LdapSettings settings) : s_(std::move(settings)), ca_(s_.ca_file, s_.ca_pem) {}

  Verdict password(const std::string& user, const std::string& password, SteadyTime until) override {
    // RFC 4513 section 5.1.2: a bind without a password succeeds, and proves nothing.
    std::string name = canonical_name(user);
    if (password.empty() || name.empty()) return std::nullopt;
    auto connection = open(until);
    if (!connection) return std::unexpected(connection.error());
    LDAP* ld = connection->get();
    auto dn = s_.user_dn.empty() ? find(ld, name) : Result<std::string>(filled(s_.user_dn, name, dn_escaped));
    if (!dn) return std::unexpected(dn.error());
    if (milliseconds_left(until) == 0) return fail(ErrorKind::kTimeout, "no answer in time");
    set_times(ld, until);
    int code = bind_as(ld, *dn, password);
    if (code == LDAP_SUCCESS) return name;
    if (says_no(code)) return std::nullopt;
    return trouble(code, "bind");
  }

 private:
  static void set_times(LDAP* ld, SteadyTime until) {
    const int left = std::max(1, milliseconds_left(until));
    timeval time{left / 1000, (left % 1000) * 1000};
    ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &time);
    ldap_set_option(ld, LDAP_OPT_TIMEOUT, &time);
  }

  Result<Connection> open(SteadyTime until) const {
    LDAP* raw = nullptr;
    if (int code = ldap_initialize(&raw, s_.url.c_str()); code != LDAP_SUCCESS) return trouble(code, s_.url.c_str());
    Connection ld(raw);
    int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, server = 0;
    ldap_set_option(raw, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(raw, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);  // a password goes to the server that was configured
    ldap_set_option(raw, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
    if (!ca_.path().empty()) ldap_set_option(raw, LDAP_OPT_X_TLS_CACERTFILE, ca_.path().c_str());
    ldap_set_option(raw, LDAP_OPT_X_TLS_NEWCTX, &server);
    set_times(raw, until);
    if (s_.starttls && istarts_with(s_.url, "ldap://")) {
      if (int code = ldap_start_tls_s(raw, nullptr, nullptr); code != LDAP_SUCCESS) return trouble(code, "StartTLS");
    }
    return ld;
  }

  // The one entry that the filter finds. Where there is none, a name that nobody has: a bind as it takes what another
  // takes.
  Result<std::string> find(LDAP* ld, const std::string& name) const {
    if (!s_.bind_dn.empty()) {
      if (int code = bind_as(ld, s_.bind_dn, s_.bind_password); code != LDAP_SUCCESS)
        return trouble(code, "bind for the search");
    }
    std::string filter = filled(s_.filter, name, filter_escaped);
    char no_attributes[] = "1.1";
    char* attributes[] = {no_attributes, nullptr};
    LDAPMessage* raw = nullptr;
    int code = ldap_search_ext_s(ld, s_.base.c_str(), LDAP_SCOPE_SUBTREE, filter.c_str(), attributes, 0, nullptr,
                                 nullptr, nullptr, 2, &raw);
    std::unique_ptr<LDAPMessage, decltype(&ldap_msgfree)> found(raw, &ldap_msgfree);
    const std::string nobody = "cn=nobody-of-this-name," + s_.base;
    if (code == LDAP_NO_SUCH_OBJECT) return nobody;
    if (code == LDAP_SIZELIMIT_EXCEEDED) return fail(ErrorKind::kProtocol, "the search finds several entries");
    if (code != LDAP_SUCCESS) return trouble(code, "search");
    int count = ldap_count_entries(ld, raw);
    if (count > 1) return fail(ErrorKind::kProtocol, "the search finds several entries");
    LDAPMessage* entry = ldap_first_entry(ld, raw);
    if (entry == nullptr) return nobody;
    char* dn = ldap_get_dn(ld, entry);
    if (dn == nullptr) return fail(ErrorKind::kProtocol, "an entry without a name");
    std::string out = dn;
    ldap_memfree(dn);
    if (out.empty()) return nobody;  // a bind without a name would be anonymous
    return out;
  }

  LdapSettings s_;
  TrustedFile ca_;
};

}  // namespace

std::unique_ptr<Backend> make_ldap_backend(LdapSettings settings) {
  return std::make_unique<LdapBackend>(std::move(settings));
}

}  // namespace sidegate::login
