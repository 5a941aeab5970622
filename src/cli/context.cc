#include "base/i18n.h"
#include "cli/commands.h"

namespace sidegate::cli {

config::LoadRequest Context::request() const {
  return hooks.load_request ? hooks.load_request(common.config) : config::LoadRequest::from_process(common.config);
}

std::optional<config::Loaded> Context::load(bool files, bool show_warnings) const {
  config::LoadRequest asked = request();
  asked.open_files = files;
  auto loaded = config::load(asked);
  if (!loaded) {
    for (const config::Problem& problem : loaded.error()) terminal.error(problem.text());
    return std::nullopt;
  }
  if (show_warnings) {
    for (const config::Problem& problem : loaded->warnings) terminal.warning(problem.text());
  }
  return std::move(*loaded);
}

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kBadInput:
      return EX_DATAERR;
    case ErrorKind::kNotFound:
      return EX_NOINPUT;
    case ErrorKind::kRefused:
      return EX_NOPERM;
    case ErrorKind::kUnreachable:
    case ErrorKind::kClosed:
    case ErrorKind::kConflict:
      return EX_UNAVAILABLE;
    case ErrorKind::kTimeout:
    case ErrorKind::kOverload:
      return EX_TEMPFAIL;
    case ErrorKind::kProtocol:
      return EX_PROTOCOL;
    case ErrorKind::kTls:
    case ErrorKind::kAuth:
      return EX_UNAVAILABLE;
    case ErrorKind::kTooLarge:
      return EX_DATAERR;
    case ErrorKind::kNoSpace:
    case ErrorKind::kStorage:
      return EX_IOERR;
    case ErrorKind::kInternal:
      return EX_SOFTWARE;
  }
  return EX_SOFTWARE;
}

int report(const Context& context, const Error& error, const std::string& next) {
  std::string_view text = error.text;  // several problems are a line each
  for (std::size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1))
    context.terminal.error(text.substr(0, end), {});
  context.terminal.error(text, next);
  return exit_code(error.kind);
}

}  // namespace sidegate::cli
