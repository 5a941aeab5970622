// `sidegate dkim new` makes keys and says what to publish and what to write into the configuration; `sidegate dkim
// show` says it again of the keys there are.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/i18n.h"
#include "base/text.h"
#include "cli/commands.h"
#include "config/option_checks.h"
#include "config/secret_file.h"
#include "dkim/key.h"
#include "mail/idna.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;

struct Made {
  std::string domain, selector, file;
  dkim::Key key;
  dkim::Record record() const { return dkim::record_of(key, domain, selector); }
};

std::string toml_of(const Made& made) {
  return fmt::format("[[dkim]]\ndomain = \"{}\"\nselector = \"{}\"\nkey_file = \"{}\"\n", made.domain, made.selector,
                     made.file);
}

json::object as_json(const Made& made) {
  const dkim::Record record = made.record();
  return {{"domain", made.domain},   {"selector", made.selector}, {"algorithm", dkim::name(made.key.algorithm())},
          {"bits", made.key.bits()}, {"key_file", made.file},     {"name", record.name},
          {"type", "TXT"},           {"value", record.value},     {"strings", json::value_from(record.strings())},
          {"bind", record.bind()},   {"toml", toml_of(made)}};
}

void print_record(const Terminal& t, const Made& made) {
  const dkim::Record record = made.record();
  t.out << t.in(Colour::kBold, fmt::format("{} ({})", record.name, dkim::name(made.key.algorithm()))) << "\n";
  t.out << _("for a zone file:") << "\n" << record.bind() << "\n";
  t.out << _("for a web form (type TXT; name, then value):") << "\n  " << record.name << "\n  " << record.value
        << "\n\n";
}

// Never over another one: mail that is under way is verified with that.
Status write_key(const std::string& path, const std::string& pem) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return fail(ErrorKind::kStorage, fmt::format("{}: {}", path, std::strerror(errno)));
  std::string_view rest = pem;
  bool good = fchmod(fd, 0600) == 0;
  while (good && !rest.empty()) {
    const ssize_t n = write(fd, rest.data(), rest.size());
    good = n > 0;
    if (good) rest.remove_prefix(static_cast<std::size_t>(n));
  }
  good = good && fsync(fd) == 0;
  const int why = errno;
  close(fd);
  if (good) return {};
  unlink(path.c_str());
  return fail(ErrorKind::kStorage, fmt::format("{}: {}", path, std::strerror(why)));
}

Status make_directory(const std::string& path) {
  std::error_code error;
  const bool there = std::filesystem::exists(path, error);
  if (!there) std::filesystem::create_directories(path, error);
  if (error) return fail(ErrorKind::kStorage, fmt::format("{}: {}", path, error.message()));
  if (!there) chmod(path.c_str(), 0700);
  return {};
}

// "sg202611": a name that tells how old the key is.
std::string selector_of_month(WallTime now) {
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date{std::chrono::sys_days(day.time_since_epoch())};
  return fmt::format("sg{}{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()));
}

}  // namespace

int dkim_new_command(const Context& context, const DkimCommand& asked) {
  const Terminal& t = context.terminal;
  const auto ascii = mail::to_ascii(asked.domain);  // its records' names
  std::string domain = ascii ? *ascii : asked.domain, selector = asked.selector;
  if (Status good = config::check_domain(domain); !good || domain.starts_with('[')) {
    t.error(tr("{} is no domain", printable(asked.domain, 100)));
    return EX_USAGE;
  }
  if (selector.empty()) selector = selector_of_month(context.clock().wall());
  if (Status good = config::check_dkim_selector(selector); !good) {
    t.error(good.error().text);
    return EX_USAGE;
  }
  const bool both = asked.algorithm == "both";
  // The server does not start where this command does.
  std::error_code gone;
  std::filesystem::path directory = std::filesystem::absolute(asked.directory, gone).lexically_normal();
  if (gone) directory = asked.directory;
  std::vector<Made> all;
  for (dkim::Algorithm algorithm : {dkim::Algorithm::kRsa, dkim::Algorithm::kEd25519}) {
    const bool rsa = algorithm == dkim::Algorithm::kRsa;
    if (!both && asked.algorithm != (rsa ? "rsa" : "ed25519")) continue;
    auto key = dkim::Key::generate(algorithm);
    if (!key) return report(context, key.error());
    std::string name = selector + (both && !rsa ? "-ed" : "");
    std::string file = (directory / fmt::format("{}.{}.key", domain, name)).string();
    all.push_back({domain, std::move(name), std::move(file), std::move(*key)});
  }
  if (all.empty()) {
    t.error(tr("{} is not one of {}", printable(asked.algorithm, 100), "rsa, ed25519, both"));
    return EX_USAGE;
  }
  if (!asked.dry_run) {
    if (Status made = make_directory(asked.directory); !made) return report(context, made.error());
    for (const Made& made : all) {
      if (Status written = write_key(made.file, made.key.pem()); !written)
        return report(context, written.error(),
                      std::filesystem::exists(made.file)
                          ? tr("there is such a key already: choose another --selector, or see it with {}",
                               std::string("`sidegate dkim show`"))
                          : std::string());
    }
  }
  if (context.common.json) {
    for (const Made& made : all) t.out << json::serialize(as_json(made)) << "\n";
    return EX_OK;
  }
  if (asked.dry_run) t.out << _("Nothing is written: this key is gone with this command.") << "\n\n";
  t.out << _("1. Publish this in DNS:") << "\n\n";
  for (const Made& made : all) print_record(t, made);
  t.out << _("2. When it can be looked up, add these lines to the configuration and reload:") << "\n\n";
  for (const Made& made : all) t.out << toml_of(made) << "\n";
  return EX_OK;
}

int dkim_show_command(const Context& context) {
  auto loaded = context.load(false, false);
  if (!loaded) return EX_CONFIG;
  const Terminal& t = context.terminal;
  int worst = EX_OK;
  for (const config::DkimBlock& block : loaded->settings.dkim) {
    const std::string path = config::secret_place(block.key_file);
    auto pem = config::read_key_file(path);
    if (!pem) {
      t.error(pem.error().what, pem.error().next);
      worst = EX_NOINPUT;
      continue;
    }
    auto key = dkim::Key::from_pem(*pem);
    if (!key) {
      t.error(path + ": " + key.error().text);
      worst = EX_DATAERR;
      continue;
    }
    const auto ascii = mail::to_ascii(block.domain);
    const Made made{ascii ? *ascii : block.domain, block.selector, block.key_file, std::move(*key)};
    if (context.common.json) {
      t.out << json::serialize(as_json(made)) << "\n";
    } else {
      print_record(t, made);
    }
  }
  if (loaded->settings.dkim.empty() && !context.common.json)
    t.out << _("No key signs: there is no [[dkim]]. Make one: sidegate dkim new DOMAIN") << "\n";
  return worst;
}

}  // namespace sidegate::cli
