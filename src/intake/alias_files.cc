#include "intake/alias_files.h"

#include <ctime>

#include "base/i18n.h"

namespace sidegate::intake {
namespace {

// Somebody may just be writing it: emptied, or without the end of its last line, within the last second. What the clock
// says does not matter much: the next look comes soon.
bool half_written(const TrustedFile& file) {
  if (!file.text.empty() && file.text.ends_with('\n')) return false;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  auto age = now.tv_sec - file.stamp.modified.tv_sec;
  return age == 0 || age == 1;
}

alias::MapFile parse(const std::string& path, const TrustedFile& read, bool is_virtual) {
  alias::MapFile file = is_virtual ? alias::parse_virtual(path, read.text) : alias::parse_aliases(path, read.text);
  file.owner = read.owner;
  return file;
}

alias::MapFile unread(const std::string& path, const Error& error) {
  bool missing = error.kind == ErrorKind::kNotFound;
  if (missing && path == alias::kDefaultFile) {  // the one that need not be there
    alias::MapFile none;
    none.path = path;
    return none;
  }
  return alias::MapFile::unread(path, {alias::Severity::kError,
                                       {path, 0},
                                       error.text,
                                       missing ? tr("touch {}", path) : _("mend it; mail for what it may say waits")});
}

}  // namespace

std::vector<std::string> folders_of(const alias::Settings& settings) {
  std::vector<std::string> out;
  auto add = [&](const std::string& path) {
    std::size_t slash = path.rfind('/');
    out.push_back(slash == 0 || slash == std::string::npos ? path : path.substr(0, slash));
  };
  for (const std::string& path : settings.alias_files) add(path);
  for (const std::string& path : settings.virtual_files) add(path);
  AliasFiles files(null_log());
  files.set_settings(settings);
  for (const alias::MapFile& file : files.current()->tables.alias_files()) {
    for (const alias::Entry& entry : file.entries) {
      for (const alias::Target& target : entry.targets) {
        if (target.kind == alias::TargetKind::kInclude) add(target.text);
      }
    }
  }
  return out;
}

void AliasFiles::set_settings(alias::Settings settings) {
  std::lock_guard lock(reading_);
  settings_ = std::move(settings);
  for (const std::string& path : settings_.alias_files) look_at(path, false);
  for (const std::string& path : settings_.virtual_files) look_at(path, true);
  publish();
}

std::shared_ptr<const AliasSnapshot> AliasFiles::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

unsigned AliasFiles::version() const {
  std::lock_guard lock(mutex_);
  return version_;
}

void AliasFiles::look() {
  std::lock_guard lock(reading_);
  bool changed = false;
  for (const std::string& path : settings_.alias_files) changed |= look_at(path, false);
  for (const std::string& path : settings_.virtual_files) changed |= look_at(path, true);
  if (changed) publish();
}

bool AliasFiles::look_at(const std::string& path, bool is_virtual) {
  Known& known = known_[(is_virtual ? "v:" : "a:") + path];
  FileStamp stamp = FileStamp::of(path);
  if (known.file && known.stamp == stamp) return false;
  auto before = known.file;
  read(known, path, is_virtual);
  return known.file != before;
}

void AliasFiles::read(Known& known, const std::string& path, bool is_virtual) {
  auto trusted = read_trusted_file(path, true, {});
  if (trusted && known.file && half_written(*trusted)) return;
  // One that is there and cannot be read is tried again at each look, and told once.
  if (!trusted && known.file && known.told == trusted.error().text) return;
  known.told = trusted ? std::string() : trusted.error().text;
  known.stamp = trusted ? trusted->stamp : FileStamp{};
  auto file = std::make_shared<const alias::MapFile>(trusted ? parse(path, *trusted, is_virtual)
                                                             : unread(path, trusted.error()));
  bool good = !alias::has_error(file->problems);
  bool keep = known.file && known.good && !good;
  tell(*file, keep);
  if (keep) return;
  known.file = std::move(file);
  known.good = good;
}

void AliasFiles::tell(const alias::MapFile& file, bool kept_old) const {
  if (!file.unreadable) {
    log_.info("aliases_read", {{"file", file.path}, {"entries", file.entries.size()}, {"in_force", !kept_old}});
  }
  for (const alias::Problem& problem : file.problems) {
    log_.warning("alias_problem", {{"file", problem.at.file},
                                   {"line", problem.at.line},
                                   {"reason", problem.what},
                                   {"next", problem.next},
                                   {"in_force", kept_old ? "the version before" : "this version"}});
  }
}

void AliasFiles::publish() {
  auto snapshot = std::make_shared<AliasSnapshot>();
  snapshot->settings = settings_;
  std::vector<alias::MapFile> aliases, virtuals;
  for (const std::string& path : settings_.alias_files) aliases.push_back(*known_["a:" + path].file);
  for (const std::string& path : settings_.virtual_files) virtuals.push_back(*known_["v:" + path].file);
  snapshot->tables = alias::Tables::make(std::move(aliases), std::move(virtuals));
  std::lock_guard lock(mutex_);
  current_ = std::move(snapshot);
  ++version_;
}

}  // namespace sidegate::intake
