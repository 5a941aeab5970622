"""`sendmail` with the server up: the command lines of real callers, what becomes of the message, exit codes, -bs, mailq."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.programs import SENDMAIL, environment_for   # noqa: E402
from support.server import BINARY, Server, wait_for   # noqa: E402
from support.sink import Sink   # noqa: E402

MESSAGE = b"From: app@web.example\nTo: you@x.example\nSubject: hi\n\nbody\n"

# who, arguments, standard input, reverse-path, recipients, what the message must hold, what it must not
CALLERS = [
    ("cron", ["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "you@x.example"],
     b"From: root (Cron Daemon)\nTo: you@x.example\nSubject: Cron <root@h> x\n\n\xe5\xb1\xb1\n.\nend\n",
     "root@gate.test", ["you@x.example"], [b"From: root@gate.test (Cron Daemon)\r\n", b"\r\n\xe5\xb1\xb1\r\n.\r\nend\r\n"], []),
    ("systemd-cron", ["-i", "-B8BITMIME", "you@x.example"], MESSAGE, "root@gate.test", ["you@x.example"], [b"\r\nbody\r\n"], []),
    ("at", ["-i", "you@x.example"], b"Subject: Output from your job 1\nTo: root\n\nout\n", "root@gate.test", ["you@x.example"],
     [b"To: root@gate.test\r\n", b"From: "], []),
    ("anacron", ["-FAnacron", "-odi", "you@x.example"], b"Subject: x\n\ny\n", "root@gate.test", ["you@x.example"],
     [b"From: Anacron <root@gate.test>\r\n"], []),
    ("mdadm, sudo, logwatch", ["-t"], b"From: mdadm monitoring <root>\nTo: you@x.example\nSubject: DegradedArray\n\nx\n",
     "root@gate.test", ["you@x.example"], [b"From: mdadm monitoring <root@gate.test>\r\n"], []),
    ("unattended-upgrades", ["-oi", "-t"], MESSAGE, "root@gate.test", ["you@x.example"], [], []),
    ("popularity-contest", ["-oi", "-f", "pop@x.example", "you@x.example"], MESSAGE, "pop@x.example", ["you@x.example"], [], []),
    ("fail2ban", ["-f", "Fail2Ban <f2b@x.example>", "you@x.example"], MESSAGE, "f2b@x.example", ["you@x.example"], [], []),
    ("bsd-mailx", ["-i", "you@x.example", "me@x.example"], MESSAGE, "root@gate.test", ["you@x.example", "me@x.example"], [], []),
    ("git send-email", ["-f", "me@x.example", "-i", "you@x.example", "list@x.example"], MESSAGE, "me@x.example",
     ["you@x.example", "list@x.example"], [], []),
    ("PHP", ["-t", "-i", "-fweb@x.example"], b"To: you@x.example\r\nSubject: s\r\nBcc: hid@x.example\r\n\r\nb\r\n", "web@x.example",
     ["you@x.example", "hid@x.example"], [b"From: ", b"<web@x.example>\r\n"], [b"hid@x.example", b"Bcc"]),
    ("PHP under an administrator's -f", ["-t", "-i", "-f", "www@x.example", "-fweb@x.example"], MESSAGE, "web@x.example",
     ["you@x.example"], [], []),
    ("PHPMailer", ["-oi", "-fweb@x.example", "-t"], MESSAGE, "web@x.example", ["you@x.example"], [], []),
    ("Symfony", ["-fweb@x.example", "-i", "--", "you@x.example", "b@x.example"], MESSAGE, "web@x.example",
     ["you@x.example", "b@x.example"], [], []),
    ("Gitea", ["-f", "git@x.example", "-i", "--", "you@x.example"], MESSAGE.replace(b"\n", b"\r\n"), "git@x.example",
     ["you@x.example"], [b"\r\n\r\nbody\r\n"], []),
    ("nodemailer", ["-i", "-f", "me@x.example", "you@x.example"], MESSAGE, "me@x.example", ["you@x.example"], [], []),
    ("a list in one argument", ["A <a@x.example>, b@x.example"], MESSAGE, "root@gate.test", ["a@x.example", "b@x.example"], [], []),
    ("-t and a recipient", ["-t", "me@x.example"], MESSAGE, "root@gate.test", ["me@x.example", "you@x.example"], [], []),
    ("groups, comments, 8 bits", ["-t"],
     b'To: Team: "A, B" <a@x.example>, b@x.example (c (d), e);, \xe5\xb1\xb1 <c@x.example>\nCc: =?utf-8?B?5bGx?= <d@x.example>\n\nx\n',
     "root@gate.test", ["a@x.example", "b@x.example", "c@x.example", "d@x.example"], [], []),
    ("resent", ["-t"], MESSAGE.replace(b"Subject", b"Resent-To: r@x.example\nResent-Bcc: q@x.example\nSubject"), "root@gate.test",
     ["r@x.example", "q@x.example"], [b"Resent-From: ", b"Resent-Date: ", b"Resent-Message-ID: <"], [b"q@x.example"]),
    ("the null sender", ["-f", "<>", "you@x.example"], MESSAGE, "", ["you@x.example"], [], []),
    ("unknown -oX", ["-oQ/x", "-odb", "-oZ", "-O", "a=b", "-Am", "-L", "t", "-G", "-U", "-n", "-m", "-h", "3", "you@x.example"],
     MESSAGE, "root@gate.test", ["you@x.example"], [], []),
    ("a lone dot", ["you@x.example"], b"Subject: s\n\none\n.\ntwo\n", "root@gate.test", ["you@x.example"], [b"one\r\n"], [b"two"]),
    ("no header at all", ["you@x.example"], b"hello\n", "root@gate.test", ["you@x.example"],
     [b"\r\n\r\nhello\r\n", b"Date: ", b"Message-ID: <", b"From: "], []),
    ("nothing at all", ["you@x.example"], b"", "root@gate.test", ["you@x.example"], [b"From: "], []),
    ("bare CR and NUL", ["-i", "you@x.example"], b"Subject: a\rBcc: b@x\n\nx\ry\0z\r\r\n", "root@gate.test", ["you@x.example"],
     [b"Subject: a Bcc: b@x\r\n", b"x\r\nyz\r\n"], []),
    ("an endless line", ["-i", "you@x.example"], b"Subject: s\n\n" + b"x" * 300_000 + b"\n", "root@gate.test", ["you@x.example"], [], []),
    ("an mbox line", ["you@x.example"], b"From root Sat Nov 22 2026\nSubject: s\n\nx\n", "root@gate.test", ["you@x.example"],
     [b"Subject: s\r\n"], [b"From root Sat"]),
    ("2500 recipients", ["-i", *(f"u{n}@x.example" for n in range(2500))], MESSAGE, "root@gate.test",
     [f"u{n}@x.example" for n in range(2500)], [], []),
]

# arguments, standard input, exit code, words on standard error
MISTAKES = [
    ([], MESSAGE, 64, "recipients"),
    (["-t"], b"Subject: s\n\nx\n", 64, "no recipient"),
    (["-z", "you@x.example"], MESSAGE, 64, "-z"),
    (["-f", "a@x, b@x", "you@x.example"], MESSAGE, 64, "-f"),
    (["you@@x"], MESSAGE, 65, "5.1.3"),
    (["-i", "you@x.example"], b"Subject: s\n" + b"X: y\n" * 60_000 + b"\nx\n", 69, "5.3.4"),
    (["-bd"], b"", 69, "systemctl"),
]


class SendmailTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sink = Sink().start()
        cls.server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {cls.sink.port}\ntls = "none"\n').start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.server.discard()
        cls.sink.stop()

    def call(self, arguments, text=b"", program=(SENDMAIL,)):
        return subprocess.run([*program, *arguments], input=text, capture_output=True, env=environment_for(self.server), timeout=60)

    def test_callers(self):
        for who, arguments, text, sender, recipients, holds, holds_not in CALLERS:
            with self.subTest(who):
                del self.sink.messages[:]
                done = self.call(arguments, text)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                def all_there():
                    got = [to.split(">")[0].lstrip("<") for m in list(self.sink.messages) for to in m[2]]
                    return got if len(got) >= len(recipients) else None
                self.assertEqual(sorted(wait_for(all_there, 30, what=who)), sorted(recipients))
                for _, path, _, content in self.sink.messages:
                    self.assertTrue(path.startswith(f"<{sender}>"), path)
                    self.assertIn(b"(from user root, uid 0)", content)
                    for part in holds:
                        self.assertIn(part, content)
                    header = content.split(b"\r\n\r\n")[0] if who != "a lone dot" else content
                    for part in holds_not:
                        self.assertNotIn(part, header)

    def test_mistakes(self):
        for arguments, text, code, words in MISTAKES:
            with self.subTest(arguments[:3]):
                done = self.call(arguments, text)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn(words, done.stderr.decode())

    def test_all_its_names(self):
        for program in ((BINARY, "sendmail"), (BINARY, "--config", self.server.config_path, "sendmail")):
            self.assertEqual(self.call(["-i", "you@x.example"], MESSAGE, program).returncode, 0)
        link = os.path.join(self.server.folder, "mailq")
        os.symlink(os.path.abspath(BINARY), link)
        done = wait_for(lambda: (lambda d: d if d.stdout == b"Mail queue is empty\n" else None)(self.call([], program=(link,))), 20)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.call(["-bp"]).stdout, b"Mail queue is empty\n")

    def test_log_has_the_user(self):
        self.assertEqual(self.call(["-f", "log@me.example", "log@x.example"], MESSAGE).returncode, 0)
        event = wait_for(lambda: [e for e in self.server.events("accepted") if e["from"] == "log@me.example"], what="the log line")[0]
        self.assertEqual((event["user"], event["uid"], event["protocol"], event["client"]), ("root", "0", "ESMTP", "unix"))

    def test_dialogue(self):
        for end in ("\r\n", "\n"):
            del self.sink.messages[:]
            lines = ["EHLO app", "MAIL FROM:<web@x.example>", "RCPT TO:<you@x.example>", "DATA", "Subject: bs", "", "..dot", "."]
            done = self.call(["-bs"], end.join([*lines, "RSET", "QUIT", ""]).encode())
            self.assertEqual(done.returncode, 0)
            codes = [line[:3] for line in done.stdout.decode().splitlines() if line[3:4] != "-"]
            self.assertEqual(codes, ["220", "250", "250", "250", "354", "250", "250", "221"], done.stdout)
            content = wait_for(lambda: self.sink.messages, 20)[0][3]
            self.assertTrue(content.endswith(b"\r\n\r\n..dot\r\n") or content.endswith(b"\r\n\r\n.dot\r\n"), content)

    def test_a_dialogue_with_crlf_stays_strict(self):
        text = (b"EHLO app\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\nSubject: s\r\n\r\nx\n.\n"
                b"MAIL FROM:<smuggled@x.example>\r\n.\r\nQUIT\r\n")
        done = self.call(["-bs"], text)
        self.assertIn(b"554 5.6.0", done.stdout)
        self.assertNotIn(b"smuggled", done.stdout)

    def test_refused_comes_back(self):
        del self.sink.messages[:]
        done = self.call(["-f", "me@x.example", "bad@@x", "good@x.example"], MESSAGE)
        self.assertEqual(done.returncode, 65)
        wait_for(lambda: len(self.sink.messages) >= 2, 20, what="message and report")
        report = wait_for(lambda: [m for m in list(self.sink.messages) if m[1].startswith("<>") and m[2] == ["<me@x.example>"]], 20)[0]
        self.assertIn(b"bad@@x", report[3])
        for option, code, count in (("-oep", 65, 0), ("-oeq", 65, 0), ("-oee", 0, 1)):
            before = len([m for m in self.sink.messages if m[1].startswith("<>")])
            done = self.call([option, "-f", "me@x.example", "bad@@x"], MESSAGE)
            self.assertEqual(done.returncode, code, option)
            self.assertEqual(done.stderr == b"", option == "-oeq")
            wait_for(lambda: len([m for m in self.sink.messages if m[1].startswith("<>")]) >= before + count, 20)

    def test_status_notification(self):
        del self.sink.messages[:]
        self.assertEqual(self.call(["-Nsuccess,delay", "-Rhdrs", "-Vid+1", "-f", "me@x.example", "dsn@x.example"], MESSAGE).returncode, 0)
        _, path, to, _ = wait_for(lambda: [m for m in list(self.sink.messages) if "dsn@x.example" in m[2][0]], 20)[0]
        self.assertIn("RET=HDRS", path)
        self.assertIn("ENVID=id+2B1", path)
        self.assertIn("NOTIFY=SUCCESS,DELAY", to[0])

    def test_verify(self):
        del self.sink.messages[:]
        done = self.call(["-bv", "-f", "me@x.example", "ok@x.example", "bad@@x"])
        self.assertEqual(done.returncode, 65)
        self.assertIn(b"will be mailed to <me@x.example>", done.stdout)
        content = wait_for(lambda: [m for m in list(self.sink.messages) if b"Status Report" in m[3]], 20)[0][3]
        self.assertIn(b"<ok@x.example>: deliverable\r\n", content)


class MailqTest(unittest.TestCase):
    def test_with_mail(self):
        server = Server(relay='[[relay]]\nname = "gone"\nhost = "127.0.0.1"\nport = 9\ntls = "none"\n').start()
        self.addCleanup(server.discard)
        environment = environment_for(server)
        subprocess.run([SENDMAIL, "-f", "me@x.example", "q@x.example"], input=MESSAGE, env=environment, check=True)
        for up in (True, False):
            done = wait_for(lambda: (lambda d: d if not up or b"(" in d.stdout else None)(
                subprocess.run([SENDMAIL, "-bp"], capture_output=True, env=environment)), 20, what="mailq with a reason")
            lines = [line for line in done.stdout.decode().splitlines() if not line.lstrip().startswith("(")]
            self.assertEqual(lines[0], "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------")
            self.assertRegex(lines[1], r"^[0-9A-Z]{13}[ *!] +\d+ [A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d +me@x\.example$")
            self.assertEqual(lines[2], " " * 41 + "q@x.example")
            self.assertRegex(lines[-1], r"^-- \d+ Kbytes in 1 Request\.$")
            if up:
                server.stop()


if __name__ == "__main__":
    unittest.main()
