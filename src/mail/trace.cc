// What we write into a header: dates, the trace field, message ids.
#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <atomic>

#include "base/text.h"
#include "mail/header.h"
#include "mail/mailbox.h"

namespace sidegate::mail {

namespace {

constexpr std::size_t kFoldAt = 78;         // RFC 5322 section 2.1.1
constexpr std::size_t kCommentLimit = 255;  // of any one value that a peer chose

constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Inside a comment: printable ASCII that neither ends it nor quotes (RFC 5322 section 3.2.2 ctext).
void append_comment_text(std::string& out, std::string_view text) {
  for (char c : text.substr(0, kCommentLimit)) {
    bool plain = c >= 0x20 && c < 0x7f && c != '(' && c != ')' && c != '\\';
    out += plain ? c : '?';
  }
}

// What a client calls itself where that is no name: letters, digits and what names of devices have between them. No
// bracket: "[192.0.2.1]" in this place is read as the peer's address by filters.
void append_helo(std::string& out, std::string_view text) {
  constexpr std::string_view kBetween = " -._:+'!&#";
  for (char c : text.substr(0, kCommentLimit)) {
    out += is_alpha(c) || is_digit(c) || kBetween.find(c) != std::string_view::npos ? c : '?';
  }
}

void append_word(std::string& out, std::string_view text) {  // "ESMTPSA": RFC 3848
  std::size_t before = out.size();
  for (char c : text.substr(0, 32)) {
    if (is_alpha(c) || is_digit(c)) out += c;
  }
  if (out.size() == before) out += "ESMTP";
}

// RFC 5321 section 4.1.3.
void append_address_literal(std::string& out, std::string_view address) {
  out += address.find(':') != std::string_view::npos ? "[IPv6:" : "[";
  append_comment_text(out, address);
  out += ']';
}

// Joins clauses to lines of at most 78 octets where they fit; what is longer gets a line of its own.
class FoldedField {
 public:
  explicit FoldedField(std::string_view name) {
    out_.reserve(512);
    out_ += name;
  }
  // `clause` is written into the field's end by fn(out).
  template <typename Fn>
  void clause(Fn fn) {
    std::size_t before = out_.size();
    out_ += ' ';
    fn(out_);
    if (out_.size() - line_start_ > kFoldAt && before > line_start_ + 2) {
      out_.replace(before, 1, "\r\n\t");
      line_start_ = before + 2;
    }
  }
  std::string take() {
    out_ += "\r\n";
    return std::move(out_);
  }

 private:
  std::string out_;
  std::size_t line_start_ = 0;
};

bool came_by_network(const Origin& origin) {
  return !origin.peer_address.empty() && origin.peer_address != "unix";
}

// "from HELO (reverse.name [192.0.2.1])", RFC 5321 section 4.4 From-domain. A HELO that is no name goes into the
// comment.
void append_from(FoldedField& field, const Trace& trace) {
  const Origin& origin = *trace.origin;
  bool named = is_helo_name(origin.helo);
  field.clause([&](std::string& out) {
    out += "from ";
    out += named ? std::string_view(origin.helo) : std::string_view("unknown");
  });
  field.clause([&](std::string& out) {
    out += '(';
    if (!named && !origin.helo.empty()) {
      out += "HELO ";
      append_helo(out, origin.helo);
      out += ' ';
    }
    if (!trace.peer_name.empty()) {
      append_comment_text(out, trace.peer_name);
      out += ' ';
    }
    append_address_literal(out, origin.peer_address);
    out += ')';
  });
}

std::string_view by_name(std::string_view host) {
  return is_helo_name(host) ? host : std::string_view("localhost");
}

std::uint64_t random_number() {
  std::uint64_t value = 0;
  if (getrandom(&value, sizeof value, GRND_NONBLOCK) != sizeof value) {
    static std::atomic<std::uint64_t> fallback{0x9E3779B97F4A7C15ull};  // the queue id beside it is unique by itself
    value = fallback.fetch_add(0x9E3779B97F4A7C15ull);
  }
  return value;
}

}  // namespace

std::string rfc5322_date(WallTime at) {
  auto second = std::chrono::floor<std::chrono::seconds>(at);
  auto day = std::chrono::floor<std::chrono::days>(second);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss time(second - day);
  // RFC 5322 section 3.3. The server has no time zone of its own: +0000.
  return fmt::format("{}, {} {} {:04} {:02}:{:02}:{:02} +0000", kDays[std::chrono::weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), time.hours().count(), time.minutes().count(),
                     time.seconds().count());
}

std::string received_field(const Trace& trace) {
  const Origin& origin = *trace.origin;
  FoldedField field("Received:");
  if (came_by_network(origin) && trace.hide_peer) {
    // RFC 5321 section 4.4 wants a From-domain, and a client at home tells its street by its address.
    field.clause([](std::string& out) { out += "from localhost (client hidden)"; });
  } else if (came_by_network(origin)) {
    append_from(field, trace);
  }
  if (!trace.tls.empty()) {
    field.clause([&](std::string& out) {
      out += "(using ";
      append_comment_text(out, trace.tls);
      out += ')';
    });
  }
  field.clause([&](std::string& out) {
    out += "by ";
    out += by_name(trace.by);
  });
  // The account of a network client is nobody's business; a Unix user is what a reader of cron's mail looks for.
  if (!came_by_network(origin) && !origin.user.empty()) {
    field.clause([&](std::string& out) {
      out += "(from user ";
      append_comment_text(out, origin.user);
      if (trace.uid) out += fmt::format(", uid {}", *trace.uid);
      out += ')';
    });
  }
  field.clause([&](std::string& out) {
    if (!origin.protocol.empty()) {  // it came by no dialogue otherwise: RFC 5321 section 4.4 needs no "with"
      out += "with ";
      append_word(out, origin.protocol);
      out += ' ';
    }
    out += "id ";
    out += trace.id.text();
    if (trace.for_address.empty() || !is_mailbox(trace.for_address, true)) out += ';';
  });
  if (!trace.for_address.empty() && is_mailbox(trace.for_address, true)) {
    field.clause([&](std::string& out) {
      out += "for <";
      out += trace.for_address;
      out += ">;";
    });
  }
  field.clause([&](std::string& out) { out += rfc5322_date(trace.at); });
  return field.take();
}

std::string message_id(QueueId id, std::string_view host) {
  // RFC 5322 section 3.6.4: unique, and with our name on the right.
  return fmt::format("<{}.{:016x}@{}>", id.text(), random_number(), by_name(host));
}

}  // namespace sidegate::mail
