#include "deliver/probe_advice.h"

#include "base/text.h"

namespace sidegate::deliver {
namespace {

bool mentions(const std::string& text, std::string_view part) {
  return lower(text).find(part) != std::string::npos;
}

std::string name_of(const RelaySettings& relay) {
  return relay.name.empty() ? "this relay" : "[[relay]] " + relay.name;
}

}  // namespace

std::string words_of(const smtp::Trouble& trouble) {
  return printable(trouble.reply ? trouble.reply->line() : trouble.error.text, 500);
}

ProbeAdvice advise_dns(const RelaySettings& relay, const Error& error) {
  if (error.kind == ErrorKind::kNotFound) {
    return {fmt::format("there is no host of the name {}", relay.host),
            "check the spelling of `host` against the provider's page on outgoing mail (SMTP); a mail domain itself is "
            "often "
            "not the server's name"};
  }
  return {"the name servers of this machine do not answer, or cannot look that name up now",
          "see /etc/resolv.conf and whether the network is up; mail waits and goes when they answer again"};
}

ProbeAdvice advise_connect(const RelaySettings& relay, const Error& error) {
  if (error.kind == ErrorKind::kBadInput)
    return {"this machine has no such address to connect from", "correct source_address, or leave it out"};
  if (!relay.proxy.host.empty() && !error.text.starts_with("SOCKS5"))
    return {fmt::format("the SOCKS5 proxy {} does not answer", relay.proxy.host),
            "check `proxy` of this relay, and that the proxy runs"};
  std::string others = relay.port == 465   ? "587 with tls = \"starttls\""
                       : relay.port == 587 ? "465 with tls = \"implicit\""
                                           : "587 with tls = \"starttls\", or 465 with tls = \"implicit\"";
  switch (error.kind) {
    case ErrorKind::kRefused:
      return {fmt::format("the host answers and says that nothing listens on port {}", relay.port),
              fmt::format("check `port`: providers take mail on {}", others)};
    case ErrorKind::kTimeout:
      if (relay.port == 25) {
        return {"nothing came back from port 25: most home lines and clouds close it for everything that goes out",
                "use the provider's submission port instead: " + others};
      }
      return {
          fmt::format("nothing came back from port {}: a firewall on the way drops it, or the host is down",
                      relay.port),
          fmt::format("try {}; if no port answers, ask who runs this network whether outgoing mail ports are closed",
                      others)};
    case ErrorKind::kUnreachable:
      return {"this machine has no way to that address", "see whether the network is up (`ip route`)"};
    default:
      return {printable(error.text, 300), "see whether the network is up, and whether host and port are right"};
  }
}

ProbeAdvice advise_greeting(const RelaySettings& relay, const smtp::Trouble& trouble) {
  if (trouble.reply) {
    return {"the server does not want to talk to this address now",
            "its words above say why; many such refusals end by themselves"};
  }
  if (trouble.error.kind == ErrorKind::kTimeout && relay.tls != TlsMode::kImplicit) {
    return {
        "the connection stands and no greeting comes: this port may expect TLS at once, or be a proxy that swallows "
        "mail ports",
        "if this is port 465, set tls = \"implicit\"; otherwise try another port of the provider"};
  }
  if (trouble.error.kind == ErrorKind::kClosed) {
    return {"the server closed the connection before it said anything",
            "it may refuse this address, or expect TLS at once (port 465: tls = \"implicit\")"};
  }
  return {"what answers on this port is no mail server, or a broken one", "check `host` and `port`"};
}

ProbeAdvice advise_ehlo(const std::string& hostname, const smtp::Trouble& trouble) {
  if (trouble.reply) {
    return {"the server does not take our EHLO",
            fmt::format("it may want another `hostname` than {}: a full name that exists in DNS",
                        printable(hostname, 300))};
  }
  if (trouble.error.kind == ErrorKind::kProtocol) {
    return {"the answer to EHLO is not what the protocol allows",
            "check `host` and `port`: this is no mail server, or a broken one"};
  }
  return {"the connection broke at EHLO", "try again; if it stays, try the provider's other port"};
}

ProbeAdvice advise_starttls(const RelaySettings& relay, bool offered, const smtp::Trouble* trouble) {
  if (!offered) {
    return {fmt::format(
                "the server offers no STARTTLS on port {}, or something on the way removes the offer; nothing was sent",
                relay.port),
            relay.port == 465 ? "set tls = \"implicit\" for port 465"
                              : "set port = 465 and tls = \"implicit\" if the provider has it (see the next line)"};
  }
  if (trouble != nullptr && trouble->reply) {
    return {trouble->reply->transient() ? "the server cannot begin TLS now; nothing was sent"
                                        : "the server refuses the TLS it offers; nothing was sent",
            "try again in some minutes, or use port 465 with tls = \"implicit\""};
  }
  if (trouble != nullptr && trouble->error.kind == ErrorKind::kProtocol) {
    return {
        "the server, or somebody between it and us, put words into the connection that would later look as if they "
        "came "
        "through TLS; nothing was sent",
        "use port 465 with tls = \"implicit\"; if that is no different, something on this network interferes with "
        "mail"};
  }
  return {"the connection broke at STARTTLS", "try port 465 with tls = \"implicit\""};
}

ProbeAdvice advise_handshake(const RelaySettings& relay, const Error& error) {
  if (relay.tls == TlsMode::kImplicit &&
      (mentions(error.text, "not answer with tls") || mentions(error.text, "wrong version"))) {
    return {fmt::format("what answers on port {} does not begin with TLS", relay.port),
            "set tls = \"starttls\" for this port"};
  }
  if (error.kind == ErrorKind::kTimeout || error.kind == ErrorKind::kClosed) {
    return {"the handshake did not come to its end: the server gave up, or something on the way interferes with TLS",
            "try the provider's other port (465 with tls = \"implicit\", 587 with tls = \"starttls\")"};
  }
  return {"the two sides found no common TLS (1.2 or 1.3), or the server's TLS is broken",
          "ask the provider for a port with present TLS; TLS 1.0 and 1.1 are not spoken"};
}

ProbeAdvice advise_certificate(const RelaySettings& relay, const tls::Verdict& verdict) {
  std::string cause = printable(verdict.why, 500) + "; no password and no mail goes there";
  std::string pin = verdict.fingerprint.empty() ? "" : fmt::format("tls_fingerprints = [\"{}\"]", verdict.fingerprint);
  if (mentions(verdict.why, "is for") && !verdict.names.empty()) {
    return {
        cause,
        fmt::format("set `host` to a name of the certificate ({}), or tls_name to the one that the provider confirms",
                    printable(fmt::format("{}", fmt::join(verdict.names, ", ")), 300))};
  }
  if (mentions(verdict.why, "pinned")) {
    return {cause, "if the provider has a new certificate and confirms it, set " + pin +
                       "; if not, somebody else is answering"};
  }
  if (verdict.days_left && *verdict.days_left < 0) {
    return {cause,
            "the provider must renew it (see also whether this machine's clock is right); mail waits until then"};
  }
  if (mentions(verdict.why, "not valid yet")) return {cause, "set this machine's clock (`timedatectl`)"};
  if (mentions(verdict.why, "unknown ca") || mentions(verdict.why, "self-signed")) {
    return {cause,
            fmt::format(
                "if the server is your own or the provider confirms this certificate, name its CA with tls_ca_file or "
                "pin it: {}; if it should be a public one, somebody sits between, or the package "
                "ca-certificates is missing",
                pin)};
  }
  return {cause, "ask the provider; " + (pin.empty() ? std::string("nothing is sent until it verifies")
                                                     : "if it confirms this very certificate, pin it: " + pin)};
}

ProbeAdvice advise_auth(const RelaySettings& relay, const smtp::Trouble& trouble) {
  if (!trouble.reply) {
    if (trouble.error.kind == ErrorKind::kAuth) {
      return {"the exchange failed: " + printable(trouble.error.text, 300),
              "check user and password; if they are right, this may not be the server it claims to be"};
    }
    return {"the connection broke during AUTH", "try again; if it stays, try the provider's other port"};
  }
  const mail::Reply& reply = *trouble.reply;
  if (reply.transient()) {
    return {"the server cannot check passwords now, or has had too many tries",
            "wait some minutes; nothing is lost, the mail waits and the account is tried again with growing pauses"};
  }
  if (reply.code == 534 || mentions(reply.text(), "application-specific") || mentions(reply.text(), "app password")) {
    return {"the provider does not take the account's usual password from programs",
            "make an app password on the provider's account page (two-step verification must be on there first) and "
            "use it as "
            "password"};
  }
  if (mentions(reply.text(), "disabled") || mentions(reply.text(), "not enabled")) {
    return {"sending by programs (SMTP AUTH) is switched off for this account or its domain",
            "switch it on in the account's settings at the provider, or ask its administrator"};
  }
  if (reply.code == 530 || reply.code == 538) {
    return {"the server wants TLS before AUTH", "set tls = \"starttls\" or \"implicit\""};
  }
  std::string whole =
      relay.user.find('@') == std::string::npos
          ? fmt::format("`user` is \"{}\": many providers want the whole mail address; ", printable(relay.user, 100))
          : "";
  return {
      "the server does not accept this user and password",
      whole +
          "check both (no space or line end in the password file); with two-step verification most providers (Gmail, "
          "iCloud, Yahoo, Yahoo! JAPAN, Fastmail and others) want an app password made on their account page instead "
          "of "
          "the usual one; some want SMTP or \"external mail programs\" to be switched on there first"};
}

ProbeAdvice advise_mail(const RelaySettings& relay, const std::string& sender, const smtp::Trouble& trouble) {
  if (!trouble.reply) return {printable(trouble.error.text, 300), "try again"};
  const mail::Reply& reply = *trouble.reply;
  if (reply.code == 530) {
    return {"the server wants a login before mail",
            relay.has_credentials() ? "see the AUTH step above" : "set user and password in " + name_of(relay)};
  }
  if (reply.transient())
    return {"the server does not take mail from this sender now", "its words say why; it is tried again by itself"};
  return {fmt::format("the server does not take <{}> as sender", printable(sender, 200)),
          relay.identity == Identity::kAccount
              ? "address in " + name_of(relay) + " must be the account's own address; correct it"
              : "write identity = \"account\" in " + name_of(relay) +
                    ": mail by it is then sent from the account's own "
                    "address; or register this one as an alias with the provider"};
}

}  // namespace sidegate::deliver
