#include <algorithm>
#include <boost/json.hpp>

#include "admin/offline.h"
#include "base/i18n.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/queue_text.h"
#include "cli/server.h"
#include "deliver/sender_story.h"

namespace sidegate::cli {
namespace {

using admin::Verb;

// Rows as they come, to the terminal.
class Printer {
 public:
  Printer(const Context& context, const admin::Request& request) : context_(context), request_(request) {}

  bool row(const std::string& json) {
    const Terminal& t = context_.terminal;
    ++rows_;
    if (admin::writes(request_.verb)) count_failures(json);
    if (context_.common.json) {
      t.out << json << "\n";
    } else if (request_.verb == Verb::kList) {
      if (rows_ == 1) t.out << t.in(Colour::kBold, list_heading(t.width)) << "\n";
      t.out << list_text(t, json, context_.clock().wall());
    } else if (request_.verb == Verb::kShow) {
      t.out << (rows_ > 1 ? "\n" : "") << show_text(t, json);
    } else {
      t.out << action_text(t, request_.verb, json);
    }
    if (rows_ % 500 == 0 && !t.out_is_terminal) t.progress(trn("{} message", "{} messages", rows_, rows_));
    return t.out.good();  // a pipe that was closed (| head) ends the reading
  }

  int end(const std::string& json) {
    const Terminal& t = context_.terminal;
    t.end_progress();
    if (!context_.common.json) t.out << summary_text(request_.verb, json);
    for (const std::string& id : missing_of(json)) {
      t.error(tr("there is no message {} in the queue", id), _("the messages there are: sidegate queue list"));
      missing_ = true;
    }
    return missing_ ? EX_NOINPUT : failed_ ? EX_TEMPFAIL : EX_OK;
  }

  std::uint64_t rows() const { return rows_; }

 private:
  void count_failures(const std::string& json) {
    const std::string result = result_of(json);
    missing_ |= result == "not_found";
    failed_ |= result == "failed";
  }

  const Context& context_;
  const admin::Request& request_;
  std::uint64_t rows_ = 0;
  bool missing_ = false, failed_ = false;
};

int offline(const Context& context, const admin::Request& request, Printer& printer, const Error& why) {
  if ((admin::writes(request.verb) && !request.dry_run) || !context.hooks.open_queue)
    return report_server(context, why);
  auto loaded = context.load(false, false);
  if (!loaded) return EX_CONFIG;
  auto store = context.hooks.open_queue(loaded->settings.store.path);
  if (!store) {
    report_server(context, why);
    return report(context, store.error(), _("the queue on disk could not be read either: its owner or root can"));
  }
  if (!context.common.json) context.terminal.warning(_("the server is down: this is the queue on disk, read only"));
  const auto on_row = [&](std::string json) { return printer.row(json); };
  const auto rule = [&](const std::string& way, const std::string& sender) {
    const deliver::DeliverSettings& all = loaded->settings.deliver;
    auto at = std::ranges::find(all.relays, way, &deliver::RelaySettings::name);
    return at == all.relays.end() ? std::string() : deliver::rule_for_refused_sender(*at, all, sender);
  };
  auto done = admin::read_offline(**store, request, context.clock().wall(), on_row, rule);
  if (!done) return report(context, done.error());
  return printer.end(*done);
}

std::string next_for(const admin::Request& request, const Error& error) {
  if (error.kind == ErrorKind::kNotFound && !request.selection.relay.empty())
    return _("the relays there are: sidegate status");
  if (error.kind == ErrorKind::kNotFound || error.kind == ErrorKind::kBadInput)
    return _("the messages there are: sidegate queue list");
  return {};
}

}  // namespace

int queue_command(const Context& context, const admin::Request& request) {
  if (admin::writes(request.verb) && request.selection.empty()) {
    context.terminal.error(_("say which messages: queue ids, or --all, --to, --from, --relay"),
                           _("the messages there are: sidegate queue list"));
    return EX_USAGE;
  }
  for (const std::string& id : request.selection.ids) {
    if (QueueId::parse(id)) continue;
    context.terminal.error(tr("\"{}\" is not a queue id: 13 letters and digits", printable(id, 60)),
                           _("the messages there are: sidegate queue list"));
    return EX_DATAERR;
  }
  Printer printer(context, request);
  auto done = ask_server(context, request, [&](std::string json) { return printer.row(json); });
  if (done) return printer.end(*done);
  if (server_is_down(done.error())) return offline(context, request, printer, done.error());
  const std::string next = next_for(request, done.error());
  return next.empty() ? report_server(context, done.error()) : report(context, done.error(), next);
}

}  // namespace sidegate::cli
