"""The lab's DNS: signed and validated from the root down, every special case, and the poor proxy of the router at home."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, plan, query                  # noqa: E402
from lab.case import LabCase                              # noqa: E402
from lab.lab import public_key_digest                     # noqa: E402

SMTP_DANE, SMTP_STS, SMTP_PLAIN = (host.name + "." for host in (plan.DANE, plan.STS, plan.PLAIN))
# name, type, answers (None: not compared), validated
RECORDS = (
    ("dane.example", "MX", [f"10 {SMTP_DANE}"], True),
    ("mail.dane.example", "A", [plan.DANE.v4], True),
    ("mail.dane.example", "AAAA", [plan.DANE.v6], True),
    ("sts.example", "MX", [f"10 {SMTP_STS}"], False),
    ("_mta-sts.sts.example", "TXT", ["v=STSv1; id=20260101T000000"], False),
    ("mta-sts.sts.example", "A", [plan.POLICY.v4], False),
    ("plain.example", "MX", [f"10 {SMTP_PLAIN}"], False),
    ("_submissions._tcp.isp.example", "SRV", ["0 1 465 smtp.isp.example."], True),
    ("_submission._tcp.isp.example", "SRV", ["10 1 587 smtp.isp.example."], True),
    ("_submissions._tcp.provider.example", "SRV", ["0 1 465 smtp.provider.example."], True),
    ("_submission._tcp.provider.example", "SRV", ["10 1 587 smtp.provider.example."], True),
    ("smtp.isp.example", "AAAA", [plan.RELAY.v6], True),
    ("null.example", "MX", ["0 ."], True),
    ("implicit.example", "MX", [], True),
    ("implicit.example", "A", [plan.PLAIN.v4], True),
    ("equal.example", "MX", [f"10 {SMTP_DANE}", f"10 {SMTP_STS}", f"20 {SMTP_PLAIN}"], True),
    ("news.chain.example", "MX", [f"10 {SMTP_PLAIN}"], True),
    ("news.chain.example", "CNAME", ["first.chain.example."], True),
    ("mxalias.example", "MX", ["10 mail.mxalias.example."], True),
    ("fallback.example", "MX", ["10 away.fallback.example.", f"20 {SMTP_PLAIN}"], True),
    ("v6only.example", "MX", ["10 mail6.plain.example."], True),
    ("mail6.plain.example", "A", [], False),
    ("mail6.plain.example", "AAAA", [plan.PLAIN.v6], False),
    ("private.example", "MX", ["10 inside.private.example.", "20 loop.private.example."], True),
    ("inside.private.example", "A", ["10.20.30.40"], True),
    ("self.example", "MX", [f"10 {plan.HOME.name}.", f"20 {SMTP_PLAIN}"], True),
    ("addressless.example", "MX", ["10 mail.addressless.example."], True),
    ("mail.addressless.example", "A", [], True),
    ("home.example", "TXT", ["v=spf1 include:spf.isp.example include:spf.provider.example -all"], True),
    ("10.2.0.192.in-addr.arpa", "PTR", [plan.HOME.name + "."], True),
    ("25.113.0.203.in-addr.arpa", "PTR", [plan.RELAY.name + "."], True),
    ("11.100.51.198.in-addr.arpa", "PTR", [SMTP_DANE], True),
)


class Names(LabCase):
    def ask(self, name, kind, server=plan.RESOLVER, **more):
        return query.ask(self.lab.home, server.v4, name, kind, **more)

    def test_records(self):
        for server in (plan.RESOLVER, plan.OPEN_RESOLVER):
            for name, kind, answers, validated in RECORDS:
                with self.subTest(server=server.name, name=name, kind=kind):
                    reply = self.ask(name, kind, server)
                    self.assertEqual((reply.code, reply.texts(kind), reply.authentic), ("NOERROR", sorted(answers), validated))
                    self.assertTrue(reply.edns)

    def test_refused_ones(self):
        for name, kind, code in (("bogus.example", "MX", "SERVFAIL"), ("gone.example", "MX", "NXDOMAIN"), ("nobody.isp.example", "A", "NXDOMAIN"),
                                 ("1.2.0.192.in-addr.arpa", "PTR", "NXDOMAIN")):   # the router at home has no name
            with self.subTest(name=name):
                self.assertEqual(self.ask(name, kind).code, code)
        loop = self.ask("loop.chain.example", "MX")
        self.assertEqual(loop.texts("MX"), [], loop)

    def test_bogus_is_there_for_who_does_not_validate(self):
        self.assertEqual(query.ask(self.lab.world, plan.NAMES.v4, "bogus.example", "MX").texts("MX"), [f"10 {SMTP_PLAIN}"])

    def test_tlsa_is_of_the_certificate(self):
        reply = self.ask("_25._tcp.mail.dane.example", "TLSA")
        self.assertTrue(reply.authentic)
        self.assertEqual(reply.texts("TLSA"), ["3 1 1 " + public_key_digest(self.lab.path("ca", "mail.dane.example.pem"))])

    def test_tcp(self):
        self.assertEqual(self.ask("dane.example", "MX", tcp=True).texts("MX"), [f"10 {SMTP_DANE}"])

    def test_router(self):
        """Names resolve; there is no EDNS, no DNSSEC, no TCP and no answer above 512 octets."""
        self.lab.set(dns="router")
        with open(os.path.join(self.lab.home.folder, "resolv.conf")) as resolv:
            self.assertIn(f"nameserver {plan.GATEWAY.v4}\n", resolv.read())
        self.assertEqual(self.lab.home.run("getent", "ahostsv4", "smtp.isp.example").split()[0], plan.RELAY.v4)
        for edns in (True, False):
            reply = self.ask("dane.example", "MX", plan.GATEWAY, edns=edns)
            self.assertEqual((reply.code, reply.texts("MX"), reply.edns, reply.authentic), ("NOERROR", [f"10 {SMTP_DANE}"], False, False))
            self.assertEqual(reply.texts("RRSIG"), [])
        self.assertEqual(self.ask("isp.example", "DNSKEY", plan.GATEWAY).code, "NOTIMP")
        self.assertEqual(self.ask("dane.example", "MX", plan.GATEWAY, tcp=True).code, "REFUSED CONNECTION")
        self.assertEqual(self.ask("1.2.0.192.in-addr.arpa", "PTR", plan.GATEWAY).code, "NXDOMAIN")
        self.assertEqual(self.ask("bogus.example", "MX", plan.GATEWAY).code, "SERVFAIL")

    def test_router_cuts_what_is_long(self):
        long = "".join(f'much TXT "{letter * 200}"\n' for letter in "abcd")
        self.lab.change_zone("plain.example.", "@ MX", long + "@ MX")
        self.addCleanup(self.lab.change_zone, "plain.example.", long, "")
        self.assertEqual(len(self.ask("much.plain.example", "TXT").texts("TXT")), 4)
        reply = self.ask("much.plain.example", "TXT", plan.GATEWAY)
        self.assertEqual((reply.truncated, reply.answers), (True, []))

    def test_a_zone_changes(self):
        """As when a provider renames its relay: the old name is gone at once, and what is said is signed."""
        old = f"smtp A {plan.RELAY.v4}\nsmtp AAAA {plan.RELAY.v6}\n"
        self.assertEqual(self.ask("smtp.isp.example", "A").texts("A"), [plan.RELAY.v4])
        self.lab.change_zone("isp.example.", old, old.replace("smtp ", "mail "))
        try:
            self.assertEqual(self.ask("smtp.isp.example", "A").code, "NXDOMAIN")
            renamed = self.ask("mail.isp.example", "A")
            self.assertEqual((renamed.texts("A"), renamed.authentic), ([plan.RELAY.v4], True))
        finally:
            self.lab.change_zone("isp.example.", old.replace("smtp ", "mail "), old)
        self.assertEqual(self.ask("smtp.isp.example", "A").texts("A"), [plan.RELAY.v4])


if __name__ == "__main__":
    become_able()
    unittest.main()
