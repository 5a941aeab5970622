// The option tables: every key there is, one row each (options.cc). The rows give parsing, errors, `config show`, the
// sample file, the environment's names and the reference.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/codec.h"
#include "config/settings.h"

namespace sidegate::config {

enum class Apply : std::uint8_t { kLive, kRestart };   // after a reload at once, or only after a restart
enum class Secrecy : std::uint8_t { kOpen, kSecret };  // a secret is never shown

// A [[relay]] block as written: what deliver needs, and where its password stands.
struct RelayBlock : deliver::RelaySettings {
  std::string password_file;
};

// Where an option's value lives in its block, and of which type it is. Checks normalise a text in place.
class Place {
 public:
  using Check = Status (*)(std::string&);

  template <typename Block, typename T>
  Place(T Block::* member)
      : codec_(&codec<T>()), at_([member](void* block) -> void* { return &(static_cast<Block*>(block)->*member); }) {}
  template <typename Block, typename Part, typename T>
  Place(Part Block::* part, T Part::* member)
      : codec_(&codec<T>()),
        at_([part, member](void* block) -> void* { return &(static_cast<Block*>(block)->*part.*member); }) {}

  template <typename Block, typename Outer, typename Part, typename T>
  Place(Outer Block::* outer, Part Outer::* part, T Part::* member)
      : codec_(&codec<T>()), at_([outer, part, member](void* block) -> void* {
          return &(static_cast<Block*>(block)->*outer.*part.*member);
        }) {}

  Place checked(Check check) && {  // of a text, or of each one in a list
    check_ = check;
    return std::move(*this);
  }
  Place one_or_list() && {  // text alone is a list of one
    codec_ = &one_or_list_codec();
    return std::move(*this);
  }
  Place as_size() && {
    codec_ = codec_ == &codec<std::uint32_t>() ? &size32_codec() : &size64_codec();
    return std::move(*this);
  }

  const Codec& type() const { return *codec_; }
  Status set(void* block, const Value& value, const Range& range) const;
  std::string text(const void* block) const { return codec_->text(at_(const_cast<void*>(block))); }

 private:
  const Codec* codec_;
  std::function<void*(void*)> at_;
  Check check_ = nullptr;
};

struct Option {
  std::string_view name;
  Place place;
  std::string_view default_text;  // as an operator would write it, without quotes
  Range range;
  Apply apply = Apply::kLive;
  Secrecy secrecy = Secrecy::kOpen;
  const char* sentence = "";  // marked with N_()
  bool required = false;
};

struct Table {
  std::string_view name;  // "", "log", "queue", "dns", "listener", "relay"
  bool list = false;      // [[name]], as many as one likes
  const char* sentence = "";
  std::vector<Option> options;

  std::string title() const;  // "[log]", "[[relay]]", "the top level"
  const Option* find(std::string_view key) const;
};

Table auth_table();                      // options_auth.cc
void add_submit_options(Table& global);  // options_submit.cc
Table users_table();                     // options_users.cc
Table user_rule_table();
void add_relay_place_options(Table& relay);  // options_relay.cc
Table route_table();                         // options_route.cc
Table relay_domain_table();                  // options_relay_domain.cc
Table reply_table();                         // options_reply.cc
Table tls_policy_table();                    // options_direct.cc
Table milter_table();                        // options_milter.cc
Table doctor_table();                        // options_doctor.cc
Table tls_table();                           // options_tls.cc
void add_listener_tls_options(Table& listener);
void add_listener_screen_options(Table& listener);  // options_screen.cc
void add_client_rate_options(Table& global);
Table blocklist_table();
Table rewrite_table();  // options_rewrite.cc
Table dkim_table();     // options_dkim.cc
void add_relay_rewrite_options(Table& relay);

std::span<const Table> tables();
const Table& table(std::string_view name);

// "relay.0.host" -> "SIDEGATE_RELAY_0_HOST"; index is only looked at for lists.
std::string environment_name(const Table& table, const Option& option, std::size_t index);

}  // namespace sidegate::config
