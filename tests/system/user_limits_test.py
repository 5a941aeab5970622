"""What a user who has logged in may do: whose addresses, how much, and when it is too much; over kill -9 too"""
import json
import os
import re
import smtplib
import ssl
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.certificates import Authority                         # noqa: E402
from support.server import Server, free_port, wait_for             # noqa: E402
from support.sink import Sink                                      # noqa: E402

USERS = ("taro@example.jp", "hanako@example.jp", "jiro")
PASSWORD = "s3cret"


def message(sender, subject="x"):
    return f"From: {sender}\r\nTo: you@example.net\r\nSubject: {subject}\r\n\r\nbody\r\n"


class UserLimits(unittest.TestCase):
    def serve(self, rules, top=""):
        sink = Sink().start()
        self.addCleanup(sink.stop)
        port = free_port()
        server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\nretry_after = "100ms"\n')
        self.addCleanup(server.discard)
        os.chmod(server.folder, 0o755)
        authority = Authority(os.path.join(server.folder, "ca"))
        certificate, key = authority.issue("gate", names=("gate.test", "localhost"))
        os.chmod(key, 0o600)
        with open(os.path.join(server.folder, "aliases"), "w") as aliases:
            aliases.write("support: jiro\nteam: jiro, hanako@example.jp\njiro: jiro@home.example\n")
        server.extra = (f'postmaster = "chief@example.net"\nalias_files = ["{server.folder}/aliases"]\n{top}'
                        f'[tls]\ncertificates = [{{ certificate = "{certificate}", key = "{key}" }}]\n'
                        f'[auth]\nusers_file = "{server.folder}/users"\nbackends = ["file"]\n{rules}\n'
                        f'[[listener]]\nname = "in"\naddress = "127.0.0.1"\nport = {port}\nprofile = "submission"\n')
        server.port = port
        server.write_config()
        password = os.path.join(server.folder, "password")
        with open(password, "w") as out:
            out.write(PASSWORD + "\n")
        os.chmod(password, 0o600)
        for user in USERS:
            server.command("user", "add", user, "--password-file", password, "--no-scram", check=0)
        self.sink, self.server, self.ca = sink, server, authority.ca
        return server.start()

    def login(self, user):
        client = smtplib.SMTP("127.0.0.1", self.server.port, timeout=60)
        self.addCleanup(client.close)
        client.starttls(context=ssl.create_default_context(cafile=self.ca))
        client.login(user, PASSWORD)
        return client

    def send(self, user, sender=None, to=("you@example.net",), header=None, client=None):
        """The reply that decided: the first refusal, or the 250."""
        client = client or self.login(user)
        sender = user if sender is None else sender
        code, text = client.mail(sender)
        refused = None
        if code == 250:
            for one in to:
                reply = client.rcpt(one)
                refused = refused or (reply if reply[0] >= 400 else None)
            if refused:
                code, text = refused
                client.rset()
            else:
                try:
                    code, text = client.data(message(header or sender or user))
                except smtplib.SMTPDataError as refusal:
                    code, text = refusal.smtp_code, refusal.smtp_error
                    client.rset()
        return code, text.decode()

    def user_rows(self):
        return {row["name"]: row for row in map(json.loads, self.server.command("user", "list", "--json", check=0).stdout.splitlines())}

    def used(self, user, measure, span):
        return sum(one["used"] for one in self.user_rows()[user].get("used", []) if (one["measure"], one["span"]) == (measure, span))

    def suspended(self):
        return {row["name"]: row for row in json.loads(self.server.command("status", "--json", check=0).stdout)["users"]["suspended"]}

    # --- as whom

    def test_own_addresses_alone(self):
        self.serve('[users]\nforeign_sender = "reject"\n[[user_rule]]\nname = "taro@example.jp"\nsenders = ["@family.example", "info@example.jp"]\n'
                   '[[user_rule]]\nname = "hanako@example.jp"\nforeign_sender = "rewrite"\n')
        cases = [
            ("taro@example.jp", "taro@example.jp", None, 250),
            ("taro@example.jp", "taro+shop@example.jp", "Taro <info@example.jp>", 250),
            ("taro@example.jp", "anybody@family.example", None, 250),
            ("taro@example.jp", "", "taro@example.jp", 250),
            ("taro@example.jp", "hanako@example.jp", None, 553),
            ("taro@example.jp", "taro@example.jp", "Hanako <hanako@example.jp>", 550),
            ("taro@example.jp", "", "boss@bank.example", 550),
            ("jiro", "jiro@gate.test", None, 250),
            ("jiro", "support@gate.test", None, 250),
            ("jiro", "team@gate.test", None, 553),
            ("jiro", "taro@example.jp", None, 553),
        ]
        for user, sender, header, code in cases:
            reply = self.send(user, sender, header=header)
            self.assertEqual(reply[0], code, (user, sender, header, reply))
            if code != 250:
                self.assertIn(user, reply[1])
                self.assertIn("5.7.1", reply[1])
        before = len(self.sink.messages)
        self.assertEqual(self.send("hanako@example.jp", "boss@bank.example", header="Boss <boss@bank.example>")[0], 250)
        sent = wait_for(lambda: [m for m in list(self.sink.messages) if m[1].startswith("<hanako@example.jp>")], what="the rewritten message")
        self.assertIn(b"\r\nFrom: Boss <hanako@example.jp>\r\n", sent[0][3])
        self.assertIn(b"Reply-To: Boss <boss@bank.example>\r\n", sent[0][3])
        self.assertGreaterEqual(len(self.sink.messages), before)
        wait_for(lambda: {e["action"] for e in self.server.events("foreign_sender")} == {"reject", "rewrite"}, what="the log lines")
        self.server.stop()

    # --- how much

    def test_limits_over_a_kill(self):
        self.serve('[users]\nmessages_per_day = 4\nrecipients_per_hour = 5\nbytes_per_day = "100KiB"\n[[user_rule]]\nname = "jiro"\nconnections = 2\n')
        self.assertEqual(self.send("taro@example.jp")[0], 250)
        self.assertEqual(self.send("taro@example.jp", to=[f"u{n}@example.net" for n in range(6)])[0], 452)   # given back
        self.assertEqual(self.send("taro@example.jp", to=["a@example.net", "b@example.net"])[0], 250)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.used("taro@example.jp", "messages", "day"), 2)
        self.assertEqual(self.used("taro@example.jp", "recipients", "hour"), 3)
        code, text = self.send("taro@example.jp", to=["a@example.net", "b@example.net", "c@example.net"])
        self.assertEqual(code, 452)
        self.assertRegex(text, r"^4\.5\.3 Limit of 5 recipients an hour reached for taro@example\.jp; there is room again in \d+ minutes$")
        client = self.login("taro@example.jp")
        self.assertEqual([self.send("taro@example.jp", client=client)[0] for _ in range(3)], [250, 250, 450])
        self.assertEqual(self.send("hanako@example.jp")[0], 250)   # has limits of her own
        code, text = self.login("hanako@example.jp").docmd("MAIL", "FROM:<hanako@example.jp> SIZE=200000")
        self.assertEqual(code, 552)
        for _ in range(2):
            self.login("jiro")
        with self.assertRaises(smtplib.SMTPException):   # the third at a time
            self.login("jiro")
        wait_for(lambda: [e for e in self.server.events("refused") if e["reply"].startswith("421 4.7.0 Too many connections as jiro")],
                 what="the log line")
        table = self.server.command("user", "list", check=0).stdout
        self.assertIn("4/4 messages a day", table)
        self.server.stop()
        offline = self.user_rows()   # from the queue on disk
        self.assertEqual(offline["taro@example.jp"]["suspended"], False)
        self.assertEqual(self.used("taro@example.jp", "messages", "day"), 4)

    # --- too much at once

    def test_a_burst_suspends_one_user(self):
        self.serve('[users]\nsuspend_factor = 10\nsuspend_floor = 10\n')
        client = self.login("taro@example.jp")
        replies = [self.send("taro@example.jp", to=[f"u{n}@example.net"], client=client) for n in range(12)]
        self.assertEqual([code for code, _ in replies], [250] * 10 + [450] * 2, replies)
        self.assertIn("suspended", replies[-1][1])
        self.assertEqual(self.send("hanako@example.jp")[0], 250)
        row = self.suspended()["taro@example.jp"]
        self.assertEqual(row["by"], "server")
        self.assertIn("11 recipients within an hour", row["reason"])
        self.assertIn("taro@example.jp", self.server.command("status", check=0).stdout)
        told = wait_for(lambda: [m for m in list(self.sink.messages) if m[2] == ["<chief@example.net>"]], what="the postmaster's message")
        self.assertTrue(told[0][1].startswith("<>"), told[0][1])
        self.assertIn(b"sidegate user resume taro@example.jp", told[0][3])
        self.server.kill()
        self.server.start()
        self.assertIn("taro@example.jp", self.suspended())
        self.assertEqual(self.send("taro@example.jp")[0], 450)
        self.assertIn("would be done", self.server.command("user", "resume", "taro@example.jp", "--dry-run", check=0).stdout)
        self.assertIn("taro@example.jp", self.suspended())
        self.server.command("user", "resume", "Taro@Example.jp", check=0)
        self.assertEqual(self.suspended(), {})
        self.assertEqual([self.send("taro@example.jp", to=[f"again{n}@example.net"])[0] for n in range(3)], [250] * 3)
        wait_for(lambda: {to for m in list(self.sink.messages) for to in m[2]} >= {f"<u{n}@example.net>" for n in range(10)}, what="what was taken")
        # Told once; delivered twice perhaps, where the kill came before its outcome was written.
        told = {re.search(rb"(?im)^Message-ID: (\S+)", m[3])[1] for m in self.sink.messages if m[2] == ["<chief@example.net>"]}
        self.assertEqual(len(told), 1, told)
        self.assertNotEqual(self.server.command("user", "resume", "taro@example.jp").returncode, 0)
        self.server.stop()

    def test_mail_of_a_suspended_user_waits_in_the_queue(self):
        self.serve("", top="")
        self.sink.reply = lambda stage, value: "450 4.2.0 later" if stage == "rcpt" and "slow" in value else None
        self.assertEqual(self.send("taro@example.jp", to=["slow1@example.net"])[0], 250)
        self.assertEqual(self.send("hanako@example.jp", to=["slow2@example.net"])[0], 250)
        wait_for(lambda: len(self.server.events("delivery")) >= 2, what="the first attempts")
        self.server.command("user", "suspend", "taro@example.jp", "--reason", "asked by phone", check=0)
        self.server.command("queue", "retry", "--all", check=0)
        rows = {row["from"]: row for row in self.queue()}
        self.assertEqual((rows["taro@example.jp"]["state"], rows["taro@example.jp"]["reason"]), ("held", "user taro@example.jp is suspended"))
        self.assertEqual(json.loads(self.server.command("status", "--json", check=0).stdout)["users"]["held"], 1)
        self.sink.reply = lambda stage, value: None
        self.server.command("queue", "retry", "--all", check=0)
        wait_for(lambda: [m for m in list(self.sink.messages) if m[2] == ["<slow2@example.net>"]], what="the other user's mail")
        # Its end is written before the kill: else it would be sent again, and held then, its sender being suspended.
        wait_for(lambda: [row["from"] for row in self.queue()] == ["taro@example.jp"], what="its end")
        self.server.kill()
        # Down: what is on disk is changed, by whoever it belongs to.
        self.server.command("user", "suspend", "hanako@example.jp", check=0)
        self.assertNotEqual(self.server.command("user", "suspend", "hanako@example.jp").returncode, 0)
        self.assertTrue(self.user_rows()["taro@example.jp"]["suspended"])
        owners = {os.stat(os.path.join(self.server.folder, "queue", name)).st_uid for name in os.listdir(os.path.join(self.server.folder, "queue"))}
        self.assertEqual(owners, {os.stat(os.path.join(self.server.folder, "queue")).st_uid})
        self.server.start()
        self.assertEqual(set(self.suspended()), {"taro@example.jp", "hanako@example.jp"})
        self.assertEqual(self.suspended()["taro@example.jp"]["reason"], "asked by phone")
        code, text = self.send("taro@example.jp")
        self.assertEqual(code, 450)
        self.assertIn("asked by phone", text)
        self.assertEqual([m for m in self.sink.messages if m[2] == ["<slow1@example.net>"]], [])
        self.server.command("user", "resume", "taro@example.jp", check=0)
        self.server.command("queue", "retry", "--all", check=0)
        wait_for(lambda: [m for m in list(self.sink.messages) if m[2] == ["<slow1@example.net>"]], what="what was held")
        wait_for(lambda: not self.queue(), what="an empty queue")
        self.server.stop()

    def queue(self):
        return [json.loads(line) for line in self.server.command("queue", "list", "--json", check=0).stdout.splitlines()]


if __name__ == "__main__":
    unittest.main()
