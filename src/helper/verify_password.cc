#include "helper/verify_password.h"

#include <errno.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <string.h>
#include <sys/socket.h>

#include <cstdlib>

namespace sidegate::helper {
namespace {

struct Login {
  const char* user;
  const char* password;
};

// What a module asks for: the password where it may not be seen, the name where it may; nothing else is answered.
int converse(int count, const pam_message** messages, pam_response** responses, void* data) {
  if (count <= 0 || count > PAM_MAX_NUM_MSG) return PAM_CONV_ERR;
  const Login& login = *static_cast<Login*>(data);
  auto* out = static_cast<pam_response*>(calloc(static_cast<std::size_t>(count), sizeof(pam_response)));
  if (out == nullptr) return PAM_BUF_ERR;
  for (int i = 0; i < count; ++i) {
    if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF) out[i].resp = strdup(login.password);
    if (messages[i]->msg_style == PAM_PROMPT_ECHO_ON) out[i].resp = strdup(login.user);
  }
  *responses = out;
  return PAM_SUCCESS;
}

// Who guesses is delayed by the server, which waits better than a process does.
void no_delay(int, unsigned, void*) {}

bool is_no(int code) {
  switch (code) {
    case PAM_AUTH_ERR:
    case PAM_USER_UNKNOWN:
    case PAM_MAXTRIES:
    case PAM_ACCT_EXPIRED:
    case PAM_NEW_AUTHTOK_REQD:
    case PAM_PERM_DENIED:
    case PAM_CRED_INSUFFICIENT:
    case PAM_AUTHTOK_EXPIRED:
      return true;
    default:
      return false;
  }
}

std::string read_password(int socket, std::size_t size) {
  std::string out(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    ssize_t n = recv(socket, out.data() + have, size - have, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return {};
    have += static_cast<std::size_t>(n);
  }
  return out;
}

Answer judged(pam_handle_t* pam, int code) {
  if (code != PAM_SUCCESS)
    return answer(is_no(code) ? Cause::kNotAllowed : Cause::kUnavailable, pam_strerror(pam, code));
  const void* item = nullptr;
  std::string name;
  if (pam_get_item(pam, PAM_USER, &item) == PAM_SUCCESS && item != nullptr) name = static_cast<const char*>(item);
  // Nobody guesses root's password by mail.
  const passwd* entry = getpwnam(name.c_str());
  if (name.empty() || (entry != nullptr && entry->pw_uid == 0)) return answer(Cause::kNotAllowed, "root");
  return answer(Cause::kDone, name);
}

}  // namespace

Answer verify_password(const Request& request, int socket) {
  std::string password = read_password(socket, request.size);
  if (password.empty() || password.find('\0') != std::string::npos) return answer(Cause::kNotAllowed, "no password");
  Login login{request.user.c_str(), password.c_str()};
  pam_conv conversation{&converse, &login};
  pam_handle_t* pam = nullptr;
  int code = pam_start(request.place.c_str(), request.user.c_str(), &conversation, &pam);
  if (code != PAM_SUCCESS) return answer(Cause::kUnavailable, "PAM cannot be started");
#ifdef PAM_FAIL_DELAY
  pam_set_item(pam, PAM_FAIL_DELAY, reinterpret_cast<const void*>(&no_delay));
#endif
  code = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
  if (code == PAM_SUCCESS) code = pam_acct_mgmt(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
  Answer out = judged(pam, code);
  pam_end(pam, code);
  explicit_bzero(password.data(), password.size());
  return out;
}

}  // namespace sidegate::helper
