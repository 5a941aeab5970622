// Our file of users: what is read is written so that it is read the same, and a change touches one user alone.
#include <string_view>

#include "check.h"
#include "login/user_file.h"

using namespace sidegate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto file = login::UserFile::parse(text);
  for (const login::User& user : file.users()) {
    auto again = login::UserFile::parse(login::user_line(user));
    const login::User* read = again.find(user.name);
    SIDEGATE_CHECK(read != nullptr && read->hash == user.hash && read->keys.sha256 == user.keys.sha256 &&
                   read->keys.password == user.keys.password && read->disabled == user.disabled);
  }
  if (file.users().empty()) return 0;
  login::User first = file.users().front();
  first.disabled = true;
  auto changed = login::UserFile::parse(login::with_user(text, first));
  SIDEGATE_CHECK(changed.users().size() == file.users().size() && changed.find(first.name)->disabled);
  auto removed = login::UserFile::parse(login::without_user(text, first.name));
  SIDEGATE_CHECK(removed.find(first.name) == nullptr);
  return 0;
}
