"""Dovecot's submission server as the provider: STARTTLS, each mechanism it offers, the message byte for byte."""
import os
import shutil
import smtplib
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import dovecot                             # noqa: E402
from support.certificates import Authority              # noqa: E402
from support.server import Server, wait_for             # noqa: E402
from support.sink import Sink                           # noqa: E402


@unittest.skipUnless(dovecot.available(), "skipped: needs root and Dovecot's submission server")
class DovecotProvider(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="sidegate-dovecot-")
        os.chmod(cls.folder, 0o755)
        cls.authority = Authority(os.path.join(cls.folder, "ca"))
        cert, key = cls.authority.issue("provider")
        cls.sink = Sink(extensions=("PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING")[:4]).start()
        cls.provider = dovecot.Dovecot(os.path.join(cls.folder, "dovecot"), cert, key, cls.sink.port).start()

    @classmethod
    def tearDownClass(cls):
        cls.provider.stop()
        cls.sink.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def test_mechanisms(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"):
            with self.subTest(mechanism=mechanism):
                server = Server(relay=f'[[relay]]\nname = "dovecot"\nhost = "127.0.0.1"\nport = {self.provider.port}\ntls_name = "localhost"\n'
                                      f'tls_ca_file = "{self.authority.ca}"\nuser = "me@test"\npassword = "s3cret word"\nmechanisms = ["{mechanism}"]\n').start()
                try:
                    body = ("." * 3 + "x" * 60 + "\r\n") * 500
                    with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
                        client.sendmail(f"{mechanism}@test", ["b@test"], f"Subject: {mechanism}\r\n\r\n{body}")
                    (message,) = wait_for(lambda: [m for m in list(self.sink.messages) if m[1].startswith(f"<{mechanism}@test>")], 30,
                                          what=f"mail by {mechanism}; log:\n{server.log_text()[-1500:]}\n{self.provider.log_text()[-1000:]}")
                    self.assertTrue(message[3].endswith(body.encode()))
                finally:
                    server.stop()
                    server.discard()


if __name__ == "__main__":
    unittest.main()
