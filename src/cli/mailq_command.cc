#include <unistd.h>

#include <cerrno>

#include "admin/control_client.h"
#include "admin/offline.h"
#include "base/i18n.h"
#include "cli/programs.h"
#include "cli/server.h"

namespace sidegate::cli {
namespace {

// A user who may not read the configuration is told about the queue, not about the file.
bool may_read_configuration(const Context& context) {
  const config::LoadRequest request = context.request();
  std::string path = request.path;
  for (const auto& [key, value] : request.environment) {
    if (path.empty() && key == "SIDEGATE_CONFIG") path = value;
  }
  if (path.empty()) path = config::kDefaultPath;
  return access(path.c_str(), R_OK) == 0 || errno != EACCES;
}

admin::Request list_request() {
  admin::Request request;
  request.verb = admin::Verb::kList;
  return request;
}

int not_permitted(const Context& context) {
  context.terminal.error(_("the queue is not shown to every user"),
                         _("use sudo, or become a member of the group that the control socket belongs to"));
  return EX_NOPERM;
}

int offline(const Context& context, const std::string& store_path, const std::function<bool(std::string)>& on_row,
            const Error& why) {
  if (!context.hooks.open_queue) return report_server(context, why);
  auto store = context.hooks.open_queue(store_path);
  if (!store && store.error().kind == ErrorKind::kRefused) return not_permitted(context);
  if (!store) {
    report_server(context, why);
    return report(context, store.error(), _("the queue on disk could not be read either: its owner or root can"));
  }
  auto done = admin::read_offline(**store, list_request(), context.clock().wall(), on_row);
  return done ? EX_OK : report(context, done.error());
}

}  // namespace

int mailq_command(const Context& context) {
  std::string control = config::Settings().control_socket, store = queue::StoreSettings().path;
  if (may_read_configuration(context)) {
    auto loaded = context.load(false, false);
    if (!loaded) return EX_CONFIG;
    control = loaded->settings.control_socket;
    store = loaded->settings.store.path;
  }
  if (!context.common.socket.empty()) control = context.common.socket;
  MailqSum sum;
  auto on_row = [&](std::string row) {
    context.terminal.out << mailq_text(row, sum);
    return context.terminal.out.good();
  };
  Result<std::string> done{std::string()};
  int code = EX_OK;
  if (auto client = admin::ControlClient::connect(control)) {
    done = client->ask(list_request(), on_row);
  } else {
    done = std::unexpected(client.error());
  }
  if (!done && done.error().kind == ErrorKind::kRefused) return not_permitted(context);
  if (!done)
    code = server_is_down(done.error()) ? offline(context, store, on_row, done.error())
                                        : report_server(context, done.error());
  if (code == EX_OK) context.terminal.out << mailq_end(sum) << std::flush;
  return code;
}

}  // namespace sidegate::cli
