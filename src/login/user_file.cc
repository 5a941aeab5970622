#include "login/user_file.h"

#include <algorithm>
#include <map>

#include "base/text.h"

namespace sidegate::login {
namespace {

constexpr std::size_t kMaxName = 255;
constexpr std::uint32_t kMostIterations = 10'000'000;

std::optional<auth::ScramKeys> scram_of(std::string_view text, std::size_t size) {
  auto parts = split(text, ',');
  if (parts.size() != 4) return std::nullopt;
  auto iterations = parse_number(parts[0]);
  auto salt = unbase64(parts[1]), stored = unbase64(parts[2]), server = unbase64(parts[3]);
  if (!iterations || *iterations == 0 || *iterations > kMostIterations) return std::nullopt;
  if (!salt || salt->empty() || !stored || stored->size() != size || !server || server->size() != size)
    return std::nullopt;
  return auth::ScramKeys{static_cast<std::uint32_t>(*iterations), *salt, *stored, *server};
}

std::string scram_text(const char* name, const auth::ScramKeys& k) {
  return fmt::format("{{{}}}{},{},{},{}", name, k.iterations, base64(k.salt), base64(k.stored_key),
                     base64(k.server_key));
}

// One secret into the user; what is wrong with it, or "".
std::string take_secret(std::string_view secret, User& user) {
  std::string scheme;
  if (secret.starts_with('{')) {
    auto end = secret.find('}');
    if (end == std::string_view::npos) return "a secret's {SCHEME} has no end";
    scheme = upper(secret.substr(1, end - 1));
    secret.remove_prefix(end + 1);
  }
  if (scheme == "SCRAM-SHA-1") {
    user.keys.sha1 = scram_of(secret, 20);
    return user.keys.sha1 ? "" : "malformed SCRAM-SHA-1 keys";
  }
  if (scheme == "SCRAM-SHA-256") {
    user.keys.sha256 = scram_of(secret, 32);
    return user.keys.sha256 ? "" : "malformed SCRAM-SHA-256 keys";
  }
  if (scheme == "PLAIN.B64") {
    user.keys.password = unbase64(secret);
    bool good =
        user.keys.password && !user.keys.password->empty() && user.keys.password->find('\0') == std::string::npos;
    return good ? "" : "malformed {PLAIN.B64}";
  }
  if (scheme == "PLAIN") return "{PLAIN} is not read: a colon or space in it would be mistaken; use {PLAIN.B64}";
  if (!is_known_hash(secret)) return "a secret of an unknown kind";
  if (!user.hash.empty()) return "two hashes";
  user.hash = secret;
  return "";
}

std::string take_flags(std::string_view flags, User& user) {
  for (std::string_view flag : split(flags, ',')) {
    if (flag.empty()) continue;
    bool* known = flag == "disabled" ? &user.disabled : flag == "suspended" ? &user.suspended : nullptr;
    if (known == nullptr) return fmt::format("unknown flag {}", printable(flag, 40));
    *known = true;
  }
  return "";
}

std::string take_line(std::string_view line, User& user) {
  auto fields = split(line, ':');
  if (fields.size() < 2 || fields.size() > 3) return "not NAME:SECRETS:FLAGS";
  user.name = canonical_name(fields[0]);
  if (user.name.empty()) return "this is no user's name";
  for (std::string_view secret : split(fields[1], ' ')) {
    if (secret.empty()) continue;
    if (std::string wrong = take_secret(secret, user); !wrong.empty()) return wrong;
  }
  return fields.size() == 3 ? take_flags(fields[2], user) : "";
}

std::string_view name_of(std::string_view line) {
  line = trim(line);
  return line.starts_with('#') ? std::string_view() : line.substr(0, line.find(':'));
}

// What verifying a password costs: the part of a hash that says so.
std::string kind_of(const User& user) {
  if (!user.hash.empty()) return user.hash.substr(0, user.hash.find('$', 4));
  if (user.keys.sha256) return fmt::format("256,{}", user.keys.sha256->iterations);
  if (user.keys.sha1) return fmt::format("1,{}", user.keys.sha1->iterations);
  return "";
}

template <typename Change>
std::string changed(std::string_view text, std::string_view name, Change change) {
  std::string out;
  while (!text.empty()) {
    auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (canonical_name(name_of(line)) == name)
      change(out);
    else
      out.append(line).append("\n");
  }
  return out;
}

}  // namespace

std::string canonical_name(std::string_view text) {
  if (text.empty() || text.size() > kMaxName || text.front() == '#' || !is_utf8(text)) return {};
  for (char c : text) {
    if (is_control(c) || c == ':' || c == ' ') return {};
  }
  return lower(text);
}

bool is_known_hash(std::string_view text) {
  static constexpr std::string_view kKinds[] = {"$y$", "$gy$", "$7$", "$2b$",       "$2a$",      "$2y$",
                                                "$6$", "$5$",  "$1$", "$argon2id$", "$argon2i$", "$argon2d$"};
  if (!std::ranges::any_of(kKinds,
                           [&](std::string_view kind) { return text.starts_with(kind) && text.size() > kind.size(); }))
    return false;
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

UserFile UserFile::parse(std::string_view text, std::vector<UserProblem>* problems) {
  UserFile file;
  unsigned number = 0;
  auto problem = [&](std::string what) {
    if (problems != nullptr) problems->push_back({number, std::move(what)});
  };
  for (std::string_view line : split(text, '\n')) {
    ++number;
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    User user;
    if (std::string wrong = take_line(line, user); !wrong.empty()) {
      problem(std::move(wrong));
      continue;
    }
    auto [at, fresh] = file.by_name_.try_emplace(user.name, file.users_.size());
    if (!fresh) {
      problem(fmt::format("{} is there twice; the first line counts", printable(user.name, 100)));
      continue;
    }
    file.users_.push_back(std::move(user));
  }
  std::map<std::string, std::size_t> kinds;
  for (const User& user : file.users_) ++kinds[kind_of(user)];
  kinds.erase("");
  auto most = std::ranges::max_element(kinds, {}, [](const auto& kind) { return kind.second; });
  for (std::size_t i = 0; i < file.users_.size() && most != kinds.end() && file.usual_ == SIZE_MAX; ++i) {
    if (kind_of(file.users_[i]) == most->first) file.usual_ = i;
  }
  for (const User& user : file.users_) {
    if (user.keys.sha256) {
      file.iterations_ = user.keys.sha256->iterations;
      break;
    }
  }
  return file;
}

const User* UserFile::find(std::string_view name) const {
  auto at = by_name_.find(std::string(name));
  return at == by_name_.end() ? nullptr : &users_[at->second];
}

bool UserFile::all_have(auth::Needs needs) const {
  bool any = false;
  for (const User& user : users_) {
    if (!user.may_log_in()) continue;
    any = true;
    bool has = needs == auth::Needs::kScramSha1     ? user.keys.sha1.has_value()
               : needs == auth::Needs::kScramSha256 ? user.keys.sha256.has_value()
               : needs == auth::Needs::kPlainSecret ? user.keys.password.has_value()
                                                    : needs == auth::Needs::kPassword;
    if (!has) return false;
  }
  return any;
}

std::string user_line(const User& user) {
  std::string secrets = user.hash;
  auto add = [&secrets](std::string text) { secrets += (secrets.empty() ? "" : " ") + std::move(text); };
  if (user.keys.sha256) add(scram_text("SCRAM-SHA-256", *user.keys.sha256));
  if (user.keys.sha1) add(scram_text("SCRAM-SHA-1", *user.keys.sha1));
  if (user.keys.password) add("{PLAIN.B64}" + base64(*user.keys.password));
  std::string flags = user.disabled ? "disabled" : "";
  if (user.suspended) flags += flags.empty() ? "suspended" : ",suspended";
  return user.name + ":" + secrets + ":" + flags;
}

std::string with_user(std::string_view text, const User& user) {
  bool there = false;
  std::string out = changed(text, user.name, [&](std::string& to) {
    if (!there) to += user_line(user) + "\n";
    there = true;
  });
  if (!there) out += user_line(user) + "\n";
  return out;
}

std::string without_user(std::string_view text, std::string_view name) {
  return changed(text, name, [](std::string&) {});
}

}  // namespace sidegate::login
