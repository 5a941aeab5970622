#include "dns/system_files.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sidegate::dns {

namespace {

constexpr std::size_t kServerLimit = 8, kSearchLimit = 8;

// The words of a line, without its comment.
std::vector<std::string_view> words_of(std::string_view line, std::string_view comment_marks) {
  line = line.substr(0, line.find_first_of(comment_marks));
  std::vector<std::string_view> words;
  constexpr std::string_view kSpace = " \t\r";
  for (std::size_t at = line.find_first_not_of(kSpace); at != std::string_view::npos;) {
    std::size_t end = std::min(line.find_first_of(kSpace, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(kSpace, end);
  }
  return words;
}

std::string_view without_dot(std::string_view name) {
  return name.size() > 1 && name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
}

bool is_ip(int family, const std::string& text) {
  std::array<unsigned char, 16> octets;
  return inet_pton(family, text.c_str(), octets.data()) == 1;
}

}  // namespace

ResolvConf parse_resolv_conf(std::string_view text) {
  ResolvConf conf;
  for (std::string_view line : split(text, '\n')) {
    auto words = words_of(line, "#;");
    if (words.size() < 2) continue;
    if (words[0] == "nameserver") {
      bool room = conf.servers.size() < kServerLimit;
      if (room && literal_address(words[1])) conf.servers.emplace_back(words[1]);
    } else if (words[0] == "search" || words[0] == "domain") {  // the last one counts
      conf.search.clear();
      for (std::size_t i = 1; i < words.size() && conf.search.size() < kSearchLimit; ++i) {
        if (words[i] != ".") conf.search.push_back(lower(without_dot(words[i])));
      }
    } else if (words[0] == "options") {
      for (std::string_view option : words) {
        if (!option.starts_with("ndots:")) continue;
        if (auto ndots = parse_number(option.substr(6)))
          conf.ndots = static_cast<unsigned>(std::min<std::uint64_t>(*ndots, 15));
      }
    }
  }
  if (conf.servers.empty()) conf.servers.emplace_back("127.0.0.1");  // resolv.conf(5)
  return conf;
}

std::vector<std::string> find_in_hosts(std::string_view text, std::string_view name) {
  std::vector<std::string> found;
  while (!text.empty()) {  // line by line without a list: such files may block a hundred thousand names
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.size() < name.size()) continue;
    auto words = words_of(line, "#");
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (!iequals(without_dot(words[i]), name)) continue;
      if (auto address = literal_address(words[0])) found.push_back(*address);
      break;
    }
  }
  return found;
}

std::string find_name_in_hosts(std::string_view text, std::string_view address) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.size() < address.size() || !istarts_with(trim(line), address)) continue;
    auto words = words_of(line, "#");
    if (words.size() > 1 && iequals(words[0], address)) return lower(without_dot(words[1]));
  }
  return {};
}

std::optional<std::string> literal_address(std::string_view host) {
  if (host.size() > 64 || host.find('\0') != std::string_view::npos) return std::nullopt;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (istarts_with(host, "IPv6:")) host.remove_prefix(5);  // RFC 5321 section 4.1.3
  std::string text(host);
  if (is_ip(AF_INET, text)) return text;
  std::size_t scope = text.find('%');
  if (scope != std::string::npos && (scope + 1 == text.size() || text.size() - scope > IF_NAMESIZE))
    return std::nullopt;
  if (is_ip(AF_INET6, text.substr(0, scope))) return text;
  return std::nullopt;
}

bool is_localhost(std::string_view name) {
  return iequals(name, "localhost") || (name.size() > 10 && iequals(name.substr(name.size() - 10), ".localhost"));
}

std::vector<std::string> interleaved(const std::vector<std::string>& six, const std::vector<std::string>& four) {
  std::vector<std::string> out;
  auto add = [&out](const std::vector<std::string>& from, std::size_t i) {
    if (i < from.size() && std::find(out.begin(), out.end(), from[i]) == out.end()) out.push_back(from[i]);
  };
  for (std::size_t i = 0; i < std::max(six.size(), four.size()); ++i) {
    add(six, i);
    add(four, i);
  }
  return out;
}

}  // namespace sidegate::dns
