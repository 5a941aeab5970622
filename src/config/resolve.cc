#include "config/resolve.h"

#include <pwd.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/text.h"
#include "config/option_checks.h"
#include "config/secret_file.h"
#include "mail/idna.h"
#include "mail/mailbox.h"

namespace sidegate::config {
namespace {

std::string host_name_in_hosts(const std::string& name) {
  auto hosts = read_text_file("/etc/hosts", 1 << 20);
  if (!hosts) return {};
  for (std::string_view line : split(*hosts, '\n')) {
    line = line.substr(0, line.find('#'));
    std::vector<std::string> words;
    for (std::size_t at = 0; (at = line.find_first_not_of(" \t\r", at)) != std::string_view::npos;) {
      const std::size_t end = line.find_first_of(" \t\r", at);
      words.emplace_back(line.substr(at, end == std::string_view::npos ? end : end - at));
      if (end == std::string_view::npos) break;
      at = end;
    }
    const bool ours = words.size() > 1 && std::ranges::any_of(words.begin() + 1, words.end(),
                                                              [&](const std::string& w) { return iequals(w, name); });
    if (!ours) continue;
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (istarts_with(words[i], name + ".")) return words[i];
    }
  }
  return {};
}

}  // namespace

Where Draft::where(std::string_view list, std::size_t index, std::string_view key) const {
  const Block* block = nullptr;
  if (auto it = tree.lists.find(list); it != tree.lists.end() && index < it->second.size()) block = &it->second[index];
  if (auto it = tree.blocks.find(list); it != tree.blocks.end()) block = &it->second;
  if (block == nullptr) return {loaded.path, 0};
  auto it = block->values.find(key);
  return it != block->values.end() ? it->second.where : block->where;
}

bool Draft::given(std::string_view list, std::size_t index, std::string_view key) const {
  if (auto it = tree.lists.find(list); it != tree.lists.end() && index < it->second.size())
    return it->second[index].values.contains(key);
  if (auto it = tree.blocks.find(list); it != tree.blocks.end()) return it->second.values.contains(key);
  return false;
}

bool Draft::is_unread(std::string_view list, std::size_t index, std::string_view key) const {
  return unread.contains(key_path(table(list), index, key));
}

std::optional<std::string> read_secret(Draft& draft, std::string_view list, std::size_t index, std::string_view key,
                                       const std::string& path, std::string_view subject) {
  const Where where = draft.where(list, index, key);
  draft.loaded.password_files[key_path(table(list), index, key)] = path;
  if (!draft.request.open_files) return std::nullopt;
  const passwd* service = getpwnam(draft.loaded.settings.user.c_str());
  const bool of_container = where.file.starts_with('$') && is_container_secret(path);
  auto secret = draft.request.files->secret(path, service != nullptr ? service->pw_gid : 0, of_container);
  if (secret) return std::move(*secret);
  draft.error(where, fmt::format("{}: {}", subject, secret.error().what), secret.error().next);
  return std::nullopt;
}

std::string system_host_name() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0) return {};
  std::string text = name;
  if (text.find('.') != std::string::npos) return text;
  std::string full = host_name_in_hosts(text);
  return full.empty() ? text : full;
}

void resolve_hostname(Draft& draft) {
  Settings& s = draft.loaded.settings;
  if (s.hostname.empty()) {
    std::string name = draft.request.system_name.empty() ? system_host_name() : draft.request.system_name;
    if (!mail::is_helo_name(name)) name = "localhost";
    if (name.find('.') == std::string::npos) {
      name += ".localdomain";
      draft.warn({draft.loaded.path, 0},
                 tr("this machine has no full name: it calls itself {}, which some relays refuse", name),
                 _("add hostname = \"mail.example.org\" at the top"));
    }
    s.hostname = name;
  } else if (mail::is_domain(s.hostname, false) && (s.hostname.find('.') == std::string::npos ||
                                                    s.hostname.find_first_not_of("0123456789.") == std::string::npos)) {
    draft.warn(draft.where("", 0, "hostname"), tr("{} is no full name, which some relays refuse", quoted(s.hostname)),
               _("write one that the DNS has: hostname = \"mail.example.org\""));
  }
  s.deliver.hostname = s.hostname;
}

namespace {

// As Debian's Postfix fills mydestination: the host with and without its domain, and localhost in each.
std::vector<std::string> names_of_this_machine(const std::string& host) {
  std::vector<std::string> names = {host, "localhost", "localhost.localdomain"};
  const std::size_t dot = host.find('.');
  if (dot == std::string::npos || host.starts_with('[')) return names;
  names.push_back(host.substr(0, dot));
  // "localhost.org" is somebody else's.
  if (host.find('.', dot + 1) != std::string::npos) names.push_back("localhost" + host.substr(dot));
  return names;
}

}  // namespace

void resolve_local_domains(Draft& draft) {
  Settings& s = draft.loaded.settings;
  alias::Settings& a = s.alias;
  a.hostname = s.hostname;
  a.postmaster = s.deliver.postmaster;
  if (!draft.given("", 0, "local_domains")) a.local_domains = names_of_this_machine(lower(s.hostname));
  std::vector<std::string> once;
  for (std::string& domain : a.local_domains) {
    if (std::ranges::none_of(once, [&](const std::string& one) { return mail::same_domain(one, domain); }))
      once.push_back(std::move(domain));
  }
  a.local_domains = std::move(once);
}

void check_queue(Draft& draft) {
  const Settings& s = draft.loaded.settings;
  if (draft.request.open_files && draft.given("", 0, "user") && !s.user.empty() && getpwnam(s.user.c_str()) == nullptr)
    draft.warn(draft.where("", 0, "user"), tr("there is no user {} on this machine", quoted(s.user)),
               tr("type: useradd --system --no-create-home {}", shell_quoted(s.user)));
  if (s.store.path.empty())
    draft.error(draft.where("queue", 0, "path"), _("the queue needs a directory"),
                _("write path = \"/var/lib/sidegate/queue\""));
  if (!s.store.sync)
    draft.warn(draft.where("queue", 0, "sync"), _("sync = false: mail answered 250 is lost at a power cut"),
               _("remove it: this is for tests alone"));
  if (s.schedule.retry_first > s.schedule.retry_max) {
    draft.error(draft.where("queue", 0, draft.given("queue", 0, "retry_first") ? "retry_first" : "retry_max"),
                tr("retry_first ({}) is longer than retry_max ({})", duration_text(s.schedule.retry_first),
                   duration_text(s.schedule.retry_max)));
  }
  if (s.schedule.delay_report >= s.schedule.lifetime && s.schedule.delay_report.count() != 0 &&
      draft.given("queue", 0, "delay_report")) {
    draft.warn(draft.where("queue", 0, "delay_report"),
               _("delay_report is not shorter than lifetime: no one is told of a delay"));
  }
}

}  // namespace sidegate::config
