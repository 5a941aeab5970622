#include "config/files.h"

#include <sys/stat.h>

#include <optional>

#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::config {
namespace {

// "LENGTH:octets", one after the other: names and contents in turn.
void put(std::string& out, std::string_view text) {
  out.append(std::to_string(text.size())).append(":").append(text);
}

std::optional<std::string> take(std::string_view& in) {
  auto colon = in.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto size = parse_number(in.substr(0, colon));
  if (!size || *size > in.size() - colon - 1) return std::nullopt;
  std::string text(in.substr(colon + 1, *size));
  in.remove_prefix(colon + 1 + *size);
  return text;
}

FileError not_handed_over(const std::string& path) {
  return {tr("{} was not handed over", path), {}};
}

}  // namespace

std::optional<Files::Stamp> Files::stamp_of(const std::string& path) {
  struct stat st{};
  if (stat(path.c_str(), &st) != 0) return std::nullopt;  // links are followed: certbot's lead into its archive
  return Stamp{st.st_dev, st.st_ino, static_cast<std::uint64_t>(st.st_size), st.st_mtim.tv_sec, st.st_mtim.tv_nsec};
}

template <typename Fn>
std::expected<std::string, FileError> Files::remember(const std::string& path, Fn read) {
  auto known = read_.find(path);
  if (known != read_.end() && known->second.pinned) return known->second.content;
  if (from_memory_) {
    if (known == read_.end()) return std::unexpected(not_handed_over(path));
    return known->second.content;
  }
  // Before it is read: a change in between is then seen the next time.
  const std::optional<Stamp> stamp = stamp_of(path);
  std::expected<std::string, FileError> content = read();
  if (content) read_[path] = {*content, stamp ? stamp : Stamp{}, false};
  return content;
}

std::expected<std::string, FileError> Files::text(const std::string& path, std::size_t limit) {
  return remember(path, [&] { return read_text_file(path, limit); });
}

std::expected<std::string, FileError> Files::secret(const std::string& given, unsigned service_group,
                                                    bool readable_by_all) {
  const std::string path = secret_place(given);
  auto secret = remember(path, [&] { return read_secret_file(path, service_group, readable_by_all); });
  if (!secret && path != given) {
    secret.error().next = tr("give the unit a line LoadCredential={}:FILE; only what systemd starts has credentials",
                             credential_name(given));
  }
  return secret;
}

std::expected<std::string, FileError> Files::key(const std::string& path, bool readable_by_all) {
  return remember(path, [&] { return read_key_file(path, readable_by_all); });
}

void Files::expect(const std::string& path) {
  if (!from_memory_ && !stamp_of(path)) expected_.push_back(path);
}

bool Files::changed() const {
  for (const std::string& path : expected_) {
    if (stamp_of(path)) return true;
  }
  for (const auto& [path, read] : read_) {
    if (read.stamp && stamp_of(path) != read.stamp) return true;
  }
  return false;
}

Files Files::again(const std::string& kept) const {
  Files fresh;
  if (auto at = read_.find(kept); at != read_.end()) fresh.read_[kept] = {at->second.content, std::nullopt, true};
  return fresh;
}

std::string Files::packed() const {
  std::string out;
  for (const auto& [path, read] : read_) {
    put(out, path);
    put(out, read.content);
  }
  return out;
}

Result<Files> Files::unpacked(std::string_view packed) {
  Files files;
  files.from_memory_ = true;
  while (!packed.empty()) {
    auto path = take(packed);
    auto content = path ? take(packed) : std::nullopt;
    if (!content) return fail(ErrorKind::kProtocol, "files handed over are malformed");
    files.read_[*path].content = std::move(*content);
  }
  return files;
}

}  // namespace sidegate::config
