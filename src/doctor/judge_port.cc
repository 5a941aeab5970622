#include "doctor/judge_port.h"

#include "base/i18n.h"
#include "base/text.h"
#include "net/networks.h"

namespace sidegate::doctor {
namespace {

bool is_loopback_text(const std::string& address) {
  const auto octets = net::parse_address(address);
  return octets && net::is_loopback(*octets);
}

Finding unreached(const PortSeen& seen) {
  Finding f{"connect", Mark::kWrong, tr("no connection: {}", seen.connect.line)};
  const bool ours = !seen.place.listener.empty();
  if (*seen.unreachable == ErrorKind::kRefused) {
    f.why =
        ours ? _("nothing listens there") : _("nothing listens there, or a router or firewall refuses in its place");
    f.next = ours ? _("start the server: systemctl start sidegate")
                  : _("is the server running, and does the router forward this port to it?");
  } else {
    f.why = _("no answer at all: a firewall drops it, or nothing is at this address");
    f.next =
        ours ? _("look at this machine's packet filter: nft list ruleset")
             : tr("let port {} in at the firewall, forward it at the router; many networks also close port 25 towards "
                  "the outside (OP25B), and then this cannot be seen from here",
                  seen.place.port);
  }
  return f;
}

void judge_vrfy(const PortSeen& seen, Findings& out) {
  const Answer &known = seen.vrfy_known, &unknown = seen.vrfy_unknown;
  // Who hangs up, or is tired of us, has said nothing about names.
  if (known.code == 0 || known.later()) return;
  const bool both = unknown.code != 0 && !unknown.later();
  const bool discloses = known.code == 250 || known.code == 251 || (both && known.code != unknown.code);
  if (!discloses) {
    out.push_back({"vrfy", Mark::kGood, tr("VRFY tells nothing: {}", known.line)});
    return;
  }
  out.push_back({"vrfy", Mark::kWrong, tr("VRFY tells who exists: {} / {}", known.line, unknown.line),
                 _("who collects addresses can try names one by one"),
                 _("switch VRFY off (Postfix: disable_vrfy_command = yes)")});
}

void judge_command(const char* check, const char* verb, const Answer& answer, const char* why, const char* next,
                   Findings& out) {
  if (!answer.asked()) return;
  if (!answer.good()) {
    out.push_back({check, Mark::kGood, tr("{} is refused: {}", verb, answer.line)});
  } else {
    out.push_back({check, Mark::kWrong, tr("{} is taken: {}", verb, answer.line), why, next});
  }
}

}  // namespace

void judge_dialogue(const PortSeen& seen, Findings& out) {
  if (seen.unreachable) {
    out.push_back(unreached(seen));
    return;
  }
  if (!seen.greeting.good()) {
    if (!seen.place.implicit_tls || seen.greeting.asked()) {
      const Answer& said = seen.greeting.asked() ? seen.greeting : seen.broken;
      out.push_back({"greeting", Mark::kWrong, tr("no greeting: {}", said.line),
                     _("this is no mail server, or it does not want us"), _("look at the server's log")});
    }
    return;  // else judge_tls tells
  }
  out.push_back({"greeting", Mark::kGood, seen.greeting.line});
  if (seen.broken.asked()) {
    out.push_back({"ehlo",
                   Mark::kWrong,
                   tr("the dialogue ends at EHLO: {}", seen.broken.line),
                   {},
                   _("look at the server's log")});
    return;
  }
  judge_vrfy(seen, out);
  judge_command("expn", "EXPN", seen.expn, _("it names the members of lists"), _("switch EXPN off"), out);
  judge_command("etrn", "ETRN", seen.etrn, _("anybody can make the queue run, again and again"),
                _("switch ETRN off (Postfix: smtpd_etrn_restrictions = reject)"), out);
}

void judge_login(const PortSeen& seen, Findings& out) {
  const bool submission = is_submission(seen.place.role);
  if (seen.in_clear.tried && seen.in_clear.auth.asked()) {
    const bool offered = !seen.in_clear.capabilities.auth.empty(), taken = seen.in_clear.auth.code == 334;
    if (offered || taken) {
      out.push_back({"plaintext_auth", Mark::kWrong,
                     taken ? _("AUTH is taken without TLS") : _("AUTH is offered without TLS"),
                     _("passwords go over the network in the clear"),
                     _("allow AUTH inside TLS only (Postfix: smtpd_tls_auth_only = yes)")});
    } else {
      out.push_back({"plaintext_auth", Mark::kGood, tr("no AUTH without TLS: {}", seen.in_clear.auth.line)});
    }
  }
  if (seen.in_tls.tried) {
    const std::vector<std::string>& offered = seen.in_tls.capabilities.auth;
    const std::string names = fmt::format("{}", fmt::join(offered, " "));
    if (submission && offered.empty()) {
      out.push_back({"auth", Mark::kWrong, _("no AUTH inside TLS"), _("nobody can log in, so nobody can send here"),
                     _("set auth = true, and see which users there are: sidegate user list")});
    } else if (submission) {
      out.push_back({"auth", Mark::kGood, tr("AUTH inside TLS: {}", names), {}, {}, {{"mechanisms", offered}}});
    } else if (!offered.empty()) {
      out.push_back({"auth",
                     Mark::kNote,
                     tr("AUTH is offered here too: {}", names),
                     _("passwords are guessed at where everybody comes"),
                     _("let clients use port 465 or 587"),
                     {{"mechanisms", offered}}});
    }
  }
  if (!submission) return;
  // RFC 6409 section 4.3: everybody logs in, from wherever.
  for (const auto& [stranger, where] :
       {std::pair(&seen.in_clear, _("in the clear")), std::pair(&seen.in_tls, _("inside TLS"))}) {
    if (!stranger->tried || !stranger->mail.asked()) continue;
    const Answer& mail = stranger->mail;
    if (mail.code == 530) {
      out.push_back({"auth_required", Mark::kGood, tr("MAIL without a login ({}): {}", where, mail.line)});
    } else if (mail.good() && (stranger->away.good() || stranger->local.good())) {
      out.push_back({"auth_required", Mark::kWrong,
                     tr("mail is taken without a login ({}): {}", where,
                        (stranger->away.good() ? stranger->away : stranger->local).line),
                     _("a submission port is for users who have logged in, listed networks and this machine included"),
                     _("demand AUTH of everybody (profile = \"submission\"; Postfix: smtpd_client_restrictions = "
                       "permit_sasl_authenticated, reject on this service)")});
    } else if (mail.good()) {
      out.push_back({"auth_required",
                     Mark::kNote,
                     tr("MAIL is taken without a login ({}), recipients are not: {}", where, stranger->away.line),
                     _("a client learns late that it has to log in (RFC 6409: 530 to MAIL)"),
                     {}});
    } else {
      out.push_back({"auth_required", Mark::kGood, tr("MAIL without a login ({}) is refused: {}", where, mail.line)});
    }
  }
}

void judge_recipients(const PortSeen& seen, Findings& out) {
  if (seen.place.role != Role::kServers || seen.place.only_relaying) return;
  const Stranger& s = seen.in_tls.tried && seen.in_tls.mail.asked() ? seen.in_tls : seen.in_clear;
  if (!s.mail.asked()) return;
  const std::string who = seen.place.local_recipient.empty() ? "postmaster" : seen.place.local_recipient;
  if (s.mail.later() || s.local.later()) {
    out.push_back({"local_recipient",
                   Mark::kNote,
                   tr("{} is not taken now: {}", who, (s.local.asked() ? s.local : s.mail).line),
                   _("greylisting or a limit; whether it is taken later was not seen"),
                   {}});
  } else if (!s.mail.good()) {
    out.push_back({"local_recipient", Mark::kWrong, tr("MAIL without a login is refused: {}", s.mail.line),
                   _("other servers do not log in: no mail from outside arrives here"),
                   _("set profile = \"smtp\" for port 25, and no condition on MAIL")});
  } else if (!s.local.good()) {
    out.push_back({"local_recipient", Mark::kWrong, tr("a local recipient is refused: {}: {}", who, s.local.line),
                   _("mail from outside does not arrive (RFC 5321 section 4.5.1: postmaster always does)"),
                   seen.place.listener.empty()
                       ? _("name an address that must work with --rcpt; see local domains and aliases there")
                       : _("see local_domains and: sidegate explain address postmaster")});
  } else {
    out.push_back({"local_recipient", Mark::kGood, tr("{} is taken without a login: {}", who, s.local.line)});
  }
  if (s.local.good() && s.unknown.good()) {
    out.push_back(
        {"unknown_recipient",
         Mark::kNote,
         tr("a name that nobody has is taken: {}", s.unknown.line),
         _("a catch-all; or unknown names are taken first and bounced later, to strangers whose address was forged"),
         {}});
  }
}

namespace {

std::string dialogue(const TrickTried& t) {
  return fmt::format("MAIL FROM:{} RCPT TO:{} -> {}", t.trick.sender, t.trick.recipient, t.recipient.line);
}

void judge_taken(const std::vector<const TrickTried*>& taken, Findings& out) {
  std::vector<std::string> names, lines;
  for (const TrickTried* t : taken) {
    names.push_back(t->trick.name);
    lines.push_back(printable(dialogue(*t), 500));
  }
  Finding f{"open_relay", Mark::kWrong, tr("open relay: mail to elsewhere is taken from a stranger: {}", lines.front()),
            _("spam will be sent through it within hours, and its address listed everywhere"),
            _("take mail for your own domains only, unless the sender has logged in or stands in a listed network "
              "(networks; Postfix: "
              "mynetworks, smtpd_relay_restrictions)")};
  f.details = {{"tricks", names}, {"dialogues", lines}};
  if (taken.size() > 1)
    f.text += " " + tr("(and {} more: {})", taken.size() - 1,
                       fmt::format("{}", fmt::join(names.begin() + 1, names.end(), ", ")));
  out.push_back(std::move(f));
}

}  // namespace

void judge_relaying(const PortSeen& seen, Findings& out) {
  if (seen.place.relays_for_us) {
    out.push_back({"open_relay",
                   Mark::kNote,
                   _("who connects from here may relay, by the configuration: nothing was tried"),
                   seen.place.role == Role::kPrograms && is_loopback_text(seen.place.address)
                       ? _("this listener is for this machine's programs and cannot be reached from elsewhere")
                       : _("this machine's own address is in a listed network; others may not be"),
                   {}});
    return;
  }
  if (seen.unreachable || !seen.greeting.good()) return;
  std::vector<const TrickTried*> open, doubtful;
  std::size_t later = 0;
  const bool catch_all = seen.in_clear.unknown.good() || seen.in_tls.unknown.good();
  for (const TrickTried& t : seen.tricks) {
    if (t.recipient.good()) (t.trick.may_end_here && catch_all ? doubtful : open).push_back(&t);
    if ((t.recipient.asked() ? t.recipient : t.mail).later()) ++later;
  }
  // What the usual dialogue in the clear was told counts as well: some servers differ inside TLS.
  if (open.empty() && seen.in_clear.away.good()) {
    out.push_back({"open_relay", Mark::kWrong,
                   tr("open relay: mail to elsewhere is taken from a stranger: {}", seen.in_clear.away.line),
                   _("spam will be sent through it within hours, and its address listed everywhere"),
                   _("take mail for your own domains only, unless the sender has logged in or stands in a listed "
                     "network (networks; Postfix: "
                     "mynetworks, smtpd_relay_restrictions)")});
    return;
  }
  if (!open.empty()) {
    judge_taken(open, out);
    return;
  }
  if (!doubtful.empty()) {
    out.push_back({"open_relay", Mark::kNote,
                   tr("{} tricks are taken like every other name here: {}", doubtful.size(),
                      printable(dialogue(*doubtful.front()), 500)),
                   _("a catch-all takes them, or they are passed on: that cannot be seen from outside"),
                   _("make sure that no name with %, ! or @ in it is passed on")});
  }
  const std::size_t tried = seen.tricks.size();
  if (seen.tricks_cut_short || later == tried) {
    out.push_back({"open_relay", Mark::kNote,
                   tried == 0 || !seen.tricks_cut_short
                       ? _("the tricks of open relays could not be tried: the server takes nothing now")
                       : tr("only {} tricks could be tried: the server ends the connection", tried),
                   later > 0 ? printable((seen.tricks.front().recipient.asked() ? seen.tricks.front().recipient
                                                                                : seen.tricks.front().mail)
                                             .line,
                                         300)
                             : std::string(),
                   _("try again later, or from an address that no limit applies to")});
    return;
  }
  if (doubtful.empty()) {
    out.push_back({"open_relay",
                   Mark::kGood,
                   tr("no open relay: {} tricks refused, the usual way with: {}", tried,
                      tried == 0 ? std::string()
                                 : (seen.tricks.front().recipient.asked() ? seen.tricks.front().recipient
                                                                          : seen.tricks.front().mail)
                                       .line),
                   {},
                   {},
                   {{"tried", std::int64_t(tried)}}});
  }
}

Findings judge(const PortSeen& seen) {
  Findings out;
  judge_dialogue(seen, out);
  if (!seen.unreachable && !seen.place.only_relaying) judge_tls(seen, out);
  if (!seen.unreachable && seen.greeting.good() && !seen.broken.asked()) {
    judge_login(seen, out);
    judge_recipients(seen, out);
    judge_relaying(seen, out);
  }
  if (seen.place.only_relaying)
    std::erase_if(out, [](const Finding& f) { return f.check == "greeting" && f.mark == Mark::kGood; });
  for (Finding& f : out) f.place = seen.place.text();
  return out;
}

}  // namespace sidegate::doctor
