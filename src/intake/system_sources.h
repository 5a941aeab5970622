// What resolving asks of this machine, asked of it directly: the user database, files. Where a process may not (the
// server reads no home folder), `forwards` and `users` bring the answers from one that may.
#pragma once

#include <functional>
#include <map>
#include <mutex>

#include "alias/sources.h"
#include "base/log.h"
#include "intake/alias_files.h"

namespace sidegate::intake {

class SystemSources final : public alias::Sources {  // thread-safe
 public:
  using FindUser = std::function<Result<std::optional<alias::User>>(const std::string& name)>;
  using ReadForward =
      std::function<Result<std::optional<std::string>>(const alias::User& user, const std::string& tag)>;

  // service: uid that may own :include: files, beside root and the owner of the alias file.
  SystemSources(unsigned service, Log& log) : service_(service), log_(log) {}
  // Before it is used.
  void set_users(FindUser find) { find_user_ = std::move(find); }
  void set_forwards(ReadForward read) { read_forward_ = std::move(read); }

  Result<std::optional<alias::User>> find_user(const std::string& name) override;
  Result<std::optional<std::string>> read_forward(const alias::User& user, const std::string& tag) override;
  // One that turns bad while we run: what it said before stays in force, told once.
  Result<std::string> read_include(const std::string& path, unsigned owner) override;

 private:
  struct Included {
    FileStamp stamp;
    std::string text;
    std::string told;
  };
  static constexpr std::size_t kMostIncluded = 1000;

  unsigned service_;
  Log& log_;
  FindUser find_user_;
  ReadForward read_forward_;
  std::mutex mutex_;
  std::map<std::string, Included> included_;
};

// The user database of this system (getpwnam_r: files, or whatever nsswitch.conf says). Blocks.
Result<std::optional<alias::User>> find_system_user(const std::string& name);
// ~/.forward read by this very process: for commands of root, or of the user in question.
Result<std::optional<std::string>> read_forward_file(const alias::User& user, const std::string& tag = {});

}  // namespace sidegate::intake
