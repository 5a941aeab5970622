#include "login/backend.h"
#include "login/password.h"

namespace sidegate::login {
namespace {

class FileBackend final : public Backend {
 public:
  explicit FileBackend(std::shared_ptr<const UserFile> users) : users_(std::move(users)) {}

  Verdict password(const std::string& name, const std::string& password, SteadyTime) override {
    const User* user = users_->find(canonical_name(name));
    // Unknown, disabled and wrong take the same: one hash, of the same cost.
    const bool good = user != nullptr ? verify_password(*user, password) : verify_nobody(*users_, password);
    if (!good || !user->may_log_in()) return std::nullopt;
    return user->name;
  }

 private:
  std::shared_ptr<const UserFile> users_;
};

}  // namespace

std::unique_ptr<Backend> make_file_backend(std::shared_ptr<const UserFile> users) {
  return std::make_unique<FileBackend>(std::move(users));
}

int milliseconds_left(SteadyTime until) {
  auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(until - SteadyTime(std::chrono::steady_clock::now()));
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

}  // namespace sidegate::login
