#include "admin/protocol.h"

#include <boost/json.hpp>

#include "base/text.h"

namespace sidegate::admin {
namespace {

namespace json = boost::json;

struct VerbRow {
  Verb verb;
  const char* name;
  bool writes;
};
constexpr VerbRow kVerbs[] = {
    {Verb::kStatus, "status", false},
    {Verb::kVersion, "version", false},
    {Verb::kReload, "reload", true},
    {Verb::kList, "queue.list", false},
    {Verb::kShow, "queue.show", false},
    {Verb::kRetry, "queue.retry", true},
    {Verb::kHold, "queue.hold", true},
    {Verb::kRelease, "queue.release", true},
    {Verb::kDelete, "queue.delete", true},
    {Verb::kUserList, "user.list", false},
    {Verb::kUserSuspend, "user.suspend", true},
    {Verb::kUserResume, "user.resume", true},
    {Verb::kStsShow, "sts.show", false},
    {Verb::kTlsReport, "tls.report", false},
};

const VerbRow& row_of(Verb verb) {
  for (const VerbRow& row : kVerbs) {
    if (row.verb == verb) return row;
  }
  return kVerbs[0];
}

// A JSON object as text, or nothing. Depth is bounded by the parser (32).
std::optional<json::object> parse_object(std::string_view line) {
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(line.data(), line.size()), error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

Status take_text(const json::object& from, const char* key, std::string& to) {
  const json::value* value = from.if_contains(key);
  if (value == nullptr) return {};
  if (!value->is_string()) return bad(fmt::format("\"{}\" must be text", key));
  to = std::string(value->as_string().c_str(), value->as_string().size());
  return {};
}

Status take_bool(const json::object& from, const char* key, bool& to) {
  const json::value* value = from.if_contains(key);
  if (value == nullptr) return {};
  if (!value->is_bool()) return bad(fmt::format("\"{}\" must be true or false", key));
  to = value->as_bool();
  return {};
}

Status take_ids(const json::object& from, std::vector<std::string>& ids) {
  const json::value* value = from.if_contains("ids");
  if (value == nullptr) return {};
  if (!value->is_array()) return bad("\"ids\" must be a list");
  for (const json::value& id : value->as_array()) {
    if (!id.is_string()) return bad("\"ids\" must be a list of texts");
    ids.emplace_back(id.as_string().c_str(), id.as_string().size());
  }
  return {};
}

Status take_limit(const json::object& from, std::uint64_t& limit) {
  const json::value* value = from.if_contains("limit");
  if (value == nullptr) return {};
  boost::system::error_code error;
  limit = value->to_number<std::uint64_t>(error);
  if (error) return bad("\"limit\" must be a whole number");
  return {};
}

std::string line_of(const json::object& object) {
  return json::serialize(object) + "\n";
}

}  // namespace

const char* name(Verb verb) {
  return row_of(verb).name;
}
bool writes(Verb verb) {
  return row_of(verb).writes;
}

std::string request_line(const Request& request) {
  json::object out{{"command", name(request.verb)}};
  const Selection& s = request.selection;
  if (s.all) out["all"] = true;
  if (!s.ids.empty()) out["ids"] = json::value_from(s.ids);
  if (!s.to.empty()) out["to"] = s.to;
  if (!s.from.empty()) out["from"] = s.from;
  if (!s.relay.empty()) out["relay"] = s.relay;
  if (request.dry_run) out["dry_run"] = true;
  if (request.limit != 0) out["limit"] = request.limit;
  if (!request.user.empty()) out["user"] = request.user;
  if (!request.reason.empty()) out["reason"] = request.reason;
  if (!request.domain.empty()) out["domain"] = request.domain;
  return line_of(out);
}

Result<Request> parse_request(std::string_view line) {
  auto object = parse_object(line);
  if (!object) return bad("a request is one JSON object on a line");
  Request request;
  std::string command;
  Selection& s = request.selection;
  const Status taken[] = {take_text(*object, "command", command),
                          take_bool(*object, "all", s.all),
                          take_ids(*object, s.ids),
                          take_text(*object, "to", s.to),
                          take_text(*object, "from", s.from),
                          take_text(*object, "relay", s.relay),
                          take_bool(*object, "dry_run", request.dry_run),
                          take_limit(*object, request.limit),
                          take_text(*object, "user", request.user),
                          take_text(*object, "reason", request.reason),
                          take_text(*object, "domain", request.domain)};
  for (const Status& status : taken) {
    if (!status) return std::unexpected(status.error());
  }
  std::vector<std::string_view> names;
  for (const VerbRow& row : kVerbs) {
    if (command == row.name) {
      request.verb = row.verb;
      return request;
    }
    names.push_back(row.name);
  }
  std::string_view near = nearest(command, names);
  return bad(
      fmt::format("unknown command \"{}\"{}{}", printable(command, 100), near.empty() ? "" : ": did you mean ", near));
}

std::string row_line(std::string_view json) {
  return fmt::format("{{\"row\":{}}}\n", json);
}
std::string done_line(std::string_view json) {
  return fmt::format("{{\"done\":{}}}\n", json);
}
std::string error_line(const Error& error) {
  std::string text;  // several problems are a line each
  for (std::string_view line : split(error.text, '\n')) {
    if (text.size() < 8000) text += (text.empty() ? "" : "\n") + printable(line, 4000);
  }
  return line_of({{"error", json::object{{"kind", name(error.kind)}, {"text", text}}}});
}

Result<Answer> parse_answer(std::string_view line) {
  auto object = parse_object(line);
  if (!object || object->empty()) return fail(ErrorKind::kProtocol, "the server's answer is not JSON");
  Answer answer;
  if (const json::value* row = object->if_contains("row")) {
    answer.kind = Answer::Kind::kRow;
    answer.json = json::serialize(*row);
  } else if (const json::value* done = object->if_contains("done")) {
    answer.json = json::serialize(*done);
  } else if (const json::value* error = object->if_contains("error"); error != nullptr && error->is_object()) {
    answer.kind = Answer::Kind::kError;
    std::string kind;
    if (!take_text(error->as_object(), "kind", kind) || !take_text(error->as_object(), "text", answer.error.text))
      return fail(ErrorKind::kProtocol, "the server's answer is not understood");
    answer.error.kind = kind_of(kind);
  } else {
    return fail(ErrorKind::kProtocol, "the server's answer is not understood");
  }
  return answer;
}

ErrorKind kind_of(std::string_view word) {
  for (int i = 0; i <= static_cast<int>(ErrorKind::kInternal); ++i) {
    if (word == name(static_cast<ErrorKind>(i))) return static_cast<ErrorKind>(i);
  }
  return ErrorKind::kInternal;
}

}  // namespace sidegate::admin
