"""Exim as the provider: its mechanisms, STARTTLS and implicit TLS, BDAT and DATA, byte for byte."""
import os
import shutil
import smtplib
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import exim                                # noqa: E402
from support.certificates import Authority              # noqa: E402
from support.content import without_trace               # noqa: E402
from support.server import Server, wait_for             # noqa: E402
from support.sink import Sink                           # noqa: E402

HEAD = b"Subject: x\r\nDate: Sat, 21 Nov 2026 00:00:00 +0000\r\nMessage-ID: <1@test>\r\nFrom: a@test\r\nTo: b@test\r\n\r\n"
BODIES = {
    "dots": b"..\r\n.\r\n.x\r\n\r\n\r\n",
    "eight bit": "日本語 é\r\n".encode() * 50 + bytes(range(128, 256)) + b"\r\n",
    "long line": b"x" * 900 + b"\r\n",
    "large": (b"." * 3 + b"y" * 70 + b"\r\n") * 8000,   # more than fits one BDAT: by DATA
}


class EximProvider(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        binary, why = exim.fetch()
        if not binary:
            print("skipped:", why)
            raise unittest.SkipTest("skipped: " + why)
        cls.folder = tempfile.mkdtemp(prefix="sidegate-exim-")
        os.chmod(cls.folder, 0o755)
        cls.authority = Authority(os.path.join(cls.folder, "ca"))
        cert, key = cls.authority.issue("provider")
        cls.sink = Sink().start()
        cls.provider = exim.Exim(binary, cls.folder, cert, key, cls.sink.port).start()

    @classmethod
    def tearDownClass(cls):
        cls.provider.stop()
        cls.sink.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def relay(self, extra, implicit=False, password="s3cret word"):
        port = self.provider.implicit_port if implicit else self.provider.port
        return (f'[[relay]]\nname = "exim"\nhost = "127.0.0.1"\nport = {port}\ntls = "{"implicit" if implicit else "starttls"}"\n'
                f'tls_name = "localhost"\ntls_ca_file = "{self.authority.ca}"\nuser = "me"\npassword = "{password}"\n{extra}\n')

    def send(self, relay, bodies):
        """{name: message} through Sidegate and Exim to the sink, compared octet by octet"""
        server = Server(relay=relay).start()
        try:
            with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
                for name, body in bodies.items():
                    client.sendmail(f"{name}@test".replace(" ", "."), ["b@test"], HEAD + body, mail_options=["BODY=8BITMIME"])
            for name, body in bodies.items():
                sender = f"<{name}@test>".replace(" ", ".")
                (message,) = wait_for(lambda: [m for m in list(self.sink.messages) if m[1].startswith(sender)], 30,
                                      what=f"{sender}; log:\n{server.log_text()[-1500:]}\n{self.provider.log_text()[-1500:]}")
                self.assertEqual(without_trace(without_trace(message[3])), HEAD + body)
            self.assertNotIn("s3cret", server.log_text())
        finally:
            server.stop()
            server.discard()

    def received(self, sender):
        """Exim's own line about what it took"""
        return next(line for line in self.provider.log_text().splitlines() if f"<= {sender}@test" in line)

    def test_mechanisms(self):
        for mechanism, name in (("PLAIN", "plain"), ("LOGIN", "login"), ("CRAM-MD5", "cram")):
            for implicit in (False, True):
                with self.subTest(mechanism=mechanism, implicit=implicit):
                    sender = f"{name}{int(implicit)}"
                    self.send(self.relay(f'mechanisms = ["{mechanism}"]', implicit), {sender: b"body\r\n"})
                    line = self.received(sender)
                    self.assertIn(f"A={name}:me", line)
                    self.assertIn("P=esmtpsa", line)

    def test_octets(self):
        self.send(self.relay(""), BODIES)
        self.assertIn("A=cram:me", self.received("dots"))   # the strongest offered
        self.assertRegex(self.received("dots"), r" K ")     # Exim's mark for CHUNKING
        self.assertRegex(self.received("eight.bit"), r" K ")
        self.assertNotRegex(self.received("large"), r" K ")

    def test_wrong_password(self):
        server = Server(relay=self.relay("", password="wrong")).start()
        try:
            with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
                client.sendmail("held@test", ["b@test"], HEAD + b"body\r\n")
            (line,) = wait_for(lambda: server.events("way_down"), 20, what="the account's trouble")
            self.assertEqual((line["scope"], line["phase"]), ("account", "auth"))
            self.assertIn("535", line["reason"])
            self.assertIn("held@test", server.command("queue", "list", "--json", check=0).stdout)
            self.assertEqual(server.events("delivery"), [])
        finally:
            server.stop()
            server.discard()


if __name__ == "__main__":
    unittest.main()
