"""Real clients from Debian submit to the real binary: swaks, msmtp, curl, Postfix's smtp-source, Python's smtplib."""
import os
import shutil
import smtplib
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.server import Server, wait_for   # noqa: E402
from support.sink import Sink                 # noqa: E402


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sink = Sink().start()
        cls.server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {cls.sink.port}\ntls = "none"\n').start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.server.discard()
        cls.sink.stop()

    def arrives(self, sender, count=1):
        def found():
            mine = [message for message in list(self.sink.messages) if message[1].split(" ")[0] == f"<{sender}>"]
            return mine if len(mine) >= count else None
        return wait_for(found, 20, what=f"mail from {sender}")

    def run_client(self, *command, text=None):
        if not shutil.which(command[0]) and not os.path.exists(command[0]):
            self.skipTest(f"skipped: no {command[0]}")
        result = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def test_swaks(self):
        self.run_client("swaks", "--server", f"127.0.0.1:{self.server.port}", "--from", "swaks@test", "--to", "b@test",
                        "--ehlo", "client.test", "--header", "Subject: swaks", "--body", "one\n.two\n")
        (message,) = self.arrives("swaks@test")
        self.assertIn(b"\r\n.two\r\n", message[3])

    def test_swaks_pipelined(self):
        self.run_client("swaks", "--server", f"127.0.0.1:{self.server.port}", "--from", "swaksp@test", "--to", "b@test,c@test",
                        "--ehlo", "client.test", "--pipeline")
        (message,) = self.arrives("swaksp@test")
        self.assertEqual(len(message[2]), 2)

    def test_msmtp(self):
        self.run_client("msmtp", "--host=127.0.0.1", f"--port={self.server.port}", "--from=msmtp@test", "--tls=off", "--auth=off",
                        "--file=/dev/null", "b@test", text="Subject: msmtp\n\nhello\n")
        (message,) = self.arrives("msmtp@test")
        self.assertIn(b"hello\r\n", message[3])

    def test_curl(self):
        self.run_client("curl", "-s", f"smtp://127.0.0.1:{self.server.port}/client.test", "--mail-from", "curl@test",
                        "--mail-rcpt", "b@test", "-T", "-", text="Subject: curl\r\n\r\nhello\r\n")
        (message,) = self.arrives("curl@test")
        self.assertIn(b"Subject: curl\r\n", message[3])

    def test_smtp_source(self):
        source = shutil.which("smtp-source") or "/usr/sbin/smtp-source"
        self.run_client(source, "-s", "10", "-m", "200", "-l", "4000", "-f", "source@test", "-t", "b@test", f"127.0.0.1:{self.server.port}")
        self.arrives("source@test", 200)

    def test_smtp_source_many_recipients(self):
        source = shutil.which("smtp-source") or "/usr/sbin/smtp-source"
        self.run_client(source, "-d", "-s", "2", "-m", "10", "-r", "250", "-f", "many@test", "-t", "b@test", f"127.0.0.1:{self.server.port}")

        def all_of_them():
            return sum(len(m[2]) for m in list(self.sink.messages) if m[1].startswith("<many@test>")) >= 2500
        wait_for(all_of_them, 30, what="2,500 recipients")

    def test_smtplib(self):
        with smtplib.SMTP("127.0.0.1", self.server.port, timeout=60) as client:
            client.sendmail("smtplib@test", ["b@test", "c@test"], "Subject: smtplib\r\n\r\nhello\r\n")
            code, text = client.docmd("MAIL", "FROM:<smtplib@test> SIZE=99999999999")
            self.assertEqual(code, 552, text)
        (message,) = self.arrives("smtplib@test")
        self.assertIn(b"Message-ID: <", message[3])
        self.assertIn(b"\r\nDate: ", message[3])


if __name__ == "__main__":
    unittest.main()
