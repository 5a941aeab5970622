// What is known of mail providers' submission servers: `provider = "ocn"` in a [[relay]] block. Facts, each with where
// and when it was read (presets.cc); what no source confirms is left to the user (`needs`). Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sidegate::provider {

enum class UserForm : std::uint8_t {
  kUnknown,
  kAddress,    // the whole mail address
  kLocalPart,  // what stands before the @
  kDotted,     // the address with a dot for the @
  kFixed,      // Preset::user, the same for everybody
  kOwn,        // a name the provider gives: no mail address
};

enum class Senders : std::uint8_t {
  kAny,      // as far as is known
  kOwnOnly,  // a sender that is not the account's is refused
};

struct Preset {
  std::string_view id;            // "ocn"
  std::string_view title;         // "OCN"
  std::string_view aliases = {};  // with spaces between
  // "{server}", "{region}" and "{domain}" (of the account's address) are filled in. Empty: only the user knows it.
  std::string_view host = {};
  std::string_view needs = {};                    // what the user must say: "server", "region", "host"
  std::string_view server_domain = {};            // appended to a server = "sv1234" without a dot
  std::string_view region = {};                   // where none is said
  std::vector<std::uint16_t> ports = {465, 587};  // 465 with TLS from the first octet, the others with STARTTLS
  UserForm user_form = UserForm::kAddress;
  std::string_view user = {};    // of kFixed
  std::string_view domain = {};  // of addresses whose user name is the local part
  Senders senders = Senders::kAny;
  std::uint32_t per_day = 0;                  // messages; 0: not known
  std::uint32_t messages_per_connection = 0;  // 0: not known
  std::string_view note = {};                 // one sentence an operator should know
  std::string_view source = {}, date = {};    // where these facts were read, and of which day they are
};

std::span<const Preset> presets();                 // by id
const Preset* find_preset(std::string_view name);  // id or alias, any case; null: none of that name

// `host` with its parts filled in. Empty parts stay empty.
std::string preset_host(const Preset& preset, std::string_view server, std::string_view region,
                        std::string_view domain);

}  // namespace sidegate::provider
