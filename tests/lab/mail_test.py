"""The lab's mail servers, spoken to by plain clients: who takes what from whom, and with which certificate."""
import os
import smtplib
import ssl
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, plan                         # noqa: E402
from lab.case import Client, LabCase                      # noqa: E402
from lab.servers import POLICY                            # noqa: E402
from support.server import wait_for                       # noqa: E402

MAIL = "Subject: lab\r\n\r\nbody\r\n"


class Exchangers(LabCase):
    def test_take_mail_for_their_domains(self):
        for kind, host in plan.EXCHANGERS.items():
            for address in (host.v4, host.v6):
                with Client(self.lab.world, host, 25, address) as client:
                    for domain in plan.ACCEPTS[kind]:
                        with self.subTest(host=host.name, address=address, domain=domain):
                            before = len(self.lab.mailbox(f"alice@{domain}"))
                            client.sendmail("bob@provider.example", [f"alice@{domain}"], MAIL)
                            self.assertIn(b"Subject: lab", self.lab.wait_for_mail(f"alice@{domain}", before + 1)[-1])

    def test_refuse_other_mail(self):
        for host in (*plan.EXCHANGERS.values(), plan.PROVIDER, plan.RELAY):
            for recipient, code in (("a@gone.example", 554), ("unknown@" + host.name.split(".", 1)[1], 550)):
                with self.subTest(host=host.name, recipient=recipient), Client(self.lab.world, host, 25) as client:
                    with self.assertRaises(smtplib.SMTPRecipientsRefused) as caught:
                        client.sendmail("x@provider.example", [recipient], MAIL)
                    self.assertEqual(caught.exception.recipients[recipient][0], code)

    def test_tls(self):
        for host in (plan.DANE, plan.STS):
            with self.subTest(host=host.name), Client(self.lab.world, host, 25) as client:
                client.starttls(context=self.trust())   # verified: the lab's CA, the host's name
                self.assertEqual(client.sock.getpeercert()["subjectAltName"], (("DNS", host.name),))
        with Client(self.lab.world, plan.PLAIN, 25) as client:
            client.ehlo()
            self.assertFalse(client.has_extn("starttls"))

    def test_nobody_else_is_trusted_at_home(self):
        with self.assertRaises(ssl.SSLCertVerificationError), Client(self.lab.world, plan.STS, 25) as client:
            client.starttls(context=ssl.create_default_context())   # the machine's own CAs
        bundle = self.lab.home.run("cat", "/etc/ssl/certs/ca-certificates.crt")
        with open(self.lab.authority.ca) as ca:
            self.assertEqual(bundle, ca.read())

    def test_mta_sts_policy(self):
        for address in (plan.POLICY.v4, plan.POLICY.v6):
            stream = self.trust().wrap_socket(self.lab.home.connect(address, 443, 60), server_hostname=plan.POLICY.name)
            with stream:
                stream.sendall(f"GET /.well-known/mta-sts.txt HTTP/1.0\r\nHost: {plan.POLICY.name}\r\n\r\n".encode())
                head, _, body = stream.makefile("rb").read().partition(b"\r\n\r\n")
            self.assertRegex(head, rb"^HTTP/1\.[01] 200 ")
            self.assertEqual(body.decode(), POLICY)


class SubmissionCase(LabCase):
    HOST = None

    def submit(self, client, sender, recipient, account=plan.TARO, mechanism=None):
        if account:
            client.ehlo_or_helo_if_needed()
            if mechanism:
                client.esmtp_features["auth"] = mechanism
            client.login(account.user, account.password)
        client.sendmail(sender, [recipient], MAIL)

    def on(self, port, address=None):
        if port == 465:
            return Client(self.lab.home, self.HOST, port, address, self.trust())
        client = Client(self.lab.home, self.HOST, port, address)
        client.starttls(context=self.trust())
        return client


class Relay(SubmissionCase):
    HOST = plan.RELAY

    def test_takes_mail_from_its_customers(self):
        for port in (25, 587, 465):
            for address in (plan.RELAY.v4, plan.RELAY.v6):
                for domain in ("dane.example", "sts.example", "plain.example", "provider.example", "isp.example"):
                    with self.subTest(port=port, address=address, domain=domain), self.on(port, address) as client:
                        recipient = f"p{port}-{len(address)}@{domain}"
                        self.submit(client, plan.TARO.user, recipient)
                        (mail,) = self.lab.wait_for_mail(recipient)
                        self.assertIn(b"body", mail)

    def test_where_mail_leads(self):
        """Through Postfix's own eyes: what direct delivery has to find out."""
        for domain in ("equal.example", "implicit.example", "fallback.example", "v6only.example", "mxalias.example", "self.example"):
            with self.subTest(domain=domain), self.on(587) as client:
                self.submit(client, plan.TARO.user, f"leads@{domain}")
                if domain == "self.example":   # nobody at home, and nobody at plain for it: refused, not lost
                    self.bounced(f"leads@{domain}")
                else:
                    self.lab.wait_for_mail(f"leads@{domain}")

    def bounced(self, recipient):
        wait_for(lambda: any(recipient.encode() in mail and b"Undelivered" in mail for mail in self.lab.mailbox(plan.TARO.user)),
                 what=f"a bounce for {recipient}; log:\n{self.lab.isp.log()[-1500:]}")

    def test_null_mx_bounces(self):
        with self.on(587) as client:
            self.submit(client, plan.TARO.user, "a@null.example")
        self.bounced("a@null.example")

    def test_needs_a_login(self):
        for port in (25, 587, 465):
            with self.subTest(port=port), self.on(port) as client:
                with self.assertRaises(smtplib.SMTPRecipientsRefused):
                    self.submit(client, "someone@home.example", "nobody@dane.example", account=None)
        self.assertEqual(self.lab.mailbox("nobody@dane.example"), [])

    def test_needs_tls_for_it(self):
        for port in (25, 587):
            with self.subTest(port=port), Client(self.lab.home, plan.RELAY, port) as client:
                client.ehlo()
                self.assertTrue(client.has_extn("starttls"))
                self.assertFalse(client.has_extn("auth"))

    def test_wrong_password(self):
        with self.on(587) as client, self.assertRaises(smtplib.SMTPAuthenticationError):
            self.submit(client, plan.TARO.user, "a@dane.example", plan.Account(plan.TARO.user, "wrong"))

    def test_sends_only_as_the_account(self):
        for sender in ("taro@home.example", plan.HANAKO.user, "root@home.example"):
            with self.subTest(sender=sender), self.on(587) as client:
                with self.assertRaises(smtplib.SMTPRecipientsRefused) as caught:
                    self.submit(client, sender, "a@dane.example")
                code, text = caught.exception.recipients["a@dane.example"]
                self.assertEqual(code, 553)
                self.assertIn(b"Sender address rejected: not owned by user " + plan.TARO.user.encode(), text)

    def test_mechanisms(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            with self.subTest(mechanism), self.on(587) as client:
                self.submit(client, plan.TARO.user, f"{mechanism}@plain.example".lower(), mechanism=mechanism)
                self.lab.wait_for_mail(f"{mechanism}@plain.example".lower())
                self.assertIn(f"sasl_method={mechanism}, sasl_username={plan.TARO.user}", self.lab.isp.log())

    def test_changes_its_rules(self):
        """A relay that trusts its network instead of a login, as some still do."""
        self.lab.relay.change(smtpd_relay_restrictions="permit_mynetworks, reject_unauth_destination", mynetworks=plan.HOME_NET, smtpd_sender_restrictions="")
        try:
            with Client(self.lab.home, plan.RELAY, 25) as client:
                self.submit(client, "any@home.example", "trusted@plain.example", account=None)
            self.lab.wait_for_mail("trusted@plain.example")
        finally:
            self.lab.relay.change(smtpd_relay_restrictions="permit_sasl_authenticated, reject_unauth_destination", mynetworks="",
                                  smtpd_sender_restrictions="reject_sender_login_mismatch")


class SecondProvider(SubmissionCase):
    """Dovecot in front, Postfix behind it."""

    HOST = plan.PROVIDER

    def test_takes_mail_from_its_customers(self):
        for port in (587, 465, 2525):
            for address in (plan.PROVIDER.v4, plan.PROVIDER.v6):
                with self.subTest(port=port, address=address), self.on(port, address) as client:
                    recipient = f"q{port}-{len(address)}@sts.example"
                    self.submit(client, "anyone@home.example", recipient, plan.ME)
                    self.lab.wait_for_mail(recipient)

    def test_needs_a_login(self):
        for port in (587, 465, 2525):
            with self.subTest(port=port), self.on(port) as client, self.assertRaises(smtplib.SMTPException):
                self.submit(client, "someone@home.example", "nologin@dane.example", account=None)
            with self.subTest(port=port), self.on(port) as client, self.assertRaises(smtplib.SMTPAuthenticationError):
                self.submit(client, "someone@home.example", "nologin@dane.example", plan.Account(plan.ME.user, "wrong"))
        self.assertEqual(self.lab.mailbox("nologin@dane.example"), [])

    def test_stops_and_comes_back(self):
        self.lab.provider.stop()
        try:
            with self.assertRaises(ConnectionRefusedError):
                self.lab.home.connect(plan.PROVIDER.v4, 587, 30)
        finally:
            self.lab.provider.restart()
        with self.on(587) as client:
            client.noop()


if __name__ == "__main__":
    become_able()
    unittest.main()
