"""As whom mail leaves: a real Postfix that takes only the account's own sender, forwarded mail's bounces, and relays that take
nothing from <>."""
import email
import os
import re
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import postfix                             # noqa: E402
from support.certificates import Authority              # noqa: E402
from support.client import RawClient                    # noqa: E402
from support.peer import Peer                           # noqa: E402
from support.server import Server, wait_for             # noqa: E402
from support.sink import Sink                           # noqa: E402

CRON = (b'From: "(Cron Daemon)" <root@nas.home>\r\nTo: admin@test\r\nSubject: Cron <root@nas> backup\r\n'
        b"Date: Sat, 21 Nov 2026 22:25:12 +0000\r\nMessage-ID: <1@nas.home>\r\n\r\n..failed\r\n\xe5\xae\x9b\r\n")
NULL_REFUSED = "553 5.7.1 Sender address rejected: not owned by auth user."


def submit(server, sender, *recipients, body=CRON):
    client = RawClient(server.port)
    client.command("EHLO client.test")
    for line in (f"MAIL FROM:<{sender}> BODY=8BITMIME", *(f"RCPT TO:<{r}>" for r in recipients)):
        code, lines = client.command(line)
        assert code == 250, lines
    code, lines = client.data(body)
    assert code == 250, lines
    client.close()


@unittest.skipUnless(postfix.available(), "skipped: needs root, Postfix and saslpasswd2")
class StrictPostfix(unittest.TestCase):
    """smtpd_sender_login_maps: whoever logs in as me@test may send as me@isp.test and as nobody else."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="sidegate-identity-")
        os.chmod(cls.folder, 0o755)
        cls.authority = Authority(os.path.join(cls.folder, "ca"))
        cert, key = cls.authority.issue("provider")
        cls.sink = Sink().start()
        with open(os.path.join(cls.folder, "owners"), "w") as out:
            out.write("/^me@isp\\.test$/ me@test\n/./ nobody\n")
        with open(os.path.join(cls.folder, "from"), "w") as out:   # the header too: as M365 and others do
            out.write("/^From:.*<?me@isp\\.test>?/ DUNNO\n/^From:/ REJECT 5.7.60 Client does not have permissions to send as this sender\n")
        cls.provider = postfix.Postfix(os.path.join(cls.folder, "postfix"), cert, key, cls.sink.port, "PLAIN", f"""
smtpd_sender_login_maps = regexp:{cls.folder}/owners
smtpd_sender_restrictions = reject_sender_login_mismatch
header_checks = regexp:{cls.folder}/from
""")
        cls.provider.add_user("me", "s3cret word")
        cls.provider.start()

    @classmethod
    def tearDownClass(cls):
        cls.provider.stop()
        cls.sink.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def serve(self, extra):
        server = Server(relay=f'[[relay]]\nname = "isp"\nhost = "127.0.0.1"\nport = {self.provider.port}\ntls_name = "localhost"\n'
                        f'tls_ca_file = "{self.authority.ca}"\nuser = "me@test"\npassword = "s3cret word"\n{extra}\n').start()
        self.addCleanup(server.discard)
        self.addCleanup(server.stop)
        return server

    def test_keep_waits_and_names_the_cure(self):
        server = self.serve("")
        submit(server, "root@nas.home", "keep@test")
        wait_for(lambda: any(e["to"] == "keep@test" for e in server.events("delivery")), 20, what="an attempt")
        (event,) = [e for e in server.events("delivery") if e["to"] == "keep@test"]
        self.assertEqual((event["status"], event["meaning"]), ("deferred", "sender-not-allowed"))
        listed = server.command("queue", "list", "--json", check=0).stdout
        self.assertIn("keep@test", listed)
        (row,) = re.findall(r'"id":"([^"]+)"', listed.replace(" ", ""))
        self.assertIn('identity = "account"', server.command("queue", "show", row, check=0).stdout)

    def test_account_passes(self):
        server = self.serve('identity = "account"\naddress = "me@isp.test"\n')
        submit(server, "root@nas.home", "account@test")
        (message,) = wait_for(lambda: [m for m in list(self.sink.messages) if "account@test" in m[2][0]], 30,
                              what=f"the message; log:\n{server.log_text()[-1500:]}")
        self.assertTrue(message[1].startswith("<me@isp.test>"), message[1])
        head, _, body = message[3].partition(b"\r\n\r\n")
        parsed = email.message_from_bytes(message[3])
        self.assertEqual(parsed["From"], '"(Cron Daemon)" <me@isp.test>')
        self.assertEqual(parsed["Reply-To"], '"(Cron Daemon)" <root@nas.home>')
        self.assertEqual(parsed["X-Original-From"], '"(Cron Daemon)" <root@nas.home>')
        self.assertEqual(body, CRON.partition(b"\r\n\r\n")[2])
        for line in CRON.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
            self.assertIn(b"\r\n" + line + b"\r\n", head + b"\r\n")
        # the log is written behind
        (event,) = wait_for(lambda: [e for e in server.events("delivery") if e["to"] == "account@test"], what="the log line")
        self.assertEqual((event["status"], event["from"], event["sent_as"]), ("sent", "root@nas.home", "me@isp.test"))

    def test_config_check_says_what_to_write(self):
        server = Server(relay='[[relay]]\nhost = "smtp.isp.test"\nuser = "me"\npassword = "p"\nidentity = "account"\n')
        self.addCleanup(server.discard)
        result = server.command("config", "check")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn('add address = "me@isp.test"', result.stdout + result.stderr)


class BrokenHeaders(unittest.TestCase):
    """A line that is no field evades no rule, and what others read of the message is what we meant."""

    def setUp(self):
        self.sink = Sink().start()
        self.addCleanup(self.sink.stop)

    def serve(self, relay="", extra=""):
        server = Server(extra=extra, relay=f'[[relay]]\nname = "isp"\nhost = "127.0.0.1"\nport = {self.sink.port}\ntls = "none"\n{relay}').start()
        self.addCleanup(server.discard)
        self.addCleanup(server.stop)
        return server

    def arrived(self, server, body, to):
        submit(server, "ann@nas.home", to, body=body)
        (message,) = wait_for(lambda: [m for m in list(self.sink.messages) if to in m[2][0]], 30, what=to)
        return message[1], message[3]

    FIELDS = b"From: ann@nas.home\r\nTo: you@x.test\r\nSubject: s\r\n"

    def test_rewritten_all_the_same(self):
        strict = self.serve('identity = "account"\naddress = "me@isp.test"\n')
        mapped = self.serve(extra='[rewrite]\nmasquerade_domains = ["home"]\n')
        for number, line in enumerate((b"From ann@nas.home Sat Nov 21 22:25:12 2026\r\n", b">From ann@nas.home Sat Nov 21\r\n")):
            _, data = self.arrived(strict, line + self.FIELDS + b"\r\nx\r\n", f"strict{number}@x.test")
            parsed = email.message_from_bytes(data)
            self.assertEqual((parsed.get_all("From"), parsed["Reply-To"]), (["ann <me@isp.test>"], "ann@nas.home"), data)
            self.assertEqual((parsed["To"], parsed["Subject"], parsed.get_payload()), ("you@x.test", "s", "x\r\n"), data)
            sender, data = self.arrived(mapped, line + self.FIELDS + b"\r\nx\r\n", f"mapped{number}@x.test")
            self.assertEqual((sender.split(">")[0], email.message_from_bytes(data).get_all("From")), ("<ann@home", ["ann@home"]), data)
        for number, line in enumerate((b"Garbage line\r\n", b"MAIL FROM:<a@b.test>\r\n", b"From a@b Sat\r\n", b"S\xfcbject: x\r\n")):
            rest = line + b"From: eve@nas.home\r\n\r\nx\r\n"
            _, data = self.arrived(strict, self.FIELDS + rest, f"odd{number}@x.test")
            self.assertEqual(email.message_from_bytes(data).get_all("From"), ["ann <me@isp.test>"], data)
            self.assertEqual(data.partition(b"\r\n\r\n")[2], rest)
            _, data = self.arrived(mapped, self.FIELDS + rest, f"oddly{number}@x.test")
            self.assertEqual(email.message_from_bytes(data).get_all("From"), ["ann@home"], data)
            self.assertEqual(data.partition(b"\r\n\r\n")[2], rest)
        for server in (strict, mapped):
            wait_for(lambda: len(server.events("header_mended")) == 6, what="a line for each")

    def test_octet_for_octet_where_nothing_rewrites(self):
        server = self.serve()
        body = b"From ann@nas.home Sat Nov 21 22:25:12 2026\r\n" + self.FIELDS + b"\r\nx\r\n"
        _, data = self.arrived(server, body, "keep@x.test")
        self.assertTrue(data.endswith(b"\r\n" + body), data)

    def test_names_of_this_machine(self):
        server = self.serve()
        _, data = self.arrived(server, b"From: Cron <root>\r\nTo: bob, x@y.test\r\nSubject: root\r\n\r\nx\r\n", "names@x.test")
        parsed = email.message_from_bytes(data)
        self.assertRegex(parsed["From"], r"^Cron <root@[^>]+>$")
        self.assertRegex(parsed["To"], r"^bob@[^,]+, x@y.test$")
        self.assertEqual(parsed["Subject"], "root")


class Plain(unittest.TestCase):
    def peer(self, *arguments):
        peer = Peer(*arguments).start()
        self.addCleanup(peer.discard)
        return peer

    def serve(self, *peers, extra=""):
        relay = "".join(f'[[relay]]\nname = "r{i}"\nhost = "127.0.0.1"\nport = {peer.port}\ntls = "none"\n{extra}\n' for i, peer in enumerate(peers))
        server = Server(extra='[queue]\nretry_first = "300ms"\nretry_max = "300ms"\n', relay=relay).start()
        self.addCleanup(server.discard)
        self.addCleanup(server.stop)
        return server

    def arrived(self, peer, count, server):
        return wait_for(lambda: (lambda m: m if len(m) >= count else None)(peer.messages()), 30, what=f"{count} messages; log:\n{server.log_text()[-2000:]}")

    def listed(self, server):
        return server.command("queue", "list", "--json", check=0).stdout

    def test_failover_rewrites_anew(self):
        strict, other = self.peer("--reply", "rcpt=550 5.7.1 relay access denied"), self.peer()
        relay = (f'[[relay]]\nname = "a"\nhost = "127.0.0.1"\nport = {strict.port}\ntls = "none"\nidentity = "account"\naddress = "me@isp.test"\n'
                 f'[[relay]]\nname = "b"\nhost = "127.0.0.1"\nport = {other.port}\ntls = "none"\n')
        server = Server(relay=relay).start()
        self.addCleanup(server.discard)
        self.addCleanup(server.stop)
        submit(server, "root@nas.home", "b@test")
        ((sender, recipients, content),) = self.arrived(other, 1, server)
        self.assertEqual((sender, recipients), ("root@nas.home", ["b@test"]))
        self.assertTrue(content.endswith(CRON), content)   # behind our trace field, octet for octet

    # --- relays that take nothing from <>

    def test_own_null_message(self):
        peer = self.peer("--reply", "mail:1=" + NULL_REFUSED)
        server = self.serve(peer, extra='address = "me@isp.test"\n')
        submit(server, "", "a@test", body=b"From: MAILER-DAEMON@nas.home\r\nSubject: report\r\n\r\nit failed\r\n")
        ((sender, recipients, content),) = self.arrived(peer, 1, server)
        self.assertEqual((sender, recipients), ("me@isp.test", ["a@test"]))
        parsed = email.message_from_bytes(content)
        self.assertEqual(parsed["From"], "MAILER-DAEMON <me@isp.test>")
        self.assertEqual(parsed["Auto-Submitted"], "auto-replied")
        self.assertEqual(parsed["X-Loop"], "wrapped-report@gate.test")
        self.assertTrue(content.endswith(b"\r\n\r\nit failed\r\n"))
        wait_for(lambda: self.listed(server) == "", 20, 0.1, "an empty queue")
        submit(server, "", "b@test", body=b"Subject: second\r\n\r\n")   # learnt: nobody is asked with <> again
        self.arrived(peer, 2, server)
        wait_for(lambda: len(server.events("report_wrapped")) == 2, 10, what="two lines in the log")
        self.assertEqual(len(server.events("null_sender_refused")), 1)
        # and one that was wrapped is never wrapped again: kept, not lost
        submit(server, "", "c@test", body=b"X-Loop: wrapped-report@gate.test\r\n\r\n")
        wait_for(lambda: '"held"' in self.listed(server), 20, 0.1, "the dead letter")
        self.assertEqual(len(peer.messages()), 2)

    def test_by_the_other_relay(self):
        strict, other = self.peer("--reply", "mail=" + NULL_REFUSED), self.peer()
        server = self.serve(strict, other)
        submit(server, "", "a@test")
        ((sender, recipients, _),) = self.arrived(other, 1, server)
        self.assertEqual((sender, recipients), ("", ["a@test"]))
        self.assertEqual(strict.messages(), [])


class ReportsBehindStrictRelay(unittest.TestCase):
    def test_failure_report_leaves_as_account(self):
        """A message fails, and its report has to leave by a relay that takes nothing from <>."""
        null = False

        def reply(stage, text):
            nonlocal null
            if stage == "mail":
                null = "<>" in text
                return NULL_REFUSED if null else None
            if stage == "rcpt" and null:   # pipelined behind it
                return "503 5.5.1 MAIL first"
            return "550 5.1.1 no such user" if stage == "rcpt" and "no@" in text else None
        sink = Sink(reply=reply).start()
        self.addCleanup(sink.stop)
        server = Server(relay=f'[[relay]]\nname = "isp"\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\naddress = "me@isp.test"\n').start()
        self.addCleanup(server.discard)
        self.addCleanup(server.stop)
        submit(server, "taro@sender.test", "no@test")
        (message,) = wait_for(lambda: list(sink.messages), 30, what=f"the report; log:\n{server.log_text()[-1500:]}")
        self.assertTrue(message[1].startswith("<me@isp.test>") and message[2][0].startswith("<taro@sender.test>"), message)
        report = email.message_from_bytes(message[3])
        self.assertEqual(report.get_content_type(), "multipart/report")   # as programs know it
        self.assertEqual(report["From"], "Mail Delivery System <me@isp.test>")
        self.assertIn("no@test", report.as_string())
        wait_for(lambda: server.command("queue", "list", "--json", check=0).stdout == "", 20, 0.1, "an empty queue")


class Forwarding(unittest.TestCase):
    """An alias leads elsewhere: by each rule the message leaves with a sender, and with SRS a bounce finds its way back."""

    def forwarded(self, top, relay=""):
        sink = Sink().start()
        self.addCleanup(sink.stop)
        server = Server(relay=f'[[relay]]\nname = "isp"\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\n{relay}')
        self.addCleanup(server.discard)
        aliases = os.path.join(server.folder, "aliases")
        with open(aliases, "w") as out:
            out.write("fwd: ann@elsewhere.test\n")
        server.extra = f'alias_files = ["{aliases}"]\n{top}'
        server.write_config()
        server.start()
        self.addCleanup(server.stop)
        submit(server, "taro@sender.test", "fwd@gate.test")
        (message,) = wait_for(lambda: list(sink.messages), 30, what=f"the message; log:\n{server.log_text()[-1500:]}")
        self.assertTrue(message[2][0].startswith("<ann@elsewhere.test>"), message)
        self.assertIn(b'From: "(Cron Daemon)" <root@nas.home>\r\n', message[3])
        return server, sink, re.match(r"<([^>]*)>", message[1]).group(1)

    def test_srs_and_back(self):
        server, sink, sender = self.forwarded("")
        self.assertRegex(sender, r"^SRS0=[^=]{4}=[A-Z2-7]{2}=sender\.test=taro@gate\.test$")
        submit(server, "", sender, body=b"Subject: bounce\r\n\r\n")
        bounce = wait_for(lambda: sink.messages[1:], 30, what="the bounce")[0]
        self.assertTrue(bounce[1].startswith("<>") and bounce[2][0].startswith("<taro@sender.test>"), bounce)
        server.stop()   # the secret outlives a restart
        server.start()
        submit(server, "", sender.lower(), body=b"Subject: late bounce\r\n\r\n")
        wait_for(lambda: len(sink.messages) == 3, 30, what="the second bounce")

    def test_own_senders_stay(self):
        server, sink, _ = self.forwarded("")
        submit(server, "someone@gate.test", "fwd@gate.test")
        message = wait_for(lambda: sink.messages[1:], 30, what="the message")[0]
        self.assertTrue(message[1].startswith("<someone@gate.test>"), message)

    def test_account(self):
        self.assertEqual(self.forwarded('forward_sender = "account"\n', 'address = "me@isp.test"\n')[2], "me@isp.test")

    def test_keep(self):
        self.assertEqual(self.forwarded('forward_sender = "keep"\n')[2], "taro@sender.test")


class ReturnAddresses(unittest.TestCase):
    def test_refused_and_kept_secret(self):
        server = Server().start()
        self.addCleanup(server.discard)
        self.addCleanup(server.stop)
        secret = os.path.join(server.folder, "queue", "srs_secret")
        self.assertEqual(os.stat(secret).st_mode & 0o7777, 0o600)
        client = RawClient(server.port)
        client.command("EHLO client.test")
        client.command("MAIL FROM:<>")
        code, lines = client.command("RCPT TO:<SRS0=abcd=TT=sender.test=ann@gate.test>")
        self.assertEqual(code, 550)
        self.assertIn("5.7.1 This return address was not made here", str(lines))
        client.close()
        with open(secret) as file:
            kept = file.read().strip()
        server.stop()
        server.start()
        with open(secret) as file:
            self.assertEqual(file.read().strip(), kept)
        self.assertNotIn(kept, server.log_text())


if __name__ == "__main__":
    unittest.main()
