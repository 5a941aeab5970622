#include "helper/safe_path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <climits>
#include <deque>

#include "base/text.h"

namespace sidegate::helper {
namespace {

constexpr unsigned kMostLinks = 16, kMostParts = 64;
constexpr int kWalk = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> parts;
  for (std::string_view part : split(path, '/')) {
    if (!part.empty() && part != ".") parts.emplace_back(part);
  }
  return parts;
}

// Root alone could have put it there.
bool is_administrators(int folder, const struct stat& link) {
  struct stat st{};
  return fstat(folder, &st) == 0 && st.st_uid == 0 && (st.st_mode & 022) == 0 && link.st_uid == 0;
}

std::expected<Descriptor, Answer> walk(std::deque<std::string> todo, const std::string& shown) {
  Descriptor at(open("/", kWalk));
  if (!at) return std::unexpected(system_trouble("opening /"));
  unsigned links = 0;
  for (unsigned steps = 0; !todo.empty(); ++steps) {
    if (steps > kMostParts) return std::unexpected(answer(Cause::kNotAllowed, shown + " is too deep"));
    std::string part = std::move(todo.front());
    todo.pop_front();
    struct stat st{};
    if (fstatat(at.get(), part.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
      return std::unexpected(system_trouble("looking for " + shown));
    if (S_ISLNK(st.st_mode)) {
      if (!is_administrators(at.get(), st) || ++links > kMostLinks)
        return std::unexpected(answer(Cause::kNotAllowed, fmt::format("{}: {} is a symbolic link", shown, part)));
      char target[PATH_MAX];
      ssize_t n = readlinkat(at.get(), part.c_str(), target, sizeof target);
      if (n <= 0 || static_cast<std::size_t>(n) >= sizeof target)
        return std::unexpected(system_trouble("looking for " + shown));
      std::string_view to(target, static_cast<std::size_t>(n));
      auto more = parts_of(to);
      todo.insert(todo.begin(), more.begin(), more.end());
      if (to.starts_with('/')) at = Descriptor(open("/", kWalk));
      continue;
    }
    Descriptor next(openat(at.get(), part.c_str(), kWalk));
    if (!next) return std::unexpected(system_trouble("opening " + shown));
    at = std::move(next);
  }
  return at;
}

}  // namespace

std::string Place::text(const Person& person) const {
  std::string text = below_home ? person.home : "";
  for (const std::string& part : parts) text += "/" + part;
  return text;
}

Result<Place> parse_place(std::string_view text, const Person& person) {
  Place place;
  if (text.starts_with("~/") || text.starts_with("%h/")) {
    place.below_home = true;
    text.remove_prefix(2);
  }
  if (!text.starts_with('/') && !place.below_home) return fail(ErrorKind::kBadInput, "the path is not absolute");
  std::string filled;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      filled += text[i];
      continue;
    }
    char what = ++i < text.size() ? text[i] : '\0';
    if (what == 'u') {
      filled += person.name;
    } else if (what == '%') {
      filled += '%';
    } else {
      return fail(ErrorKind::kBadInput, "of % the path may hold %u, %h at its beginning, and %%");
    }
  }
  place.folder = filled.ends_with('/');
  place.parts = parts_of(filled);
  bool good = !place.parts.empty() && filled.size() < PATH_MAX;
  for (const std::string& part : place.parts) good = good && part != ".." && part.size() <= NAME_MAX;
  if (!good) return fail(ErrorKind::kBadInput, "the path is empty, too long, or climbs with ..");
  return place;
}

std::expected<Descriptor, Answer> open_below(int folder, const std::string& name, bool make, const std::string& shown) {
  Descriptor fd(openat(folder, name.c_str(), kWalk));
  if (!fd && errno == ENOENT && make) {
    if (mkdirat(folder, name.c_str(), 0700) != 0 && errno != EEXIST)
      return std::unexpected(system_trouble("making " + shown));
    sync_folder(folder);
    fd = Descriptor(openat(folder, name.c_str(), kWalk));
  }
  if (fd) return fd;
  struct stat st{};
  int code = errno;
  if (fstatat(folder, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
    return std::unexpected(answer(Cause::kNotAllowed, shown + " is a symbolic link"));
  errno = code;
  return std::unexpected(system_trouble("opening " + shown));
}

std::expected<Descriptor, Answer> open_folder(const Place& place, const Person& person, bool last, bool make) {
  std::size_t count = place.parts.size() - (last ? 0 : 1);
  std::string shown = place.text(person);
  if (!place.below_home) {
    auto parts = std::deque<std::string>(place.parts.begin(), place.parts.begin() + static_cast<std::ptrdiff_t>(count));
    if (!last || !make || parts.empty()) return walk(std::move(parts), shown);
    // The last folder itself may be made: of a Maildir that stands beside others.
    std::string name = parts.back();
    parts.pop_back();
    auto parent = walk(std::move(parts), shown);
    if (!parent) return parent;
    return open_below(parent->get(), name, true, shown);
  }
  if (!person.home.starts_with('/'))
    return std::unexpected(answer(Cause::kNotAllowed, fmt::format("{} has no home folder", person.name)));
  auto home_parts = parts_of(person.home);
  for (const std::string& part : home_parts) {
    if (part == "..") return std::unexpected(answer(Cause::kNotAllowed, "the home folder's path climbs with .."));
  }
  auto at = walk(std::deque<std::string>(home_parts.begin(), home_parts.end()), person.home);
  for (std::size_t i = 0; at && i < count; ++i) {
    auto next = open_below(at->get(), place.parts[i], make, shown);
    at = std::move(next);
  }
  return at;
}

bool sync_folder(int folder) {
  Descriptor fd(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd && fsync(fd.get()) == 0;
}

}  // namespace sidegate::helper
