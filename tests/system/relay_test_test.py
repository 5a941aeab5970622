"""`sidegate relay test` as it is typed, against Postfix with Cyrus SASL, Dovecot's submission server and a scripted peer:
what it says, cause and cure of each failure, that no secret is shown, the exit codes, and that nothing is sent."""
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import dovecot, japanese, postfix          # noqa: E402
from support.certificates import Authority              # noqa: E402
from support.peer import Peer                           # noqa: E402
from support.server import BINARY, Server, free_port    # noqa: E402
from support.sink import Sink                           # noqa: E402
from support.terminal import at_terminal                # noqa: E402

PASSWORD = "s3cret word"
OK, USAGE, UNAVAILABLE, CONFIG = 0, 64, 69, 78
STEPS = ["dns", "connect", "greeting", "ehlo", "starttls", "tls", "certificate", "ehlo_tls", "mechanisms", "auth"]


def setUpModule():
    global folder, authority, sink
    folder = tempfile.mkdtemp(prefix="sidegate-relay-test-")
    os.chmod(folder, 0o755)
    authority = Authority(os.path.join(folder, "ca"))
    sink = Sink().start()


def tearDownModule():
    sink.stop()
    shutil.rmtree(folder, ignore_errors=True)


def clean_environment():
    return dict({k: v for k, v in os.environ.items() if not k.startswith("SIDEGATE_")}, LC_ALL="C", NO_COLOR="1")


def secrets(user, password):
    """What may stand nowhere: the password in every form in which it goes over the wire"""
    plain = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    return password, plain, base64.b64encode(password.encode()).decode()


class Case(unittest.TestCase):
    def relay_test(self, block, *arguments, user="me@test"):
        """`relay test` with this [[relay]] block; the steps as JSON, and the texts for people"""
        server = Server(relay=f'[[relay]]\nname = "isp"\nhost = "127.0.0.1"\n{block}')
        try:
            plain = server.command("relay", "test", *arguments)
            as_json = server.command("relay", "test", "--json", "--transcript", *arguments)
        finally:
            server.discard()
        self.assertEqual(plain.returncode, as_json.returncode)
        steps = [json.loads(line) for line in as_json.stdout.splitlines()]
        for secret in secrets(user, PASSWORD):
            for text in (plain.stdout, plain.stderr, as_json.stdout, as_json.stderr):
                self.assertNotIn(secret, text)
        self.assertNotIn("Traceback", plain.stderr)
        return plain, steps, as_json.stderr

    def failed(self, steps):
        """The first step that failed: cause and cure are told"""
        step = next(step for step in steps if step["mark"] == "failed")
        self.assertTrue(step.get("cause"), step)
        return step

    def tell(self, plain, *parts):
        for part in parts:
            self.assertIn(part, plain.stdout)


@unittest.skipUnless(postfix.available(), "skipped: needs root, Postfix and saslpasswd2")
class AgainstPostfix(Case):
    @classmethod
    def setUpClass(cls):
        cert, key = authority.issue("postfix")
        cls.provider = postfix.Postfix(os.path.join(folder, "postfix"), cert, key, sink.port, "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1")
        cls.provider.add_user("me", PASSWORD)
        cls.provider.start()
        cert, key = authority.issue("wrong", names=("other.test",), addresses=("127.99.0.1",))
        cls.wrong = postfix.Postfix(os.path.join(folder, "postfix-wrong"), cert, key, sink.port)
        cls.wrong.add_user("me", PASSWORD)
        cls.wrong.start()

    @classmethod
    def tearDownClass(cls):
        cls.provider.stop()
        cls.wrong.stop()
        assert not sink.messages   # nothing was sent

    def block(self, port=None, password=PASSWORD, more=""):
        return (f'port = {port or self.provider.port}\ntls_name = "localhost"\ntls_ca_file = "{authority.ca}"\n'
                f'user = "me@test"\npassword = "{password}"\n{more}')

    def test_all_well(self):
        plain, steps, transcript = self.relay_test(self.block())
        self.assertEqual(plain.returncode, OK, plain.stdout + plain.stderr)
        names = [step["step"] for step in steps]
        self.assertEqual([name for name in names if name in STEPS], STEPS)
        self.assertEqual([name for name in names if name != "sender_domain"][-2:], ["mail", "result"])
        self.tell(plain, "verified", "SCRAM-SHA-1", "would take mail", "nothing was sent")
        for line in ("C EHLO", "C STARTTLS", "C MAIL FROM:<", "C QUIT"):
            self.assertIn(line, transcript)
        self.assertIn("****", transcript)

    def test_implicit_tls(self):
        plain, steps, _ = self.relay_test(self.block(self.provider.implicit_port, more='tls = "implicit"\n'))
        self.assertEqual(plain.returncode, OK, plain.stdout)
        self.assertNotIn("starttls", [step["step"] for step in steps])

    def test_each_mechanism(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):   # SCRAM: the strongest, above
            with self.subTest(mechanism=mechanism):
                plain, steps, _ = self.relay_test(self.block(more=f'mechanisms = ["{mechanism}"]\n'))
                self.assertEqual(plain.returncode, OK, plain.stdout)
                (auth,) = [step for step in steps if step["step"] == "auth"]
                self.assertEqual(auth["mechanism"], mechanism)

    def test_wrong_password(self):
        for mechanism in ("PLAIN", "SCRAM-SHA-1"):
            with self.subTest(mechanism=mechanism):
                plain, steps, _ = self.relay_test(self.block(password="not it", more=f'mechanisms = ["{mechanism}"]\n'))
                self.assertEqual(plain.returncode, UNAVAILABLE)
                step = self.failed(steps)
                self.assertEqual(step["step"], "auth")
                self.assertIn("535", step["text"])
                self.assertTrue(step.get("cure"))
                self.tell(plain, step["cause"], step["cure"], "would not take mail")
                self.assertNotIn("not it", plain.stdout)

    def test_wrong_name(self):
        plain, steps, _ = self.relay_test(self.block(self.wrong.port))
        self.assertEqual(plain.returncode, UNAVAILABLE)
        step = self.failed(steps)
        self.assertEqual(step["step"], "certificate")
        self.assertIn("other.test", plain.stdout)
        self.assertTrue(step.get("cure"))
        self.assertNotIn("auth", [s["step"] for s in steps])   # no password to whom we do not know

    def test_unknown_authority(self):
        block = self.block().replace(f'tls_ca_file = "{authority.ca}"\n', "")
        plain, steps, _ = self.relay_test(block)
        self.assertEqual(plain.returncode, UNAVAILABLE)
        self.assertEqual(self.failed(steps)["step"], "certificate")
        self.assertIn("tls_", self.failed(steps)["cure"])

    def test_no_common_mechanism(self):
        plain, steps, _ = self.relay_test(self.block(more='mechanisms = ["SCRAM-SHA-256"]\n'))
        self.assertEqual(plain.returncode, UNAVAILABLE)
        step = self.failed(steps)
        self.assertEqual(step["step"], "mechanisms")
        self.assertEqual(step["allowed"], ["SCRAM-SHA-256"])
        self.assertEqual(step["usable"], [])
        self.assertIn("PLAIN", step["offered"])

    def test_host_and_port_on_the_command_line(self):
        secret = os.path.join(folder, "password")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(PASSWORD + "\n")
        result = subprocess.run([BINARY, "relay", "test", f"localhost:{self.provider.port}", "--user", "me@test", "--password-file", secret,
                                 "--ca-file", authority.ca, "--config", os.path.join(folder, "none.toml")],
                                capture_output=True, text=True, timeout=60, env=clean_environment(), stdin=subprocess.DEVNULL)
        self.assertEqual(result.returncode, OK, result.stdout + result.stderr)
        # Readable by others: refused, with what to type.
        os.chmod(secret, 0o644)
        result = subprocess.run([BINARY, "relay", "test", f"localhost:{self.provider.port}", "--user", "me@test", "--password-file", secret],
                                capture_output=True, text=True, timeout=60, env=clean_environment(), stdin=subprocess.DEVNULL)
        self.assertEqual(result.returncode, USAGE)
        self.assertIn("chmod", result.stderr)

    def test_password_asked_at_a_terminal(self):
        command = [BINARY, "relay", "test", f"localhost:{self.provider.port}", "--user", "me@test", "--ca-file", authority.ca]
        code, shown = at_terminal(command, PASSWORD, clean_environment())
        self.assertEqual(code, OK, shown)
        self.assertNotIn(PASSWORD, shown)
        self.assertIn("would take mail", shown)


@unittest.skipUnless(dovecot.available(), "skipped: needs root and Dovecot's submission server")
class AgainstDovecot(Case):
    def test_right_and_wrong_password(self):
        cert, key = authority.issue("dovecot")
        provider = dovecot.Dovecot(os.path.join(folder, "dovecot"), cert, key, sink.port, password=PASSWORD).start()
        try:
            for password, code in ((PASSWORD, OK), ("not it", UNAVAILABLE)):
                block = (f'port = {provider.port}\ntls_name = "localhost"\ntls_ca_file = "{authority.ca}"\nuser = "me@test"\n'
                         f'password = "{password}"\n')
                plain, steps, _ = self.relay_test(block)
                self.assertEqual(plain.returncode, code, plain.stdout)
                if code != OK:
                    self.assertEqual(self.failed(steps)["step"], "auth")
        finally:
            provider.stop()


class AgainstAPeer(Case):
    """What no real server does when asked"""

    def at(self, *peer_arguments, block='tls = "starttls"\n', arguments=()):
        peer = Peer(*peer_arguments).start()
        try:
            return self.relay_test(f'port = {peer.port}\ntls_name = "localhost"\ntls_ca_file = "{authority.ca}"\n{block}', *arguments), peer
        finally:
            peer.discard()

    LOGIN = f'user = "me@test"\npassword = "{PASSWORD}"\n'

    def test_dead_relay(self):
        plain, steps, _ = self.relay_test(f"port = {free_port()}\n{self.LOGIN}")
        self.assertEqual(plain.returncode, UNAVAILABLE)
        self.assertEqual(self.failed(steps)["step"], "connect")
        self.assertIn("nothing listens", plain.stdout)

    def test_no_starttls(self):
        (plain, steps, transcript), peer = self.at("--no-starttls", "--auth", "always", "--user", f"me@test:{PASSWORD}", block=self.LOGIN)
        self.assertEqual(plain.returncode, UNAVAILABLE)
        self.assertEqual(self.failed(steps)["step"], "starttls")
        self.tell(plain, "465", "implicit")
        self.assertNotIn("AUTH ", transcript.replace("250-AUTH", "").replace("250 AUTH", ""))
        self.assertFalse(peer.of("auth"))

    def test_auth_only_before_tls(self):
        cert, key = authority.issue("peer")
        (plain, steps, _), peer = self.at("--cert", cert, "--key", key, "--auth", "clear", "--user", f"me@test:{PASSWORD}", block=self.LOGIN)
        self.assertEqual(plain.returncode, UNAVAILABLE)
        self.assertEqual(self.failed(steps)["step"], "mechanisms")
        self.assertFalse(peer.of("auth"))

    def test_ehlo_refused(self):
        (plain, steps, _), _ = self.at("--reply", "ehlo=554 5.7.1 you are on a list", block='tls = "none"\n')
        self.tell(plain, "554 5.7.1 you are on a list")
        self.assertIn(plain.returncode, (OK, UNAVAILABLE))

    def test_opportunistic_without_the_offer(self):
        (plain, steps, _), _ = self.at("--no-starttls", block='tls = "opportunistic"\n', arguments=("--from", "me@test"))
        self.assertEqual(plain.returncode, OK, plain.stdout)
        self.assertEqual([s["mark"] for s in steps if s["step"] == "starttls"], ["note"])
        self.tell(plain, "in the clear", "would take mail")

    def test_the_command_line_stands_over_the_block(self):
        (plain, steps, _), _ = self.at("--no-starttls", block='tls = "starttls"\n', arguments=("isp", "--tls", "none", "--from", "me@test"))
        self.assertEqual(plain.returncode, OK, plain.stdout)
        cert, key = authority.issue("named")
        for pin in ("", f'tls_fingerprints = ["sha256:{"00" * 32}"]\n'):   # a CA that is named decides, not the block's pin
            peer = Peer("--cert", cert, "--key", key).start()
            try:
                plain, steps, _ = self.relay_test(f'port = {peer.port}\ntls_name = "localhost"\n{pin}', "isp", "--ca-file", authority.ca, "--from", "me@test")
            finally:
                peer.discard()
            self.assertEqual(plain.returncode, OK, plain.stdout)
            self.assertEqual([s["verified"] for s in steps if s["step"] == "certificate"], [True])

    def test_senders_as_they_are_typed(self):
        for typed, sent in (("<a@b.test>", "<a@b.test>"), ("a@b.test", "<a@b.test>"), ("<>", "<>"), ("", "<>")):
            with self.subTest(typed=typed):
                (plain, steps, transcript), _ = self.at(block='tls = "none"\n', arguments=("--from", typed))
                self.assertEqual(plain.returncode, OK, plain.stdout)
                self.assertIn(f"C MAIL FROM:{sent}\n", transcript)
                self.assertEqual([s["sender"] for s in steps if s["step"] == "mail"], [sent.strip("<>")])

    def test_no_login_needed(self):
        (plain, steps, _), _ = self.at(block='tls = "none"\n', arguments=("--from", "me@test"))
        self.assertEqual(plain.returncode, OK, plain.stdout)

    def test_sender_refused(self):
        (plain, steps, _), _ = self.at("--reply", "mail=550 5.7.60 not yours", block='tls = "none"\n', arguments=("--from", "me@test"))
        self.assertEqual(plain.returncode, UNAVAILABLE)
        self.assertEqual(self.failed(steps)["step"], "mail")

    def test_unknown_names_and_arguments(self):
        server = Server(relay='[[relay]]\nname = "isp"\nhost = "127.0.0.1"\ntls = "none"\n')
        try:
            for arguments, code, told in ((("nobody",), CONFIG, "isp"), (("--no-such-option",), USAGE, "--no-such-option")):
                result = server.command("relay", "test", *arguments)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(told, result.stdout + result.stderr)
        finally:
            server.discard()


KANA = re.compile("[\u3040-\u30ff]")


class InJapanese(Case):
    """All that a person reads is translated; what programs read is not"""
    WORDS_OF_THE_SERVER = ("dns", "greeting", "ehlo", "starttls", "tls", "ehlo_tls", "auth", "mail")   # in good steps

    @classmethod
    def setUpClass(cls):
        cls.language = japanese.environment(folder)

    def say(self, block, *peer_arguments):
        """(`relay test`, its steps as JSON here and in C, `doctor --only relays`)"""
        peer = Peer(*peer_arguments).start()
        server = Server(relay='[[relay]]\nname = "isp"\nhost = "127.0.0.1"\ntls_name = "localhost"\n' +
                              (block if "port =" in block else f"port = {peer.port}\n{block}"))
        here = dict(server.child_environment(), **self.language)

        def run(*arguments):
            return subprocess.run([BINARY, *arguments, "--config", server.config_path], capture_output=True, text=True, timeout=60, env=here).stdout
        try:
            told, as_json, doctor = run("relay", "test"), run("relay", "test", "--json"), run("doctor", "--only", "relays")
            plain = server.command("relay", "test", "--json").stdout
        finally:
            server.discard()
            peer.discard()
        return told, as_json, plain, doctor

    def all_japanese(self, told):
        for line in told.splitlines():
            if line.startswith(" "):
                self.assertRegex(line, "^ +(原因|対処): ")
                self.assertRegex(line, KANA)
                continue
            mark, step, text = line.split(None, 2)
            self.assertIn(mark, ("正常", "失敗", "--"))
            if mark == "失敗" and step in ("connect", "auth"):   # the error, the server's reply: their cause says what it means
                continue
            if step not in self.WORDS_OF_THE_SERVER or mark == "失敗":
                self.assertRegex(text, "[\u3040-\u30ff\u4e00-\u9fff]")

    def test_each_failure(self):
        cert, key = authority.issue("japanese")
        other, other_key = authority.issue("japanese-other", names=("other.test",), addresses=("127.99.0.1",))
        tls = ("--cert", cert, "--key", key, "--auth", "tls", "--user", f"me@test:{PASSWORD}")
        known = f'tls_ca_file = "{authority.ca}"\nuser = "me@test"\n'
        for name, block, arguments, words in (
                ("well", f'{known}password = "{PASSWORD}"\n', tls, ("検証済み", "メールを受け取ります。何も送っていません")),
                ("password", f'{known}password = "not it"\n', tls, ("サーバーがこのユーザー名とパスワードを受け付けません", "アプリパスワード")),
                ("name", f'{known}password = "x"\n', ("--cert", other, "--key", other_key), ("検証できません", "other.test")),
                ("authority", 'user = "me@test"\npassword = "x"\n', tls, ("未知の CA", "tls_ca_file")),
                ("no STARTTLS", f'{known}password = "x"\n', ("--no-starttls",), ("STARTTLS を提示しない", "ポート 465")),
                ("mechanism", f'{known}password = "x"\nmechanisms = ["SCRAM-SHA-256"]\n', (*tls, "--mechanisms", "PLAIN"), ("共通の認証方式がありません",)),
                ("nobody", f'port = {free_port()}\n{known}password = "x"\n', (), ("何も待ち受けていません", "メールを受け取りません"))):
            with self.subTest(name):
                told, as_json, plain, doctor = self.say(block, *arguments)
                for word in words:
                    self.assertIn(word, told)
                self.all_japanese(told)
                (line,) = [line for line in doctor.splitlines() if "リレー isp" in line]
                if name == "password":
                    self.assertIn("サーバーがこのユーザー名とパスワードを受け付けません", line)
                    self.assertIn("アプリパスワード", line)
                self.assertNotRegex(as_json, KANA)
                self.assertEqual(*([(s["step"], s["mark"], s.get("cause"), s.get("cure")) for s in map(json.loads, text.splitlines())]
                                   for text in (as_json, plain)))


if __name__ == "__main__":
    unittest.main()
