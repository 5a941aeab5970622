#include "config/resolve.h"

#include <unistd.h>

#include "base/i18n.h"
#include "base/text.h"
#include "config/option_checks.h"
#include "config/secret_file.h"
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

std::string listener_name(const intake::ListenerSettings& l) {
  if (l.address.starts_with('/')) return l.address;
  return l.address.find(':') != std::string::npos ? fmt::format("[{}]:{}", l.address, l.port)
                                                  : fmt::format("{}:{}", l.address, l.port);
}

bool only_reachable_from_here(const intake::ListenerSettings& l) {
  return l.address.starts_with('/') || is_loopback_address(l.address);
}

void default_listeners(Draft& draft) {
  for (const char* address : {"127.0.0.1", "::1"}) {
    intake::ListenerSettings l;
    l.address = address;
    draft.loaded.settings.listeners.push_back(std::move(l));
  }
}

void check_trust(Draft& draft, std::size_t i, intake::ListenerSettings& l) {
  // Port forwards, container proxies and NAT make the world appear as loopback (promise 6).
  if (only_reachable_from_here(l)) return;
  if (draft.given("listener", i, "trust_loopback") && l.trust_loopback) {
    draft.error(draft.where("listener", i, "trust_loopback"),
                tr("listener {}: trust_loopback = true on an address that is reachable from outside", l.name),
                _("remove it, and add a second [[listener]] on 127.0.0.1 for this machine's programs"));
  }
  l.trust_loopback = false;
}

void check_networks(Draft& draft, std::size_t i, const intake::ListenerSettings& l) {
  for (const std::string& network : l.networks) {
    if (!is_private_network(network)) {
      draft.warn(draft.where("listener", i, "networks"),
                 tr("listener {}: {} is a public network: everyone there may send mail through you", l.name, network),
                 _("list single addresses that are yours"));
    } else if (is_loopback_address(network) && !only_reachable_from_here(l)) {
      draft.warn(draft.where("listener", i, "networks"),
                 tr("listener {}: {} is listed on an address that is reachable from outside: behind a port forward or "
                    "a container's proxy the whole world has it",
                    l.name, network));
    }
  }
}

void check_limits(Draft& draft, std::size_t i, const intake::ListenerSettings& l) {
  const smtp::ServerSettings& s = l.smtp;
  auto order = [&](std::string_view small, std::uint64_t a, std::string_view large, std::uint64_t b) {
    if (a > b)
      draft.error(draft.where("listener", i, draft.given("listener", i, small) ? small : large),
                  tr("listener {}: {} ({}) is larger than {} ({})", l.name, small, a, large, b));
  };
  order("max_command", s.max_command, "refuse_command", s.refuse_command);
  order("refuse_command", s.refuse_command, "fatal_command", s.fatal_command);
  order("max_text_line", s.max_text_line, "max_long_line", s.max_long_line);
}

void check_twice(Draft& draft) {
  const auto& all = draft.loaded.settings.listeners;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const bool place = all[i].address == all[j].address &&
                         (all[i].port == all[j].port || all[i].address.starts_with('/')) && all[i].port != 0;
      if (place)
        draft.error(draft.where("listener", i, "address"),
                    tr("{} is listened on twice, the first time at {}", listener_name(all[i]),
                       draft.where("listener", j, "address").text()),
                    _("remove one of them"));
      else if (iequals(all[i].name, all[j].name))
        draft.error(draft.where("listener", i, "name"),
                    tr("listener {} is there twice, the first time at {}", quoted(all[i].name),
                       draft.where("listener", j, "name").text()),
                    _("give each a name of its own"));
    }
  }
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
  }
  s.deliver.hostname = s.hostname;
}

void resolve_local_domains(Draft& draft) {
  Settings& s = draft.loaded.settings;
  alias::Settings& a = s.alias;
  a.hostname = s.hostname;
  a.postmaster = s.deliver.postmaster;
  if (!draft.given("", 0, "local_domains")) a.local_domains = {lower(s.hostname), "localhost", "localhost.localdomain"};
  std::vector<std::string> once;
  for (std::string& domain : a.local_domains) {
    if (std::ranges::find(once, domain) == once.end()) once.push_back(std::move(domain));
  }
  a.local_domains = std::move(once);
}

void resolve_listeners(Draft& draft) {
  auto& listeners = draft.loaded.settings.listeners;
  if (listeners.empty()) default_listeners(draft);
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    intake::ListenerSettings& l = listeners[i];
    if (l.name.empty()) l.name = listener_name(l);
    if (l.smtp.hostname.empty()) l.smtp.hostname = draft.loaded.settings.hostname;
    check_trust(draft, i, l);
    check_networks(draft, i, l);
    check_limits(draft, i, l);
  }
  check_twice(draft);
}

std::vector<intake::ListenerSettings> Settings::all_listeners() const {
  std::vector<intake::ListenerSettings> all = listeners;
  if (submit.socket.empty()) return all;
  intake::ListenerSettings socket;
  socket.name = "submit";
  socket.address = submit.socket;
  socket.submit = true;
  socket.smtp.hostname = hostname;
  // What some listener takes, a program of this machine may send too.
  for (const intake::ListenerSettings& one : listeners) {
    const auto unlimited = [](std::uint64_t size) { return size == 0 ? ~std::uint64_t{0} : size; };
    if (unlimited(one.smtp.max_message_size) > unlimited(socket.smtp.max_message_size))
      socket.smtp.max_message_size = one.smtp.max_message_size;
    socket.smtp.max_recipients = std::max(socket.smtp.max_recipients, one.smtp.max_recipients);
  }
  all.push_back(std::move(socket));
  return all;
}

void check_queue(Draft& draft) {
  const Settings& s = draft.loaded.settings;
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
