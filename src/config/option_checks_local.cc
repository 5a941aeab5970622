// The checks of the [local] block's texts.
#include "base/i18n.h"
#include "base/text.h"
#include "config/codec.h"
#include "config/option_checks.h"

namespace sidegate::config {
namespace {}  // namespace

Status check_mailbox_path(std::string& text) {
  if (text.empty()) return {};
  bool rooted = text.starts_with('/') || text.starts_with("~/") || text.starts_with("%h/");
  if (!rooted) return bad(tr("{} must begin with / or, below the user's home folder, with ~/", quoted(text)));
  for (std::string_view part : split(text, '/')) {
    if (part == "..") return bad(tr("{} must not hold ..", quoted(text)));
  }
  for (std::size_t at = text.find('%'); at != std::string::npos; at = text.find('%', at + 2)) {
    char what = at + 1 < text.size() ? text[at + 1] : '\0';
    bool known = what == 'u' || what == '%' || (what == 'h' && at == 0);
    if (!known) return bad(tr("{}: %u is the user, %% a percent sign; nothing else stands behind %", quoted(text)));
  }
  return {};
}

// Postfix's and others' ways of writing it are understood.
Status check_lmtp(std::string& text) {
  if (text.starts_with("lmtp:")) text.erase(0, 5);
  if (text.starts_with("unix:")) text.erase(0, 5);
  if (text.starts_with("inet:")) text.erase(0, 5);
  if (text.empty() || (text.starts_with('/') && text.size() < 108)) return {};
  if (text.starts_with('/')) return bad(tr("{} is too long for a Unix socket", quoted(text)));
  auto parts = parse_host_port(text);
  if (!parts) return bad(parts.error().text);
  if (parts->port.empty()) return {};
  if (!parse_number(parts->port) || *parse_number(parts->port) == 0 || *parse_number(parts->port) > 65535)
    return bad(tr("{} is not a port number", quoted(parts->port)));
  return {};
}

}  // namespace sidegate::config
