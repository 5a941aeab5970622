// Passwords in files: read once, only when no one else can read them. No error ever holds what the file holds.
#pragma once

#include <string>

#include "base/result.h"

namespace sidegate::config {

struct FileError {
  std::string what;  // "/etc/sidegate/isp.password can be read by every user of this machine (mode 0644)"
  std::string next;  // "type: chmod 600 /etc/sidegate/isp.password"
  bool missing = false;
};

// The file's content without the newline at its end. service_group: the group of the user we become (0640 is then
// fine). readable_by_all: for mounts of container secrets, which are 0444 by nature.
std::expected<std::string, FileError> read_secret_file(const std::string& path, unsigned service_group,
                                                       bool readable_by_all = false);

// "credential:isp" -> "isp": a secret that systemd gives its service (LoadCredential=). Empty: a path, or no name of
// one.
std::string_view credential_name(std::string_view text);
// Where it lies: in $CREDENTIALS_DIRECTORY, or, for who looks from outside, in that of sidegate.service. A path stays.
std::string secret_place(const std::string& text);

// A private key (PEM). Groups may read it (Debian's ssl-cert), others not.
std::expected<std::string, FileError> read_key_file(const std::string& path, bool readable_by_all = false);

// Container runtimes mount secrets below /run/secrets, readable by all inside the container.
bool is_container_secret(std::string_view path);

// Any file as text, at most `limit` octets.
std::expected<std::string, FileError> read_text_file(const std::string& path, std::size_t limit);

std::string shell_quoted(const std::string& path);  // as one would type it

}  // namespace sidegate::config
