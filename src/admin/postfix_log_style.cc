#include "admin/postfix_log_style.h"

#include <ctime>

#include "base/text.h"

namespace sidegate::admin {
namespace {

// The fields of one event by name; an absent one is empty.
class Fields {
 public:
  explicit Fields(LogFields fields) : fields_(fields) {}

  const LogField* find(std::string_view key) const {
    for (const LogField& field : fields_) {
      if (field.key == key) return &field;
    }
    return nullptr;
  }
  bool has(std::string_view key) const { return find(key) != nullptr; }
  // As text that cannot leave its line; `<`, `>` and what else a reader splits at is dealt with where it is used.
  std::string text(std::string_view key) const {
    const LogField* field = find(key);
    return field == nullptr ? std::string() : text_of(*field);
  }
  bool truth(std::string_view key) const {
    const LogField* field = find(key);
    return field != nullptr && std::holds_alternative<bool>(field->value) && std::get<bool>(field->value);
  }
  static std::string text_of(const LogField& field) {
    struct Visitor {
      std::string operator()(std::string_view v) const { return printable(v, 2000); }
      std::string operator()(std::int64_t v) const { return fmt::format("{}", v); }
      std::string operator()(double v) const { return fmt::format("{:.2g}", v); }
      std::string operator()(bool v) const { return v ? "yes" : "no"; }
    };
    return std::visit(Visitor{}, field.value);
  }
  LogFields all() const { return fields_; }

 private:
  LogFields fields_;
};

// An address between < and >: nothing in it may close the bracket or begin a new attribute (an unquoted local part
// holds neither; a quoted one may).
std::string bracketed(std::string text) {
  for (char& c : text) {
    if (c == '<' || c == '>' || c == ' ') c = '_';
  }
  return "<" + text + ">";
}

// A word: a host, an address, a queue id.
std::string word(std::string text, std::string_view otherwise) {
  for (char& c : text) {
    if (c == ' ' || c == ',' || c == '[' || c == ']' || c == '<' || c == '>' || c == '=' || c == ';') c = '_';
  }
  return text.empty() ? std::string(otherwise) : text;
}

// A peer's words in the parentheses at the end of a line: theirs may not end earlier than ours.
std::string remark(std::string text) {
  return text.empty() ? "" : " (" + std::move(text) + ")";
}

// Postfix writes seconds with two significant digits, and whole ones from 10 on.
std::string seconds(double v) {
  if (v < 0) v = 0;
  if (v >= 10) return fmt::format("{:.0f}", v);
  std::string text = fmt::format("{:.2f}", v);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string seconds_of(const Fields& f, std::string_view key) {
  const LogField* field = f.find(key);
  if (field == nullptr) return "0";
  if (const double* v = std::get_if<double>(&field->value)) return seconds(*v);
  if (const std::int64_t* v = std::get_if<std::int64_t>(&field->value)) return seconds(static_cast<double>(*v));
  return word(Fields::text_of(*field), "0");
}

// "a/b/c/d" of numbers, each as Postfix writes it.
std::string delays_of(const Fields& f) {
  const std::string given = f.text("delays");  // the parts below refer to it
  std::string out;
  unsigned parts = 0;
  for (std::string_view part : split(given, '/')) {
    double v = 0;
    std::from_chars(part.data(), part.data() + part.size(), v);
    out += (out.empty() ? "" : "/") + seconds(v);
    ++parts;
  }
  return parts == 4 ? out : "0/0/0/0";
}

// "host[address]:port", given whole or in parts.
std::string peer(const Fields& f) {
  std::string relay = f.text("relay");
  if (relay.find('[') != std::string::npos && !f.has("address")) {
    for (char& c : relay) c = c == ' ' || c == ',' || c == '<' || c == '>' || c == '=' ? '_' : c;
    return relay;
  }
  std::string host = word(f.text("host"), word(relay, "none")), address = f.text("address"), port = f.text("port");
  if (address.empty()) return host == "none" || host.empty() ? "none" : host;
  if (port.empty()) {  // "192.0.2.1:587", "[2001:db8::1]:587"
    const std::size_t colon = address.rfind(':');
    const bool bare_v6 = std::ranges::count(address, ':') > 1 && !address.starts_with('[');
    if (colon != std::string::npos && !bare_v6) {
      port = address.substr(colon + 1);
      address.erase(colon);
    }
  }
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  return fmt::format("{}[{}]{}{}", host, word(address, "unknown"), port.empty() ? "" : ":", word(port, ""));
}

std::string client(const Fields& f) {
  std::string address = word(f.text("client"), "unknown");
  if (address == "unix" || address == "unknown") return "localhost[127.0.0.1]";
  return fmt::format("{}[{}]", word(f.text("client_name"), "unknown"), address);  // Postfix's word where none is known
}

class PostfixStyle final : public LogStyle {
 public:
  PostfixStyle(std::string host, int pid) : host_(word(std::move(host), "")), pid_(pid) {}

  std::string line(WallTime at, LogLevel level, std::string_view event, LogFields fields) const override {
    const Fields f(fields);
    if (event == "accepted") return accepted(at, f);
    if (event == "delivery") return delivery(at, f);
    if (event == "removed") return line_of(at, "qmgr", word(f.text("id"), "NOQUEUE") + ": removed");
    if (event == "tls") return f.has("client") ? tls_from(at, f) : tls(at, f);
    if (event == "tls_failed") return tls_failed(at, f);
    if (event == "connect") return line_of(at, "smtpd", "connect from " + client(f));
    if (event == "disconnect") return disconnect(at, f);
    if (event == "refused") return refused(at, f);
    if (event == "milter") return filtered(at, f);
    if (event == "report") return report(at, f);
    if (event == "auth_failed") return auth_failed(at, f);
    return generic(at, level, event, f);
  }

 private:
  std::string line_of(WallTime at, const char* service, std::string text) const {
    std::string start;
    if (!host_.empty()) {
      std::time_t second = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(at));
      std::tm local{};
      localtime_r(&second, &local);
      static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
      start = fmt::format("{} {:2} {:02}:{:02}:{:02} {} ", kMonths[local.tm_mon], local.tm_mday, local.tm_hour,
                          local.tm_min, local.tm_sec, host_);
    }
    return fmt::format("{}postfix/{}[{}]: {}", start, service, pid_, text);
  }

  // With "lost connection after RCPT from ..." before it, which fail2ban's aggressive mode looks for.
  std::string disconnect(WallTime at, const Fields& f) const {
    const std::string end = f.text("end"), after = word(f.text("after"), "CONNECT");
    std::string before;
    if (end == "lost") before = line_of(at, "smtpd", fmt::format("lost connection after {} from {}", after, client(f)));
    if (end == "timeout") before = line_of(at, "smtpd", fmt::format("timeout after {} from {}", after, client(f)));
    if (!before.empty()) before += "\n";
    std::string commands = f.text("commands");
    for (char& c : commands) {
      if (!is_alpha(c) && !is_digit(c) && c != '=' && c != '/' && c != ' ') c = '_';
    }
    return before + line_of(at, "smtpd",
                            fmt::format("disconnect from {}{}{}", client(f), commands.empty() ? "" : " ", commands));
  }

  // fail2ban's filter for Postfix knows these names of mechanisms alone; with another one in this place it bans nobody.
  std::string auth_failed(WallTime at, const Fields& f) const {
    const std::string mechanism = word(upper(f.text("mechanism")), "LOGIN");
    const bool known = mechanism == "PLAIN" || mechanism == "LOGIN" || mechanism == "CRAM-MD5";
    const std::string end = f.text("end");
    std::string text;
    if (end == "aborted") {
      text = fmt::format("warning: {}: SASL {} authentication aborted: {}", client(f), mechanism, f.text("error"));
    } else {
      // Postfix's words for a back end that fails: nobody is banned for that.
      text = fmt::format("warning: {}: SASL {} authentication failed: {}{}{}", client(f), known ? mechanism : "LOGIN",
                         end == "unavailable" ? "Connection lost to authentication server: " : "",
                         known ? "" : mechanism + ": ", f.text("error"));
    }
    if (!f.text("user").empty()) text += ", sasl_username=" + word(f.text("user"), "");
    return line_of(at, "smtpd", std::move(text));
  }

  // Three lines of one event, as three of Postfix's programs write them.
  std::string accepted(WallTime at, const Fields& f) const {
    const std::string id = word(f.text("id"), "NOQUEUE");
    if (!f.text("uid").empty()) {  // a program of this machine: by pickup, whatever the road was
      return line_of(at, "pickup", fmt::format("{}: uid={} from={}", id, f.text("uid"), bracketed(f.text("from")))) +
             "\n" + queued(at, f, id, f.text("from"));
    }
    std::string login;
    if (!f.text("mechanism").empty()) login = ", sasl_method=" + word(f.text("mechanism"), "");
    if (!f.text("user").empty()) login += ", sasl_username=" + word(f.text("user"), "");
    return line_of(at, "smtpd", fmt::format("{}: client={}{}", id, client(f), login)) + "\n" +
           queued(at, f, id, f.text("from"));
  }

  // A message that comes from nobody outside: as Postfix's bounce, cleanup and qmgr tell of it.
  std::string report(WallTime at, const Fields& f) const {
    const std::string id = word(f.text("id"), "NOQUEUE"), kind = f.text("kind");
    const char* words = kind == "delay"     ? "sender delay notification"
                        : kind == "success" ? "sender delivery status notification"
                                            : "sender non-delivery notification";
    return line_of(at, "bounce", fmt::format("{}: {}: {}", word(f.text("about"), "NOQUEUE"), words, id)) + "\n" +
           queued(at, f, id, "");
  }

  std::string queued(WallTime at, const Fields& f, const std::string& id, std::string from) const {
    std::string msgid = f.text("msgid");
    if (msgid.starts_with('<') && msgid.ends_with('>')) msgid = msgid.substr(1, msgid.size() - 2);
    return line_of(at, "cleanup", fmt::format("{}: message-id={}", id, bracketed(msgid))) + "\n" +
           line_of(at, "qmgr",
                   fmt::format("{}: from={}, size={}, nrcpt={} (queue active)", id, bracketed(std::move(from)),
                               word(f.text("size"), "0"), word(f.text("nrcpt"), "1")));
  }

  std::string delivery(WallTime at, const Fields& f) const {
    std::string status = word(f.text("status"), "deferred");
    if (status == "held") status = "deferred";  // Postfix knows no such end of an attempt
    const std::string transport = f.text("transport"), original = f.text("orig_to");
    const char* service = transport == "local" ? "local" : transport == "lmtp" ? "lmtp" : "smtp";
    std::string to = bracketed(f.text("to"));
    if (!original.empty() && original != f.text("to")) to += ", orig_to=" + bracketed(original);
    return line_of(at, service,
                   fmt::format("{}: to={}, relay={}, delay={}, delays={}, dsn={}, status={}{}",
                               word(f.text("id"), "NOQUEUE"), to, peer(f), seconds_of(f, "delay"), delays_of(f),
                               word(f.text("dsn"), "4.0.0"), status, remark(f.text("reply"))));
  }

  // Postfix's wording: Verified (the name too), Trusted (the chain alone), Untrusted, Anonymous.
  std::string tls(WallTime at, const Fields& f) const {
    const bool verified = f.truth("verified");
    const std::string bits = word(f.text("bits"), "0");
    std::string text = fmt::format("{} TLS connection established to {}: {} with cipher {} ({}/{} bits)",
                                   verified ? "Verified" : "Untrusted", peer(f), word(f.text("version"), "unknown"),
                                   word(f.text("cipher"), "unknown"), bits, bits);
    std::string more = line_of(at, "smtp", std::move(text));
    if (!verified && !f.text("why").empty())
      more += "\n" + line_of(at, "smtp",
                             fmt::format("server certificate verification failed for {}: {}", peer(f), f.text("why")));
    return more;
  }

  // Of a client: Anonymous where it showed no certificate, as nearly all do.
  std::string tls_from(WallTime at, const Fields& f) const {
    const char* trust = f.text("subject").empty() ? "Anonymous" : f.truth("verified") ? "Trusted" : "Untrusted";
    const std::string bits = word(f.text("bits"), "0");
    return line_of(
        at, "smtpd",
        fmt::format("{} TLS connection established from {}: {} with cipher {} ({}/{} bits)", trust, client(f),
                    word(f.text("version"), "unknown"), word(f.text("cipher"), "unknown"), bits, bits));
  }

  std::string tls_failed(WallTime at, const Fields& f) const {
    return line_of(at, "smtpd", fmt::format("SSL_accept error from {}: {}", client(f), f.text("reason")));
  }

  // "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 ...; from=<...> to=<...> proto=ESMTP helo=<...>"
  std::string refused(WallTime at, const Fields& f) const {
    std::string text = fmt::format(
        "{}: {}reject: {} from {}: {};", word(f.text("id"), "NOQUEUE"), f.text("milter").empty() ? "" : "milter-",
        word(upper(f.text("command")), f.has("to") ? "RCPT" : "MAIL"), client(f), f.text("reply"));
    text += " from=" + bracketed(f.text("from"));
    if (f.has("to")) text += " to=" + bracketed(f.text("to"));
    text += " proto=" + word(f.text("protocol"), "ESMTP");
    if (f.has("helo")) text += " helo=" + bracketed(f.text("helo"));
    return line_of(at, "smtpd", std::move(text));
  }

  // What a filter has refused stands in the line of the refusal. A message that it throws away or holds:
  // "ID: milter-hold: END-OF-MESSAGE from unknown[192.0.2.1]: milter triggers HOLD action; from=<...> proto=ESMTP ..."
  std::string filtered(WallTime at, const Fields& f) const {
    const std::string verdict = f.text("verdict"), id = word(f.text("id"), "NOQUEUE");
    if (verdict == "reject" || verdict == "shutdown" || verdict == "change") return {};
    if (verdict == "failed")
      return line_of(at, "smtpd",
                     fmt::format("warning: {}: milter {}: {} at {}", id, word(f.text("milter"), "unknown"),
                                 f.text("error"), word(f.text("stage"), "CONNECT")));
    const bool holds = verdict == "quarantine";
    return line_of(at, "cleanup",
                   fmt::format("{}: milter-{}: {} from {}: milter triggers {} action: {}; from={} proto={} helo={}", id,
                               holds ? "hold" : "discard", word(f.text("stage"), "END-OF-MESSAGE"), client(f),
                               holds ? "HOLD" : "DISCARD", f.text("reason"), bracketed(f.text("from")),
                               word(f.text("protocol"), "ESMTP"), bracketed(f.text("helo"))));
  }

  std::string generic(WallTime at, LogLevel level, std::string_view event, const Fields& f) const {
    std::string text = level == LogLevel::kWarning ? "warning: " : level == LogLevel::kError ? "error: " : "";
    if (f.has("id")) text += word(f.text("id"), "") + ": ";
    text += printable(event, 100);
    for (const LogField& field : f.all()) {
      if (field.key == "id") continue;
      std::string value = Fields::text_of(field);
      const bool quote = value.empty() || value.find_first_of(" ,=\"<>") != std::string::npos;
      if (quote) {
        std::string inner;
        for (char c : value) inner += c == '"' ? std::string("'") : std::string(1, c == '<' ? '(' : c == '>' ? ')' : c);
        value = "\"" + inner + "\"";
      }
      text += fmt::format(" {}={}", printable(field.key, 100), value);
    }
    return line_of(at, "master", std::move(text));
  }

  std::string host_;
  int pid_;
};

}  // namespace

std::unique_ptr<LogStyle> postfix_log_style(std::string host, int pid) {
  return std::make_unique<PostfixStyle>(std::move(host), pid);
}

}  // namespace sidegate::admin
