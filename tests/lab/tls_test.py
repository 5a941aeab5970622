"""TLS with mail servers: the levels of [direct] tls and [[tls_policy]], DANE by what the DNS proves (and where it cannot), and
REQUIRETLS to a server that offers it and to those that do not. Real Postfix, Knot and Unbound; the second Sidegate is ours."""
import os
import ssl
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, gate, plan                   # noqa: E402
from lab.howto import HowTo, key                          # noqa: E402
from lab.lab import public_key_digest                     # noqa: E402
from support.client import RawClient                      # noqa: E402
from support.server import wait_for                       # noqa: E402

TARO = plan.TARO.user
HANA = "hana@home.example"
SECOND = plan.RENTED.name   # its own name is a mail domain: no MX, an address, and signed
TLSA = "_25._tcp.mail TLSA"
NO_DNSSEC = "DNSSEC cannot be validated"


def policy(domain, level, more=""):
    return f'[[tls_policy]]\ndomain = "{domain}"\nlevel = "{level}"\n{more}'


class TlsCase(HowTo):
    def setUp(self):
        super().setUp()
        self.lab.set(port25="open")
        self.dane_key = public_key_digest(self.lab.path("ca", plan.DANE.name + ".pem"))

    def direct(self, extra="", tls="", top=""):
        return self.serve(top + '[dns]\n' + key("trust_anchor", self.lab.knot.anchor) + '[direct]\nconnect_timeout = "2s"\nretry_after = "1s"\n' + tls + extra)

    def zone_says(self, zone, old, new):
        self.lab.change_zone(zone, old, new)
        self.addCleanup(self.lab.change_zone, zone, new, old)

    def tls_of(self, server, recipient):
        self.arrives(server, recipient)
        return wait_for(lambda: [e["tls"] for e in self.deliveries(server, recipient) if e["status"] == "sent"], what=f"the delivery to {recipient}")[-1]

    def waits(self, server, domain, *words, meaning="tls-policy"):
        """Mail for it waits, and the reason has these words; it is nowhere."""
        down = self.event(server, "way_down", lambda e: e["destination"] == domain)
        for word in words:
            self.assertIn(word, down["reason"])
        self.assertEqual(down["meaning"], meaning, down)
        self.assertEqual([e for e in server.events("delivery") if e["to"].endswith("@" + domain) and e["status"] == "sent"], [])
        return down


class Dane(TlsCase):
    def test_by_what_is_published(self):
        """As it is right, and where nothing is published."""
        server = self.direct()
        server.send(TARO, ["right@dane.example"])
        self.assertRegex(self.tls_of(server, "right@dane.example"), "^verified:dane-ee TLSv1")
        server.send(TARO, ["x@sts.example"])   # by its MTA-STS policy
        self.assertRegex(self.tls_of(server, "x@sts.example"), "^verified:pkix ")
        server.send(TARO, ["x@plain.example"])
        self.assertEqual(self.tls_of(server, "x@plain.example"), "none")
        self.assertNotIn(NO_DNSSEC, server.command("status").stdout)
        self.all_is_well(server)

    def test_none_or_such_as_mail_cannot_use(self):
        for name, record in (("absent", TLSA.replace("_25", "_26") + " 3"), ("unusable", f"{TLSA} 1")):
            self.lab.change_zone("dane.example.", f"{TLSA} 3", record)
            try:
                server = self.direct()
                server.send(TARO, [f"{name}@dane.example"])
                self.assertRegex(self.tls_of(server, f"{name}@dane.example"), "^encrypted ")
                self.all_is_well(server)
            finally:
                self.lab.change_zone("dane.example.", record, f"{TLSA} 3")

    def test_a_wrong_one_waits_until_it_is_right(self):
        wrong = "0" * 64
        self.lab.change_zone("dane.example.", self.dane_key, wrong)
        put_right = [self.dane_key]
        self.addCleanup(lambda: put_right and self.lab.change_zone("dane.example.", wrong, put_right.pop()))
        server = self.direct()
        server.send(TARO, ["later@dane.example"])
        self.waits(server, "dane.example", plan.DANE.name, "TLSA", "dane")
        self.assertEqual(self.lab.mailbox("later@dane.example"), [])
        # Who says that TLS is of no matter gets it through (RFC 8689 section 3), beside the other one.
        client = RawClient(0, connected=self.lab.home.connect("127.0.0.1", server.port, 60))
        client.open_transaction(TARO, ["careless@dane.example"])
        self.assertEqual(client.data(b"TLS-Required: no\r\nSubject: x\r\n\r\nbody\r\n")[0], 250)
        self.assertRegex(self.tls_of(server, "careless@dane.example"), "^encrypted ")
        self.lab.change_zone("dane.example.", wrong, put_right.pop())
        self.assertEqual(server.stop(), 0)   # nothing of the old record is remembered
        server.start()
        self.assertRegex(self.tls_of(server, "later@dane.example"), "^verified:dane-ee ")
        self.all_is_well(server)

    def test_an_authority_by_its_own_record(self):
        """DANE-TA: the CA is named, and the server sends it; the name must be right then."""
        chain = self.lab.path("chain.pem")
        with open(chain, "w") as out:
            for part in (self.lab.path("ca", plan.DANE.name + ".pem"), self.lab.authority.ca):
                with open(part) as text:
                    out.write(text.read())
        mx = self.lab.exchangers["dane"]
        before = mx.settings["smtpd_tls_cert_file"]
        mx.change(smtpd_tls_cert_file=chain)
        self.addCleanup(mx.change, smtpd_tls_cert_file=before)
        self.zone_says("dane.example.", f"3 1 1 {self.dane_key}", f"2 1 1 {public_key_digest(self.lab.authority.ca)}")
        server = self.direct()
        server.send(TARO, ["ta@dane.example"])
        self.assertRegex(self.tls_of(server, "ta@dane.example"), "^verified:dane-ta ")
        self.all_is_well(server)

    def test_bogus_is_never_gone_to(self):
        server = self.direct()
        server.send(TARO, ["x@bogus.example"])
        self.waits(server, "bogus.example", "DNSSEC", meaning="dns-trouble")
        self.assertEqual(self.lab.mailbox("x@bogus.example"), [])

    def test_a_router_without_dnssec(self):
        """What cannot be proven here is done without, visibly; dane-only waits."""
        self.lab.set(dns="router")
        server = self.direct(policy("sts.example", "dane-only"))
        server.send(TARO, ["poor@dane.example"])
        self.assertRegex(self.tls_of(server, "poor@dane.example"), "^encrypted ")
        self.assertIn(NO_DNSSEC, server.command("status").stdout)
        server.send(TARO, ["poor@sts.example"])
        self.waits(server, "sts.example", NO_DNSSEC, "[[tls_policy]] sts.example")
        self.lab.set(dns="unbound")

    def test_dane_only(self):
        server = self.direct(policy("plain.example", "dane-only") + policy(".dane.example", "dane-only"), 'tls = "dane-only"\n')
        server.send(TARO, ["only@dane.example"])
        self.assertRegex(self.tls_of(server, "only@dane.example"), "^verified:dane-ee ")
        server.send(TARO, ["only@plain.example"])
        self.waits(server, "plain.example", "not signed", "dane-only")
        server.send(TARO, ["only@own.example"])   # signed; its MX is not
        self.waits(server, "own.example", "not signed", "[direct] tls")


class Levels(TlsCase):
    def test_each(self):
        rules = (policy("sts.example", "verify") + policy("dane.example", "secure") + policy("isp.example", "none") +
                 policy("provider.example", "secure", 'match = ["mail.elsewhere.example", ".other.example"]\n') + policy("plain.example", "encrypt"))
        server = self.direct(rules)
        for recipient, tls in (("v@sts.example", "^verified:pkix "), ("s@dane.example", "^verified:pkix "), (plan.HANAKO.user, "^none$")):
            server.send("ann@home.example", [recipient])
            self.assertRegex(self.tls_of(server, recipient), tls)
        server.send(TARO, ["x@provider.example"])
        self.waits(server, "provider.example", plan.PROVIDER.name, "must be for mail.elsewhere.example", "[[tls_policy]] provider.example")
        server.send(TARO, ["x@plain.example"])
        self.waits(server, "plain.example", plan.PLAIN.name, "STARTTLS", "[[tls_policy]] plain.example")
        told = server.command("explain", "route", "--from", TARO, "--to", "x@provider.example").stdout
        for words in ("secure", "[[tls_policy]] provider.example", "mail.elsewhere.example"):
            self.assertIn(words, told)
        self.assertNotIn("explain sts", told)
        for command in (("route", "--from", TARO, "--to", "x@equal.example"), ("tls", "equal.example")):
            self.assertIn("sidegate explain sts equal.example", server.command("explain", *command).stdout)

    def test_a_host_that_does_not_meet_it_is_passed_over(self):
        """Of three exchangers the one without TLS is never gone to; mail that is left with it alone waits."""
        server = self.direct(policy("equal.example", "encrypt") + policy("fallback.example", "encrypt"))
        for n in range(4):
            server.send(TARO, [f"n{n}@equal.example"])
            self.assertRegex(self.tls_of(server, f"n{n}@equal.example"), "^encrypted ")
        server.send(TARO, ["x@fallback.example"])
        self.event(server, "way_down", lambda e: e["destination"] == "fallback.example")
        self.assertEqual(self.lab.mailbox("x@fallback.example"), [])

    def test_stripped_starttls(self):
        mx = self.lab.exchangers["sts"]
        mx.change(smtpd_discard_ehlo_keywords="starttls")
        self.addCleanup(mx.change, smtpd_discard_ehlo_keywords="")
        server = self.direct(policy("sts.example", "encrypt"))
        server.send(TARO, ["x@sts.example"])
        self.waits(server, "sts.example", "STARTTLS")
        mx.change(smtpd_discard_ehlo_keywords="")
        self.assertRegex(self.tls_of(server, "x@sts.example"), "^encrypted ")
        self.all_is_well(server)

    def test_certificates_that_are_not_right(self):
        mx = self.lab.exchangers["sts"]
        right = {name: mx.settings[name] for name in ("smtpd_tls_cert_file", "smtpd_tls_key_file")}
        self.addCleanup(lambda: mx.change(**right))
        for name, names, days, words in (("other", ("mail.other.example",), 30, "mail.other.example"), ("old", (plan.STS.name,), -1, "expired")):
            cert, private = self.lab.authority.issue(name + ".tls", names, (), days)
            mx.change(smtpd_tls_cert_file=cert, smtpd_tls_key_file=private)
            server = self.direct(policy("sts.example", "verify"))
            server.send(TARO, [f"{name}@sts.example"])
            self.waits(server, "sts.example", plan.STS.name, words)
            self.assertEqual(server.stop(), 0)
            server.extra = server.extra.replace('level = "verify"', 'level = "encrypt"')
            server.write_config()
            server.start()
            self.assertRegex(self.tls_of(server, f"{name}@sts.example"), "^encrypted ")
            self.all_is_well(server)


class RequireTls(TlsCase):
    def setUp(self):
        super().setUp()
        certificate, private = self.lab.authority.issue("second", (SECOND,), ())
        os.chmod(private, 0o600)
        self.second = gate.Gate(self.lab, place=self.lab.rented)
        for step in (self.second.discard, self.second.end):
            self.addCleanup(step)
        mail = os.path.join(self.second.folder, "mail")
        self.second.extra = (key("hostname", SECOND) + key("local_domains", [SECOND]) + key("alias_files", [os.path.join(self.second.folder, "aliases")]) +
                             '[dns]\n' + key("trust_anchor", self.lab.knot.anchor) +
                             f'[tls]\ncertificates = [{{ certificate = "{certificate}", key = "{private}" }}]\n[direct]\nretry_after = "1s"\n'
                             f'[[listener]]\nname = "mx"\nprofile = "smtp"\naddress = "{plan.RENTED.v4}"\nport = 25\n'
                             f'[[listener]]\nname = "in"\naddress = "127.0.0.1"\nport = {self.second.port}\n')
        with open(os.path.join(self.second.folder, "aliases"), "w") as out:
            out.write("root: onward@plain.example\n")
        os.makedirs(mail, exist_ok=True)
        self.second.write_config()
        self.second.start()
        record = f"_25._tcp.vps TLSA 3 1 1 {public_key_digest(certificate)}\n"
        self.zone_says("own.example.", f"vps A {plan.RENTED.v4}\n", f"vps A {plan.RENTED.v4}\n{record}")

    def at_home(self):
        """Its listener has a certificate, so that REQUIRETLS can be asked of it."""
        certificate, private = self.lab.authority.issue("gate", ("gate.test",), ())
        os.chmod(private, 0o600)
        server = gate.Gate(self.lab)
        for step in (server.discard, server.end):
            self.addCleanup(step)
        server.extra = ("[dns]\n" + key("trust_anchor", self.lab.knot.anchor) + '[direct]\nconnect_timeout = "2s"\nretry_after = "1s"\n'
                        f'[tls]\ncertificates = [{{ certificate = "{certificate}", key = "{private}" }}]\n'
                        f'[[listener]]\nname = "in"\naddress = "127.0.0.1"\nport = {server.port}\ntls = "starttls"\n')
        server.write_config()
        return server.start()

    def submit(self, server, recipient, head="", sender=HANA):
        client = RawClient(0, connected=self.lab.home.connect("127.0.0.1", server.port, 60))
        code, lines = client.command("EHLO client.test")
        self.assertNotIn("REQUIRETLS", " ".join(lines))
        self.assertEqual(client.command(f"MAIL FROM:<{sender}> REQUIRETLS")[0], 530)
        self.assertEqual(client.command("STARTTLS")[0], 220)
        context = ssl.create_default_context(cafile=self.lab.authority.ca)
        client.socket = context.wrap_socket(client.socket, server_hostname="gate.test")
        client.file = client.socket.makefile("rb")
        code, lines = client.command("EHLO client.test")
        self.assertIn("REQUIRETLS", [line[4:] for line in lines])
        client.command(f"MAIL FROM:<{sender}> RET=FULL REQUIRETLS")
        self.assertEqual(client.command(f"RCPT TO:<{recipient}>")[0], 250)
        self.assertEqual(client.data(f"{head}From: <{sender}>\r\nTo: <{recipient}>\r\nSubject: secret\r\n\r\nthe body itself\r\n".encode())[0], 250)
        client.close()

    def outcome(self, server, recipient):
        return wait_for(lambda: [e for e in self.deliveries(server, recipient) if e["status"] in ("sent", "bounced")], what=f"the end of {recipient}")[-1]

    def report(self, server, count, recipient=HANA):
        return self.arrives(server, recipient, count)

    def test_all_the_way_or_back(self):
        server = self.at_home()
        self.submit(server, f"root@{SECOND}", sender="first@home.example")
        sent = self.outcome(server, f"root@{SECOND}")
        self.assertRegex(sent["tls"], "^verified:dane-ee ")
        self.assertEqual(sent["status"], "sent")
        # It has kept that: not on to a server without TLS, but back.
        self.assertIn("5.7.10", self.report(server, 1, "first@home.example").as_string())
        self.assertEqual(self.lab.mailbox("onward@plain.example"), [])
        before = len(self.lab.mailbox(HANA))
        for recipient, status in (("secret@dane.example", "5.7.30"), ("secret@plain.example", "5.7.10"), ("secret@sts.example", "5.7.30")):
            # The field counts for nothing beside the option (RFC 8689 section 3).
            self.submit(server, recipient, head="TLS-Required: No\r\n")
            end = self.outcome(server, recipient)
            self.assertEqual((end["status"], end["dsn"], end["meaning"]), ("bounced", status, "requiretls-lacking"), end)
            before += 1
            report = self.report(server, before)
            parts = [part.get_content_type() for part in report.walk()]
            self.assertIn("text/rfc822-headers", parts)   # as if RET=HDRS, whatever was asked for
            self.assertNotIn("the body itself", report.as_string())
            self.assertIn(status, report.as_string())
        self.assertEqual([self.lab.mailbox(f"secret@{domain}.example") for domain in ("dane", "plain", "sts")], [[], [], []])

    def test_usual_mail_to_the_same_places(self):
        server = self.at_home()
        for recipient, tls in ((f"root@{SECOND}", "^verified:dane-ee "), ("usual@plain.example", "^none$")):
            server.send(HANA, [recipient])
            self.assertRegex(self.outcome(server, recipient)["tls"], tls)


if __name__ == "__main__":
    become_able()
    unittest.main()
