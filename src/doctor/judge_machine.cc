#include "doctor/judge_machine.h"

#include <algorithm>

#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::doctor {
namespace {

constexpr int kSoon = 21;  // days, as the server itself begins to warn
constexpr std::int64_t kHour = 3600, kDay = 24 * kHour;
// A clock before this was never set.
constexpr std::int64_t kFirstPossible = 1'767'225'600;  // 2026-01-01

std::string mebibytes(std::uint64_t octets) {
  return octets >= (10ull << 30) ? fmt::format("{} GiB", octets >> 30) : fmt::format("{} MiB", octets >> 20);
}

std::string age(std::int64_t seconds) {
  if (seconds >= 2 * kDay) return tr("{} days", seconds / kDay);
  if (seconds >= 2 * kHour) return tr("{} hours", seconds / kHour);
  return trn("{} minute", "{} minutes", seconds / 60, seconds / 60);
}

}  // namespace

Finding judge_disk(const DiskSeen& seen) {
  Finding f{"disk", Mark::kGood, {}, {}, {}, {{"path", seen.path}}};
  const std::string path = printable(seen.path, 300);
  if (!seen.free_octets) {
    f.mark = Mark::kNote;
    f.text = tr("disk: {} cannot be looked at: {}", path, printable(seen.free_octets.error().text, 200));
    f.next = _("look as root, or start the server once: it makes the directory");
    return f;
  }
  const std::uint64_t free = *seen.free_octets;
  f.details.emplace_back("free", static_cast<std::int64_t>(free));
  f.details.emplace_back("least", static_cast<std::int64_t>(seen.least));
  f.text = tr("disk: {} free at {}", mebibytes(free), path);
  if (free < seen.least) {
    f.mark = Mark::kWrong;
    f.why = tr("less than min_free_space ({}): new mail is refused with 452", mebibytes(seen.least));
    f.next = _("make room on that disk");
  } else if (free < 2 * seen.least) {
    f.mark = Mark::kWarning;
    f.why = tr("with less than {} new mail is refused", mebibytes(seen.least));
    f.next = _("make room on that disk");
  }
  return f;
}

Finding judge_clock(const ClockSeen& seen) {
  Finding f{"clock"};
  const std::int64_t now = std::chrono::duration_cast<std::chrono::seconds>(seen.now.time_since_epoch()).count();
  if (seen.synchronised) f.details.emplace_back("synchronised", *seen.synchronised);
  if (now < kFirstPossible) {
    f.mark = Mark::kWrong;
    f.text = _("clock: it is wrong by years");
    f.why = _("no certificate verifies, and every message bears a wrong date");
    f.next = _("set it: timedatectl set-ntp true");
  } else if (seen.synchronised && !*seen.synchronised) {
    f.mark = Mark::kNote;
    f.text = _("clock: nothing keeps it right (not synchronised)");
    f.next = _("timedatectl set-ntp true; in a container or a virtual machine its host may do it");
  } else {
    f.text = seen.synchronised ? _("clock: synchronised") : _("clock: looks right");
  }
  return f;
}

Finding judge_queue(const QueueSeen& seen) {
  Finding f{"queue"};
  f.details = {{"known", seen.known}, {"messages", static_cast<std::int64_t>(seen.messages)}};
  if (!seen.known) {
    f.mark = Mark::kNote;
    f.text = tr("queue: cannot be looked at: {}", printable(seen.why, 300));
    return f;
  }
  if (seen.messages == 0) {
    f.text = _("queue: empty");
    return f;
  }
  const std::int64_t oldest = seen.oldest_seconds.value_or(0);
  f.details.emplace_back("oldest_seconds", oldest);
  f.details.emplace_back("oldest_id", seen.oldest_id);
  f.text = trn("queue: {} message, {} old", "queue: {} messages, the oldest {} old", seen.messages, seen.messages,
               age(oldest));
  if (oldest >= kHour) {
    f.mark = seen.lifetime_seconds > 0 && oldest > seen.lifetime_seconds / 2 ? Mark::kWarning : Mark::kNote;
    if (oldest >= 4 * kHour) f.mark = Mark::kWarning;
    f.why = printable(seen.oldest_reason, 300);
    f.next = tr("sidegate queue show {}", seen.oldest_id);
  }
  return f;
}

Findings judge_certificates(const std::vector<CertificateSeen>& all, const std::string& hostname) {
  Findings out;
  for (const CertificateSeen& seen : all) {
    const std::string file = printable(seen.file, 300);
    if (!seen.facts) {
      const bool closed = seen.facts.error().kind == ErrorKind::kRefused;
      out.push_back({"certificate",
                     closed ? Mark::kNote : Mark::kWrong,
                     tr("certificate {}: {}", file, printable(seen.facts.error().text, 300)),
                     {},
                     closed ? _("look as root") : _("correct [tls] certificates, or get a new one (certbot, lego)"),
                     {{"file", seen.file}}});
      continue;
    }
    for (std::size_t i = 0; i < seen.facts->size(); ++i) {
      const tls::CertificateFacts& facts = (*seen.facts)[i];
      const int left = i < seen.days_left.size() ? seen.days_left[i] : 0;
      Finding f{"certificate"};
      f.details = {{"file", seen.file},
                   {"names", facts.names},
                   {"days_left", std::int64_t(left)},
                   {"self_signed", facts.self_signed},
                   {"verified", seen.verified.has_value()}};
      const std::string names = printable(fmt::format("{}", fmt::join(facts.names, ", ")), 300);
      f.text = left < 0 ? trn("certificate for {}: expired {} day ago", "certificate for {}: expired {} days ago",
                              -left, names, -left)
                        : trn("certificate for {}: {} day left", "certificate for {}: {} days left", left, names, left);
      if (left < 0) {
        f.mark = Mark::kWrong;
        f.next = _("renew it (certbot renew); new files are taken up without a restart");
      } else if (left < kSoon) {
        f.mark = Mark::kWarning;
        f.why = _("it ends soon, and nothing has renewed it yet");
        f.next = _("see why certbot or lego has not: certbot renew --dry-run");
      } else if (!seen.verified) {
        f.mark = Mark::kNote;
        f.why = facts.self_signed ? _("it is self-signed: mail clients ask their users, programs hang up")
                                  : printable(seen.verified.error().text, 300);
        f.next = tr("get one for {} from a public CA (certbot, lego)", hostname);
      }
      out.push_back(std::move(f));
    }
  }
  return out;
}

Findings judge_other_mta(const OtherMta& seen) {
  Findings out;
  for (const OtherMta::Held& held : seen.held) {
    out.push_back({"other_mta",
                   Mark::kWrong,
                   tr("port {} is held by another program{}", held.port,
                      held.program.empty() ? std::string() : ": " + printable(held.program, 100)),
                   _("our listener cannot have it"),
                   _("stop and disable the other mail server (systemctl disable --now postfix, exim4, sendmail), or "
                     "change the port of our listener"),
                   {{"port", held.port}, {"program", held.program}}});
  }
  if (seen.sendmail.empty()) {
    if (seen.installed)
      out.push_back({"other_mta",
                     Mark::kNote,
                     _("there is no /usr/sbin/sendmail: cron and others cannot send"),
                     {},
                     _("install sidegate's own: it belongs to the package")});
  } else if (!seen.sendmail_is_ours) {
    out.push_back({"other_mta",
                   seen.installed ? Mark::kWarning : Mark::kNote,
                   tr("/usr/sbin/sendmail is another program's: {}", printable(seen.sendmail, 200)),
                   _("what programs of this machine send does not come to us"),
                   _("remove the other mail server's package, or let its sendmail send to 127.0.0.1:25"),
                   {{"sendmail", seen.sendmail}}});
  }
  if (out.empty()) out.push_back({"other_mta", Mark::kGood, _("no other mail server is in the way")});
  return out;
}

}  // namespace sidegate::doctor
