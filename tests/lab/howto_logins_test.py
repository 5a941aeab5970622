"""The classic how-tos about logging in: what a provider offers, in which form, on which port, and that no password is heard."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, plan, servers                # noqa: E402
from lab.case import Client                               # noqa: E402
from lab.howto import ISP, TRY_SOON, HowTo                # noqa: E402
from support.server import wait_for                       # noqa: E402


class Logins(HowTo):
    def offer(self, mechanisms, **settings):
        """What the ISP's relay offers from now on, until the end of the test."""
        usual = {"smtpd_tls_auth_only": "yes", "submission_tls": "encrypt", "broken_sasl_auth_clients": "no"}
        self.addCleanup(self.lab.relay.change, **usual)
        self.addCleanup(self.lab.relay.offer, "PLAIN LOGIN CRAM-MD5")
        self.lab.relay.offer(mechanisms)
        self.lab.relay.change(**settings)

    def offered(self, port=587, tls=False):
        """The words behind AUTH, as a client at home sees them before TLS, or inside it."""
        with Client(self.lab.home, plan.RELAY, port) as client:
            client.ehlo()
            if tls:
                client.starttls(context=self.trust())
                client.ehlo()
            return set(client.esmtp_features.get("auth", "").split())

    def logins(self):
        """How many have been tried, with success or without."""
        text = self.lab.relay.log_text()
        return text.count("sasl_username=") + text.count(" authentication failed")

    def sent_by(self, server, recipient):
        """(mechanism, port, inside TLS) of a message's way out."""
        server.sendmail("Subject: x\n\nx\n", [recipient])
        self.is_from(self.arrives(server, recipient), plan.TARO.user)
        login = wait_for(lambda: server.events("authenticated"), what="the login")[-1]
        return login["mechanism"], server.events("connected")[-1]["port"], bool(server.events("tls"))

    def waits(self, server, recipient, *words):
        """It is kept, no login was tried, and log, status and queue show say why."""
        before = self.logins()
        server.sendmail("Subject: x\n\nx\n", [recipient])
        down = self.event(server, "way_down")
        for told in (str(down), server.command("status", check=None).stdout, self.waiting(server)[recipient]):
            for word in words:
                self.assertIn(word, told)
        self.nothing_returned(server)
        self.assertEqual(self.logins(), before)

    def test_provider_offers_cram_md5_and_digest_md5_only(self):
        self.offer("CRAM-MD5 DIGEST-MD5")
        self.assertEqual(self.offered(tls=True), {"CRAM-MD5", "DIGEST-MD5"})
        server = self.serve(ISP)
        self.assertIn(self.sent_by(server, "md5@plain.example")[0], ("CRAM-MD5", "DIGEST-MD5"))
        self.all_is_well(server)
        for mechanism in ("CRAM-MD5", "DIGEST-MD5"):
            with self.subTest(mechanism):
                server = self.serve(ISP + f'mechanisms = ["{mechanism}"]\n')
                self.assertEqual(self.sent_by(server, f"{mechanism.lower()}@plain.example")[0], mechanism)
                self.all_is_well(server)

    def test_provider_offers_plain_login_only_inside_tls(self):
        for mechanisms in ("PLAIN LOGIN", "LOGIN"):
            with self.subTest(mechanisms):
                self.offer(mechanisms)
                self.assertEqual(self.offered(), set())
                server = self.serve(ISP)
                self.assertEqual(self.sent_by(server, f"{mechanisms.replace(' ', '-')}@plain.example".lower()), (mechanisms.split()[0], 587, True))
                self.assertTrue(all(event["verified"] for event in server.events("tls")))
                self.all_is_well(server)

    def test_auth_equals_login_old_form(self):
        """"AUTH=LOGIN" beside the new form, and alone."""
        self.offer("LOGIN", broken_sasl_auth_clients="yes")
        server = self.serve(ISP)
        self.assertEqual(self.sent_by(server, "both-forms@plain.example")[0], "LOGIN")
        self.all_is_well(server)
        old = servers.OldRelay(self.lab.isp, self.lab.authority.issue("old", (plan.OLD_RELAY.name,), ()))
        self.addCleanup(old.stop)
        with Client(self.lab.home, plan.OLD_RELAY, 465, tls=self.trust()) as client:
            features = [line.upper() for line in client.ehlo()[1].decode().splitlines()]
        self.assertIn("AUTH=LOGIN", features)
        self.assertFalse([line for line in features if line.startswith("AUTH ")])
        server = self.serve(ISP.replace(plan.RELAY.name, plan.OLD_RELAY.name).replace("port = 587", "port = 465"))
        self.assertEqual(self.sent_by(server, "old-form@plain.example"), ("LOGIN", 465, True))
        self.all_is_well(server)

    def test_587_offers_auth_but_no_starttls_and_465_has_tls(self):
        self.offer("PLAIN LOGIN", submission_tls="none", smtpd_tls_auth_only="no")
        self.assertEqual(self.offered(), {"PLAIN", "LOGIN"})
        server = self.serve(ISP + 'retry_after = "1s"\n' + TRY_SOON)
        self.waits(server, "no-starttls@plain.example", "STARTTLS")
        self.assertIn("465", server.sidegate("relay", "test", "isp").stdout)
        self.change(server, ISP.replace("port = 587", "ports = [587, 465]") + TRY_SOON)
        self.arrives(server, "no-starttls@plain.example")
        self.assertEqual(self.sent_by(server, "by-465@plain.example"), ("PLAIN", 465, True))
        self.all_is_well(server)

    def test_587_without_tls_cram_md5_only_nothing_else(self):
        """The user says in words that he takes it; the password is not heard, the mail is."""
        self.offer("CRAM-MD5", submission_tls="none", smtpd_tls_auth_only="no")
        self.assertEqual(self.offered(), {"CRAM-MD5"})
        server = self.serve(ISP + 'tls = "none"\nretry_after = "1s"\n' + TRY_SOON)
        self.waits(server, "no-tls@plain.example", "insecure_auth")
        self.change(server, ISP + 'tls = "none"\ninsecure_auth = "challenge"\n' + TRY_SOON)
        self.assertTrue([e for e in server.events("configuration") if "everyone on the way can read" in e["warning"]], "said at each start and reload")
        self.arrives(server, "no-tls@plain.example")
        self.assertEqual(self.sent_by(server, "cram@plain.example"), ("CRAM-MD5", 587, False))
        self.all_is_well(server)


if __name__ == "__main__":
    become_able()
    unittest.main()
