#include "milter/macros.h"

#include <array>
#include <utility>

#include "milter/packet.h"

namespace sidegate::milter {

const std::vector<std::string>& default_macros(Stage stage) {
  static const std::array<std::vector<std::string>, kStages> kNames = {{
      {"j", "_", "v", "daemon_name", "daemon_addr", "daemon_port", "if_name", "if_addr", "client_name", "client_addr",
       "client_port", "client_ptr", "client_resolve"},
      {"tls_version", "cipher", "cipher_bits", "cert_subject", "cert_issuer", "verify"},
      {"i", "auth_type", "auth_authen", "auth_author", "auth_ssf", "mail_addr", "mail_host", "mail_mailer",
       "client_addr", "client_name", "daemon_name", "tls_version", "cipher"},
      {"i", "rcpt_addr", "rcpt_host", "rcpt_mailer", "nrcpts"},
      {"i", "nrcpts"},
      {"i", "msg_id", "nrcpts"},
      {"i"},
  }};
  return kNames[static_cast<std::size_t>(stage)];
}

std::vector<std::string> parse_macro_names(std::string_view list) {
  std::vector<std::string> names;
  std::string name;
  auto end = [&] {
    if (!name.empty()) names.push_back(std::exchange(name, {}));
  };
  for (char c : list) {
    if (c == ' ' || c == ',' || c == '\t' || c == '\r' || c == '\n') {
      end();
    } else if (c != '{' && c != '}') {
      name.push_back(c);
    }
  }
  end();
  return names;
}

std::string encode_macros(Command command, const std::vector<std::string>& names, const Macros& values) {
  std::string data(1, static_cast<char>(command));
  for (const std::string& name : names) {
    auto found = values.find(name);
    if (found == values.end()) continue;
    put_string(data, name.size() > 1 ? "{" + name + "}" : name);
    put_string(data, found->second);
  }
  return data.size() == 1 ? std::string() : encode(Command::kMacros, data);
}

}  // namespace sidegate::milter
