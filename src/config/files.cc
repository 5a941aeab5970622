#include "config/files.h"

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

std::expected<std::string, FileError> Files::text(const std::string& path, std::size_t limit) {
  if (from_memory_) {
    auto at = read_.find(path);
    if (at == read_.end()) return std::unexpected(not_handed_over(path));
    return at->second;
  }
  auto text = read_text_file(path, limit);
  if (text) read_[path] = *text;
  return text;
}

std::expected<std::string, FileError> Files::secret(const std::string& path, unsigned service_group,
                                                    bool readable_by_all) {
  if (from_memory_) return text(path, 0);
  auto text = read_secret_file(path, service_group, readable_by_all);
  if (text) read_[path] = *text;
  return text;
}

std::string Files::packed() const {
  std::string out;
  for (const auto& [path, content] : read_) {
    put(out, path);
    put(out, content);
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
    files.read_[*path] = std::move(*content);
  }
  return files;
}

}  // namespace sidegate::config
