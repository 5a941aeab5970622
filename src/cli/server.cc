#include "cli/server.h"

#include "admin/control_client.h"
#include "base/i18n.h"

namespace sidegate::cli {
namespace {
constexpr const char* kDown = "no server answers at ";
}

std::optional<std::string> control_path(const Context& context) {
  if (!context.common.socket.empty()) return context.common.socket;
  auto loaded = context.load(false, false);
  if (!loaded) return std::nullopt;
  return loaded->settings.control_socket;
}

Result<std::string> ask_server(const Context& context, const admin::Request& request,
                               const std::function<bool(std::string)>& on_row) {
  auto path = control_path(context);
  if (!path) return fail(ErrorKind::kInternal, "");
  auto client = admin::ControlClient::connect(*path);
  if (!client) return std::unexpected(client.error());
  return client->ask(request, on_row);
}

bool server_is_down(const Error& error) {
  return error.kind == ErrorKind::kNotFound && error.text.starts_with(kDown);
}

int report_server(const Context& context, const Error& error) {
  if (error.kind == ErrorKind::kInternal && error.text.empty()) return EX_CONFIG;
  if (server_is_down(error)) {
    context.terminal.error(tr("no server answers at {}", error.text.substr(std::string_view(kDown).size())),
                           _("start it: systemctl start sidegate, or sidegate run; or name its socket with --socket"));
    return EX_UNAVAILABLE;
  }
  if (error.kind == ErrorKind::kRefused)
    return report(context, error, _("use sudo, or become a member of the group that the socket belongs to"));
  return report(context, error);
}

}  // namespace sidegate::cli
