// What was seen of a port's TLS: offered where it belongs, of which versions, with what certificate.
#include <algorithm>

#include "base/i18n.h"
#include "base/text.h"
#include "doctor/judge_port.h"

namespace sidegate::doctor {
namespace {

constexpr int kSoon = 21;  // days, as the server itself begins to warn

// RFC 8314 section 3.3 and 4: where passwords go, TLS is no choice. Between servers it is taken where it is there.
void judge_offer(const PortSeen& seen, Findings& out) {
  const bool submission = is_submission(seen.place.role);
  if (seen.place.implicit_tls) {
    const Answer& why = seen.broken.asked() ? seen.broken : seen.tls;
    if (!seen.verdict)
      out.push_back({"tls", Mark::kWrong, tr("no TLS: {}", why.line),
                     _("this port speaks TLS from the first octet (RFC 8314), and what answers does not"),
                     _("set tls = \"implicit\" for it, or use it as a STARTTLS port")});
    return;
  }
  if (!seen.greeting.good() || seen.broken.asked()) return;
  if (!seen.in_clear.capabilities.starttls) {
    if (seen.place.role == Role::kPrograms) return;
    out.push_back({"starttls", submission ? Mark::kWrong : Mark::kNote, _("STARTTLS is not offered"),
                   submission ? _("nobody can log in safely; clients set to STARTTLS refuse to go on")
                              : _("other servers send their mail in the clear"),
                   _("set tls = \"starttls\" and a certificate for it; where it is set, something on the way takes the "
                     "offer away")});
  } else if (!seen.verdict) {
    out.push_back({"starttls", Mark::kWrong, tr("STARTTLS is offered and does not work: {}", seen.tls.line),
                   _("clients that were offered TLS do not go on without"),
                   _("look at the server's log for the certificate and its key")});
  } else {
    out.push_back({"starttls", Mark::kGood, _("STARTTLS is offered")});
  }
}

void judge_versions(const PortSeen& seen, Findings& out) {
  if (seen.versions.empty()) return;
  std::vector<std::string> taken, old;
  for (const VersionTried& v : seen.versions) {
    if (!v.taken) continue;
    taken.push_back(v.version);
    if (v.version == "TLSv1" || v.version == "TLSv1.1") old.push_back(v.version);
  }
  Finding f{"tls_versions", Mark::kGood, tr("TLS versions: {}", fmt::format("{}", fmt::join(taken, ", ")))};
  f.details = {{"versions", taken}};
  const bool modern = std::ranges::find(taken, "TLSv1.3") != taken.end(),
             usual = std::ranges::find(taken, "TLSv1.2") != taken.end();
  if (!old.empty()) {
    f.mark = is_submission(seen.place.role) ? Mark::kWrong : Mark::kNote;
    f.why = tr("{} can be broken and is not to be used any more (RFC 8996)", fmt::format("{}", fmt::join(old, ", ")));
    f.next = _("set the minimum to TLS 1.2 (Postfix: smtpd_tls_protocols = >=TLSv1.2)");
  } else if (!modern && !usual) {
    f.mark = Mark::kWrong;
    f.text = _("neither TLS 1.2 nor TLS 1.3 is taken");
    f.next = _("look at the server's log for the certificate and its key");
  } else if (!modern) {
    f.mark = Mark::kNote;
    f.why = _("TLS 1.3 is not offered");
  } else if (!usual) {
    f.mark = Mark::kNote;
    f.why = _("TLS 1.2 is not offered: older clients and servers cannot connect");
  }
  out.push_back(std::move(f));
}

std::string names_of(const tls::Verdict& v) {
  return printable(v.names.empty() ? v.subject : fmt::format("{}", fmt::join(v.names, ", ")), 300);
}

std::string days_of(const tls::Verdict& v) {
  if (!v.days_left) return _("no end date");
  if (*v.days_left >= 0) return trn("{} day left", "{} days left", *v.days_left, *v.days_left);
  const int ago = tls::days_ended(*v.days_left);
  return ago == 0 ? std::string(_("expired today")) : trn("expired {} day ago", "expired {} days ago", ago, ago);
}

void judge_certificate(const PortSeen& seen, Findings& out) {
  const tls::Verdict& v = *seen.verdict;
  Finding f{"certificate", Mark::kGood,
            tr("certificate for {}; by {}; {}", names_of(v), printable(v.issuer, 300), days_of(v))};
  f.details = {{"verified", v.verified}, {"why", v.why},       {"names", v.names},
               {"subject", v.subject},   {"issuer", v.issuer}, {"fingerprint", v.fingerprint}};
  if (v.days_left) f.details.emplace_back("days_left", std::int64_t(*v.days_left));
  const bool expired = v.days_left && *v.days_left < 0;
  if (!v.verified) {
    // Other servers rarely look (RFC 7435), clients always do.
    f.mark = is_submission(seen.place.role) || expired ? Mark::kWrong : Mark::kNote;
    f.why = printable(v.why, 500);
    if (expired) {
      f.next = _("renew it; certbot or lego do so by themselves, and the new files are taken up without a restart");
    } else if (seen.place.name.empty()) {
      f.mark = Mark::kNote;
      f.next = _("give the server's name instead of its address, and its name is checked");
    } else {
      f.next =
          tr("get a certificate for {} from a public CA (certbot, lego) and name it under [tls] certificates; mail "
             "clients refuse "
             "others or ask their users to trust them",
             seen.place.name);
    }
  } else if (v.days_left && *v.days_left < kSoon) {
    f.mark = Mark::kNote;
    f.why = _("it ends soon, and nothing has renewed it yet");
    f.next =
        _("see why certbot or lego has not renewed it: certificates of Let's Encrypt are renewed 30 days before their "
          "end");
  }
  out.push_back(std::move(f));
}

void judge_injection(const PortSeen& seen, Findings& out) {
  switch (seen.injected) {
    case Injected::kNotTried:
      return;
    case Injected::kBelieved:
      out.push_back({"starttls_injection", Mark::kWrong,
                     _("a command put in the clear behind STARTTLS is obeyed inside TLS"),
                     _("who sits between client and server can put words into the client's mouth (CVE-2011-0411)"),
                     _("update the server's software")});
      return;
    case Injected::kForgotten:
      out.push_back({"starttls_injection", Mark::kGood, _("what is sent in the clear behind STARTTLS is forgotten")});
      return;
    case Injected::kRefused:
      out.push_back(
          {"starttls_injection", Mark::kGood, _("what is sent in the clear behind STARTTLS ends the session")});
      return;
  }
}

}  // namespace

void judge_tls(const PortSeen& seen, Findings& out) {
  judge_offer(seen, out);
  if (!seen.verdict) return;
  judge_versions(seen, out);
  judge_certificate(seen, out);
  judge_injection(seen, out);
}

}  // namespace sidegate::doctor
