#include "deliver/probe_advice.h"

#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::deliver {
namespace {

bool mentions(const std::string& text, std::string_view part) {
  return lower(text).find(part) != std::string::npos;
}

std::string name_of(const RelaySettings& relay) {
  return relay.name.empty() ? std::string(_("this relay")) : "[[relay]] " + relay.name;
}

std::string names_of(const tls::Verdict& verdict) {
  return printable(fmt::format("{}", fmt::join(verdict.names, ", ")), 300);
}

std::string expired_words(int ago) {
  return ago == 0 ? std::string(_("certificate expired today"))
                  : trn("certificate expired {} day ago", "certificate expired {} days ago", ago, ago);
}

// The verdict's own words are for logs too, and so in no language: what is often seen is said in the reader's.
std::string why_words(const RelaySettings& relay, const tls::Verdict& verdict) {
  if (verdict.days_left && *verdict.days_left < 0) return expired_words(tls::days_ended(*verdict.days_left));
  if (mentions(verdict.why, "you asked for") && !verdict.names.empty()) {
    return tr("certificate is for {}; you asked for {}", names_of(verdict),
              printable(relay.tls_name.empty() ? relay.host : relay.tls_name, 300));
  }
  if (mentions(verdict.why, "unknown ca")) {
    const std::string issuer = printable(verdict.issuer, 300);
    return relay.tls_ca_file.empty()
               ? tr("certificate is signed by an unknown CA ({} is not among the system's CAs)", issuer)
               : tr("certificate is signed by an unknown CA ({} is not among {})", issuer, relay.tls_ca_file);
  }
  if (mentions(verdict.why, "self-signed")) return _("certificate is self-signed");
  return printable(verdict.why, 500);
}

}  // namespace

std::string words_of(const smtp::Trouble& trouble) {
  return printable(trouble.reply ? trouble.reply->line() : trouble.error.text, 500);
}

ProbeAdvice advise_dns(const RelaySettings& relay, const Error& error) {
  if (error.kind == ErrorKind::kNotFound) {
    return {tr("there is no host of the name {}", printable(relay.host, 300)),
            _("check the spelling of `host` against the provider's page on outgoing mail (SMTP); a mail domain itself "
              "is often not the server's name")};
  }
  return {_("the name servers of this machine do not answer, or cannot look that name up now"),
          _("see /etc/resolv.conf and whether the network is up; mail waits and goes when they answer again")};
}

ProbeAdvice advise_connect(const RelaySettings& relay, const Error& error) {
  if (error.kind == ErrorKind::kBadInput)
    return {_("this machine has no such address to connect from"), _("correct source_address, or leave it out")};
  if (!relay.proxy.host.empty() && !error.text.starts_with("SOCKS5"))
    return {tr("the SOCKS5 proxy {} does not answer", printable(relay.proxy.host, 300)),
            _("check `proxy` of this relay, and that the proxy runs")};
  std::string others = relay.port == 465   ? _("587 with tls = \"starttls\"")
                       : relay.port == 587 ? _("465 with tls = \"implicit\"")
                                           : _("587 with tls = \"starttls\", or 465 with tls = \"implicit\"");
  switch (error.kind) {
    case ErrorKind::kRefused:
      return {tr("the host answers and says that nothing listens on port {}", relay.port),
              tr("check `port`: providers take mail on {}", others)};
    case ErrorKind::kTimeout:
      if (relay.port == 25) {
        return {_("nothing came back from port 25: most home lines and clouds close it for everything that goes out"),
                tr("use the provider's submission port instead: {}", others)};
      }
      return {
          tr("nothing came back from port {}: a firewall on the way drops it, or the host is down", relay.port),
          tr("try {}; if no port answers, ask who runs this network whether outgoing mail ports are closed", others)};
    case ErrorKind::kUnreachable:
      return {_("this machine has no way to that address"), _("see whether the network is up (`ip route`)")};
    default:
      return {printable(error.text, 300), _("see whether the network is up, and whether host and port are right")};
  }
}

ProbeAdvice advise_greeting(const RelaySettings& relay, const smtp::Trouble& trouble) {
  if (trouble.reply) {
    return {_("the server does not want to talk to this address now"),
            _("its words above say why; many such refusals end by themselves")};
  }
  if (trouble.error.kind == ErrorKind::kTimeout && relay.tls != TlsMode::kImplicit) {
    return {_("the connection stands and no greeting comes: this port may expect TLS at once, or be a proxy that "
              "swallows mail ports"),
            _("if this is port 465, set tls = \"implicit\"; otherwise try another port of the provider")};
  }
  if (trouble.error.kind == ErrorKind::kClosed) {
    return {_("the server closed the connection before it said anything"),
            _("it may refuse this address, or expect TLS at once (port 465: tls = \"implicit\")")};
  }
  return {_("what answers on this port is no mail server, or a broken one"), _("check `host` and `port`")};
}

ProbeAdvice advise_ehlo(const std::string& hostname, const smtp::Trouble& trouble) {
  if (trouble.reply) {
    return {_("the server does not take our EHLO"),
            tr("it may want another `hostname` than {}: a full name that exists in DNS", printable(hostname, 300))};
  }
  if (trouble.error.kind == ErrorKind::kProtocol) {
    return {_("the answer to EHLO is not what the protocol allows"),
            _("check `host` and `port`: this is no mail server, or a broken one")};
  }
  return {_("the connection broke at EHLO"), _("try again; if it stays, try the provider's other port")};
}

ProbeAdvice advise_starttls(const RelaySettings& relay, bool offered, const smtp::Trouble* trouble) {
  if (!offered) {
    return {tr("the server offers no STARTTLS on port {}, or something on the way removes the offer; nothing was sent",
               relay.port),
            relay.port == 465 ? _("set tls = \"implicit\" for port 465")
                              : _("set port = 465 and tls = \"implicit\" if the provider has it (see the next line)")};
  }
  if (trouble != nullptr && trouble->reply) {
    return {trouble->reply->transient() ? _("the server cannot begin TLS now; nothing was sent")
                                        : _("the server refuses the TLS it offers; nothing was sent"),
            _("try again in some minutes, or use port 465 with tls = \"implicit\"")};
  }
  if (trouble != nullptr && trouble->error.kind == ErrorKind::kProtocol) {
    return {_("the server, or somebody between it and us, put words into the connection that would later look as if "
              "they came through TLS; nothing was sent"),
            _("use port 465 with tls = \"implicit\"; if that is no different, something on this network interferes "
              "with mail")};
  }
  return {_("the connection broke at STARTTLS"), _("try port 465 with tls = \"implicit\"")};
}

ProbeAdvice advise_handshake(const RelaySettings& relay, const Error& error) {
  if (relay.tls == TlsMode::kImplicit &&
      (mentions(error.text, "not answer with tls") || mentions(error.text, "wrong version"))) {
    return {tr("what answers on port {} does not begin with TLS", relay.port),
            _("set tls = \"starttls\" for this port")};
  }
  if (error.kind == ErrorKind::kTimeout || error.kind == ErrorKind::kClosed) {
    return {_("the handshake did not come to its end: the server gave up, or something on the way interferes with TLS"),
            _("try the provider's other port (465 with tls = \"implicit\", 587 with tls = \"starttls\")")};
  }
  return {_("the two sides found no common TLS (1.2 or 1.3), or the server's TLS is broken"),
          _("ask the provider for a port with present TLS; TLS 1.0 and 1.1 are not spoken")};
}

ProbeAdvice advise_certificate(const RelaySettings& relay, const tls::Verdict& verdict) {
  std::string cause = tr("{}; no password and no mail goes there", why_words(relay, verdict));
  std::string pin = verdict.fingerprint.empty() ? "" : fmt::format("tls_fingerprints = [\"{}\"]", verdict.fingerprint);
  if (mentions(verdict.why, "is for") && !verdict.names.empty()) {
    return {cause, tr("set `host` to a name of the certificate ({}), or tls_name to the one that the provider confirms",
                      names_of(verdict))};
  }
  if (mentions(verdict.why, "pinned")) {
    return {
        cause,
        tr("if the provider has a new certificate and confirms it, set {}; if not, somebody else is answering", pin)};
  }
  if (verdict.days_left && *verdict.days_left < 0) {
    return {cause,
            _("the provider must renew it (see also whether this machine's clock is right); mail waits until then")};
  }
  if (mentions(verdict.why, "not valid yet")) return {cause, _("set this machine's clock (`timedatectl`)")};
  if (mentions(verdict.why, "unknown ca") || mentions(verdict.why, "self-signed")) {
    return {cause,
            tr("if the server is your own or the provider confirms this certificate, name its CA with tls_ca_file or "
               "pin it: {}; if it should be a public one, somebody sits between, or the package ca-certificates is "
               "missing",
               pin)};
  }
  return {cause, pin.empty() ? std::string(_("ask the provider; nothing is sent until it verifies"))
                             : tr("ask the provider; if it confirms this very certificate, pin it: {}", pin)};
}

ProbeAdvice advise_auth(const RelaySettings& relay, const smtp::Trouble& trouble) {
  if (!trouble.reply) {
    if (trouble.error.kind == ErrorKind::kAuth) {
      return {tr("the exchange failed: {}", printable(trouble.error.text, 300)),
              _("check user and password; if they are right, this may not be the server it claims to be")};
    }
    return {_("the connection broke during AUTH"), _("try again; if it stays, try the provider's other port")};
  }
  const mail::Reply& reply = *trouble.reply;
  if (reply.transient()) {
    return {_("the server cannot check passwords now, or has had too many tries"),
            _("wait some minutes; nothing is lost, the mail waits and the account is tried again with growing pauses")};
  }
  if (reply.code == 534 || mentions(reply.text(), "application-specific") || mentions(reply.text(), "app password")) {
    return {_("the provider does not take the account's usual password from programs"),
            _("make an app password on the provider's account page (two-step verification must be on there first) "
              "and use it as password")};
  }
  if (mentions(reply.text(), "disabled") || mentions(reply.text(), "not enabled")) {
    return {_("sending by programs (SMTP AUTH) is switched off for this account or its domain"),
            _("switch it on in the account's settings at the provider, or ask its administrator")};
  }
  if (reply.code == 530 || reply.code == 538) {
    return {_("the server wants TLS before AUTH"), _("set tls = \"starttls\" or \"implicit\"")};
  }
  std::string cure =
      _("check both (no space or line end in the password file); with two-step verification most providers (Gmail, "
        "iCloud, Yahoo, Yahoo! JAPAN, Fastmail and others) want an app password made on their account page instead of "
        "the usual one; some want SMTP or \"external mail programs\" to be switched on there first");
  if (relay.user.find('@') == std::string::npos) {
    cure = tr("`user` is \"{}\": many providers want the whole mail address; {}", printable(relay.user, 100), cure);
  }
  return {_("the server does not accept this user and password"), std::move(cure)};
}

ProbeAdvice advise_mail(const RelaySettings& relay, const std::string& sender, const smtp::Trouble& trouble) {
  if (!trouble.reply) return {printable(trouble.error.text, 300), _("try again")};
  const mail::Reply& reply = *trouble.reply;
  if (reply.code == 530) {
    return {_("the server wants a login before mail"),
            relay.has_credentials() ? _("see the AUTH step above") : tr("set user and password in {}", name_of(relay))};
  }
  if (reply.transient()) {
    return {_("the server does not take mail from this sender now"),
            _("its words say why; it is tried again by itself")};
  }
  return {tr("the server does not take <{}> as sender", printable(sender, 200)),
          relay.identity == Identity::kAccount
              ? tr("address in {} must be the account's own address; correct it", name_of(relay))
              : tr("write identity = \"account\" in {}: mail by it is then sent from the account's own address; or "
                   "register this one as an alias with the provider",
                   name_of(relay))};
}

}  // namespace sidegate::deliver
