"""Postfix with Cyrus SASL as the provider: every mechanism, STARTTLS and implicit TLS, a wrong password, no common
mechanism. What counts is what Postfix logged and what arrived behind it."""
import os
import shutil
import smtplib
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import postfix                             # noqa: E402
from support.certificates import Authority              # noqa: E402
from support.server import Server, wait_for             # noqa: E402
from support.sink import Sink                           # noqa: E402

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")


@unittest.skipUnless(postfix.available(), "skipped: needs root, Postfix and saslpasswd2")
class PostfixProvider(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="sidegate-postfix-")
        os.chmod(cls.folder, 0o755)
        cls.authority = Authority(os.path.join(cls.folder, "ca"))
        cert, key = cls.authority.issue("provider")
        cls.sink = Sink().start()
        cls.provider = postfix.Postfix(os.path.join(cls.folder, "postfix"), cert, key, cls.sink.port, " ".join(MECHANISMS))
        cls.provider.add_user("me", "s3cret word")
        cls.provider.start()

    @classmethod
    def tearDownClass(cls):
        cls.provider.stop()
        cls.sink.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def relay(self, extra, port=None, password="s3cret word"):
        return (f'[[relay]]\nname = "isp"\nhost = "127.0.0.1"\nport = {port or self.provider.port}\ntls_name = "localhost"\n'
                f'tls_ca_file = "{self.authority.ca}"\nuser = "me@test"\npassword = "{password}"\n{extra}\n')

    def submit(self, server, sender):
        with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
            client.sendmail(sender, ["b@test"], "Subject: x\r\n\r\n..dots\r\nbody\r\n")

    def arrived(self, sender):
        return [m for m in list(self.sink.messages) if m[1].startswith(f"<{sender}>")]

    def sends(self, name, relay):
        server = Server(relay=relay).start()
        try:
            self.submit(server, f"{name}@test")
            (message,) = wait_for(lambda: self.arrived(f"{name}@test"), 30, what=f"mail by {name}; log:\n{server.log_text()[-1500:]}")
            self.assertIn(b"\r\n..dots\r\n", message[3])
            self.assertNotIn("s3cret", server.log_text())
        finally:
            server.stop()
            server.discard()

    def test_mechanisms(self):
        for mechanism in MECHANISMS:
            with self.subTest(mechanism=mechanism):
                self.sends(mechanism.lower(), self.relay(f'tls = "starttls"\nmechanisms = ["{mechanism}"]'))
                wait_for(lambda: f"sasl_method={mechanism}, sasl_username=me@test" in self.provider.log_text(), 5, what=f"{mechanism} in Postfix's log")

    def test_strongest_by_itself(self):
        before = len(self.provider.log_text())
        self.sends("strongest", self.relay('tls = "starttls"'))
        wait_for(lambda: any("sasl_method=SCRAM-SHA-256" in line for line in self.provider.log_text()[before:].splitlines()), what="Postfix's log")

    def test_implicit_tls(self):
        self.sends("implicit", self.relay('tls = "implicit"', port=self.provider.implicit_port))

    def holds(self, relay, expected):
        """Nothing arrives, nothing bounces, and the reason is told."""
        server = Server(relay=relay).start()
        try:
            self.submit(server, "held@test")
            wait_for(lambda: expected in server.log_text(), 20, what=f"'{expected}' in the log; log:\n{server.log_text()[-1500:]}")
            self.assertEqual(self.arrived("held@test"), [])
            listed = server.command("queue", "list", "--json", check=0).stdout
            self.assertIn("held@test", listed)
            self.assertNotIn("status\":\"bounced", server.log_text())
        finally:
            server.stop()
            server.discard()

    def test_wrong_password(self):
        self.holds(self.relay('tls = "starttls"', password="wrong"), "535")

    def test_no_common_mechanism(self):
        self.holds(self.relay('tls = "starttls"\nmechanisms = ["SCRAM-SHA-1-PLUS"]'), "mechanism")

    def test_wrong_name(self):
        self.holds(self.relay('tls = "starttls"').replace('tls_name = "localhost"', 'tls_name = "mail.example"'), "certificate")

    def test_unknown_authority(self):
        self.holds(self.relay('tls = "starttls"').replace(f'tls_ca_file = "{self.authority.ca}"\n', ""), "certificate")


if __name__ == "__main__":
    unittest.main()
