"""What ./run shows after its build, run to its end: the message arrives byte for byte and the steps are told."""
import os
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import postfix                             # noqa: E402
from support.certificates import Authority              # noqa: E402
from support.content import without_trace               # noqa: E402
from support.server import Server, free_port, wait_for  # noqa: E402
from support.peer import Peer                           # noqa: E402
from support.sink import Sink                           # noqa: E402
from support.terminal import at_terminal                # noqa: E402

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BINARY = os.path.join(os.environ.get("SIDEGATE_BUILD", os.path.join(TOP, "build", "release")), "src", "daemon", "sidegate")


def taken(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


class InATreeOfItsOwn(unittest.TestCase):
    def setUp(self):
        if taken(2525) or taken(2587):
            self.skipTest("skipped: port 2525 or 2587 is taken")
        # A tree of its own, so that a demonstration that runs beside this test keeps its ./var.
        self.top = tempfile.mkdtemp(prefix="sidegate-demo-")
        shutil.copytree(os.path.join(TOP, "tools"), os.path.join(self.top, "tools"))
        place = os.path.join(self.top, "build", "run", "src", "daemon")
        os.makedirs(place)
        os.symlink(os.path.abspath(BINARY), os.path.join(place, "sidegate"))

    def tearDown(self):
        shutil.rmtree(self.top, ignore_errors=True)

    def run_demo(self, *arguments):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SIDEGATE_")}
        return subprocess.run([sys.executable, os.path.join(self.top, "tools", "demo"), *arguments], capture_output=True, text=True,
                              timeout=100, env=dict(environment, NO_COLOR="1"), stdin=subprocess.DEVNULL)


class Demo(InATreeOfItsOwn):
    def test_practice(self):
        result = self.run_demo()
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        steps = [step for step in ("accepted and durable", "connected to", "TLS verified", "authenticated with SCRAM-SHA-256", "sent to",
                                   "byte for byte what was submitted") if step in result.stdout]
        self.assertEqual(len(steps), 6, result.stdout)
        order = [result.stdout.index(step) for step in steps]
        self.assertEqual(order, sorted(order), result.stdout)

    def test_bad_arguments(self):
        """Said at once: before the build (--check-arguments), and before a password is asked for."""
        for arguments, expected in ((("--relay", "nonsense"), "HOST:PORT"), (("--relay", "host:587"), "--user"), (("--relay", "host:99999"), "HOST:PORT"),
                                    (("--relay", "host:587", "--user", "me"), "--from"), (("--user", "me@a.test"), "--relay"),
                                    (("--relay", "host:587", "--user", "me@a.test", "--to", "you"), "'you' is no mail address"),
                                    (("--relay", "host:587", "--user", "me@a.test", "--stay"), "--stay")):
            for before in ((), ("--check-arguments",)):
                result = self.run_demo(*before, *arguments)
                self.assertEqual(result.returncode, 64, (arguments, result.stderr))
                self.assertIn(expected, result.stderr)
                self.assertFalse(os.path.exists(os.path.join(self.top, "var")))
        self.assertEqual(self.run_demo("--check-arguments", "--relay", "[::1]:587", "--user", "me@a.test").returncode, 0)


PASSWORD = "s3cret word"


@unittest.skipUnless(postfix.available(), "skipped: needs root, Postfix and saslpasswd2")
class OwnProvider(InATreeOfItsOwn):
    """--relay, through a Postfix with Cyrus SASL, the password typed at a terminal"""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="sidegate-demo-provider-")
        os.chmod(cls.folder, 0o755)
        cls.authority = Authority(os.path.join(cls.folder, "ca"))
        cls.sink = Sink().start()
        cls.provider = postfix.Postfix(os.path.join(cls.folder, "postfix"), *cls.authority.issue("provider"), cls.sink.port)
        cls.provider.add_user("me", PASSWORD)
        cls.provider.start()

    @classmethod
    def tearDownClass(cls):
        cls.provider.stop()
        cls.sink.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def demo(self, password, port=None):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SIDEGATE_")}
        # The provider's authority is the system's here.
        environment.update(NO_COLOR="1", SSL_CERT_FILE=self.authority.ca, PYTHONDONTWRITEBYTECODE="1")
        code, shown = at_terminal([sys.executable, os.path.join(self.top, "tools", "demo"), "--relay", f"localhost:{port or self.provider.port}",
                                   "--user", "me@test"], password, environment)
        self.assertNotIn(password, shown)   # no echo
        for folder, _, names in os.walk(self.top):
            for path in (os.path.join(folder, name) for name in names):
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        self.assertNotIn(password.encode(), file.read(), path)
        return code, shown

    def test_message_to_oneself_and_the_configuration_for_good(self):
        code, shown = self.demo(PASSWORD)
        self.assertEqual(code, 0, shown)
        for step in ("accepted and durable", "TLS verified", "authenticated with", "sent to me@test"):
            self.assertIn(step, shown)
        (message,) = wait_for(lambda: list(self.sink.messages), 20, what="the message behind the provider")
        self.assertEqual([path.split()[0] for path in (message[1], *message[2])], ["<me@test>", "<me@test>"])
        received = without_trace(without_trace(message[3]))   # Postfix's trace field, then ours
        self.assertTrue(received.startswith(b"From: me@test\r\nTo: me@test\r\nSubject: Sidegate at work\r\n"), received)
        self.assertIn("\r\n.a line that begins with a dot\r\n日本語の一行\r\n".encode(), received)
        # What it prints at the end works as it stands.
        lines = shown.replace("\r", "").splitlines()
        block = "\n".join(lines[lines.index("[[relay]]"):]) + "\n"
        self.assertIn('password_file = "/etc/sidegate/provider.password"', block)
        secret = os.path.join(self.folder, "provider.password")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(PASSWORD + "\n")
        server = Server(relay=block.replace("/etc/sidegate/provider.password", secret), environment={"SSL_CERT_FILE": self.authority.ca}).start()
        try:
            with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
                client.sendmail("me@test", ["me@test"], "Subject: for good\r\n\r\nx\r\n")
            wait_for(lambda: any(b"Subject: for good" in m[3] for m in list(self.sink.messages)), 20, what="mail by the printed configuration")
        finally:
            server.stop()
            server.discard()

    def test_wrong_password(self):
        code, shown = self.demo("not the one")
        self.assertEqual(code, 1, shown)
        self.assertIn("535", shown)
        self.assertIn("password", shown.lower().replace("password of", ""))   # the cause, and what to do

    def test_nobody_there(self):
        code, shown = self.demo(PASSWORD, free_port())
        self.assertEqual(code, 1, shown)
        self.assertIn("Connection refused", shown)
        self.assertIn("Check host and port", shown)
        self.assertIn("nothing is lost", shown)

    def test_sender_that_the_provider_refuses(self):
        cert, key = self.authority.issue("peer")
        peer = Peer("--cert", cert, "--key", key, "--user", f"me@test:{PASSWORD}", "--auth", "tls", "--auth-required",
                    "--reply", "mail=550 5.7.60 you may not send as this sender").start()
        try:
            code, shown = self.demo(PASSWORD, peer.port)
        finally:
            peer.discard()
        self.assertEqual(code, 1, shown)
        self.assertIn("5.7.60", shown)
        self.assertIn("cause: ", shown)
        self.assertIn("cure: ", shown)


if __name__ == "__main__":
    unittest.main()
