#include "login/ldap_name.h"

#include "base/text.h"

namespace sidegate::login {

std::string dn_escaped(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const bool edge = (i == 0 && (c == ' ' || c == '#')) || (i + 1 == value.size() && c == ' ');
    if (c == '\0') {
      out += "\\00";
    } else {
      if (edge || std::string_view("\"+,;<>\\=").find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string filter_escaped(std::string_view value) {
  std::string out;
  for (char c : value) {
    if (c == '*' || c == '(' || c == ')' || c == '\\' || c == '\0')
      out += "\\" + hex(std::string_view(&c, 1));
    else
      out += c;
  }
  return out;
}

std::string filled(std::string_view pattern, std::string_view user, std::string (*escape)(std::string_view)) {
  const std::size_t at = user.rfind('@');
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%' || i + 1 == pattern.size()) {
      out += pattern[i];
      continue;
    }
    switch (pattern[++i]) {
      case 'u':
        out += escape(user);
        break;
      case 'n':
        out += escape(user.substr(0, at));
        break;
      case 'd':
        out += escape(at == std::string_view::npos ? std::string_view() : user.substr(at + 1));
        break;
      default:
        out += pattern[i];
    }
  }
  return out;
}

}  // namespace sidegate::login
