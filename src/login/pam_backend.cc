// PAM, in the helper process: it is root, and forks for each check.
#include "helper/client.h"
#include "login/backend.h"

namespace sidegate::login {
namespace {

class PamBackend final : public Backend {
 public:
  PamBackend(const helper::Client& helper, std::string service) : helper_(helper), service_(std::move(service)) {}

  Verdict password(const std::string& user, const std::string& password, SteadyTime until) override {
    if (!helper::is_user_name(user)) return std::nullopt;
    auto answer = helper_.verify_password(user, service_, password, Duration(milliseconds_left(until)));
    if (!answer) {
      if (answer.error().kind == ErrorKind::kAuth) return std::nullopt;
      return std::unexpected(answer.error());
    }
    std::string name = canonical_name(*answer);
    if (name.empty()) return std::nullopt;
    return name;
  }

 private:
  const helper::Client& helper_;
  std::string service_;
};

}  // namespace

std::unique_ptr<Backend> make_pam_backend(const helper::Client& helper, std::string service) {
  return std::make_unique<PamBackend>(helper, std::move(service));
}

}  // namespace sidegate::login
