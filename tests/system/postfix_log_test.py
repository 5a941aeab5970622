"""log.style = "postfix": the log of a real run, read by the real pflogsumm and by the expressions of fail2ban and postfix_exporter."""
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient                     # noqa: E402
from support.server import Server, free_port, wait_for   # noqa: E402
from support.sink import Sink                            # noqa: E402

# filter.d/postfix.conf of fail2ban: its prefix for syslog lines, and mode "normal".
FAIL2BAN = re.compile(r"^\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ postfix(-\w+)?/\w+(?:/smtp[ds])?\[\d+\]: \w+: (?:milter-)?reject: "
                      r"[A-Z]{4} from [^[]*\[(?P<host>[^]]+)\](?::\d+)?: [45][50][04] [45]\.\d\.\d+ (?:(?:<[^>]*>)?: )?"
                      r"(?:(?:Helo command|(?:Sender|Recipient) address) rejected: )?"
                      r"(?:Service unavailable|(?:Client host|Command|Data command) rejected|Relay access denied|(?:Host|Domain) not found)\b")
# postfix_exporter.go
EXPORTER = {
    "line": re.compile(r" ?(postfix|opendkim)(/(\w+))?\[\d+\]: (.*)"),
    "delivery": re.compile(r", relay=(\S+), .*, delays=([0-9.]+)/([0-9.]+)/([0-9.]+)/([0-9.]+), "),
    "deferred": re.compile(r", status=deferred"),
    "queued": re.compile(r":.*, size=(\d+), nrcpt=(\d+) "),
    "reject": re.compile(r"^NOQUEUE: reject: RCPT from \S+: ([0-9]+) "),
}


def grand_totals(text):
    totals = {}
    for line in text.splitlines():
        found = re.match(r"\s+(\d+[km]?)\s+([a-z]+)\b", line)
        if found and found[2] not in totals:
            totals[found[2]] = found[1]
    return totals


class PostfixLog(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        def reply(stage, text):
            if stage == "rcpt" and "bad" in text:
                return "550 5.1.1 <bad>: no such user, status=sent (not really)"
            if stage == "rcpt" and "later" in text:
                return "450 4.2.0 come back"
            return None
        cls.sink = Sink(reply=reply).start()
        cls.server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {cls.sink.port}\ntls = "none"\n')
        outside = free_port()
        cls.server.extra = (f'postmaster = "pm@home.test"\n[log]\nstyle = "postfix"\n[[listener]]\nname = "in"\naddress = "127.0.0.1"\nport = {cls.server.port}\n'
                            f'[[listener]]\nname = "outside"\naddress = "127.0.0.1"\nport = {outside}\ntrust_loopback = false\n')
        cls.server.write_config()
        cls.server.start()

        # 7 received by SMTP, 10 recipients: 7 delivered, 2 bounced, 1 deferred; 2 reports delivered.
        client = RawClient(cls.server.port)
        for number in range(5):
            client.open_transaction(sender=f"s{number}@one.test", recipients=[f"r{number}@two.test"])
            assert client.data(f"Message-ID: <m{number}@one.test>\r\n\r\nhello\r\n".encode())[0] == 250
        client.open_transaction(sender="mixed@one.test", recipients=["good1@two.test", "good2@two.test", "bad1@two.test", "later@two.test"])
        assert client.data(b"Subject: x\r\n\r\n")[0] == 250
        client.open_transaction(sender="lost@one.test", recipients=['"bad: x, relay=y> to=<z"@two.test'])
        assert client.data(b"Subject: x\r\n\r\n")[0] == 250
        client.close()
        stranger = RawClient(outside)
        stranger.command("EHLO evil.test")
        for _ in range(3):
            stranger.command("MAIL FROM:<evil@evil.test>")
            assert stranger.command("RCPT TO:<victim@two.test>")[0] == 554
        stranger.close()
        prober = RawClient(outside)   # says hello, and is gone
        prober.command("EHLO prober.test")
        prober.close()
        wait_for(lambda: "lost connection after EHLO" in cls.server.log_text(), 20, what="the end of the prober's session")
        wait_for(lambda: cls.server.log_text().count(" status=sent ") >= 9 and " status=deferred" in cls.server.log_text() and
                 cls.server.log_text().count(" status=bounced ") >= 2, 30, what="all deliveries in the log")
        cls.server.stop()
        cls.log = cls.server.log_text()

    @classmethod
    def tearDownClass(cls):
        cls.server.discard()
        cls.sink.stop()

    def test_pflogsumm(self):
        program = shutil.which("pflogsumm") or "/usr/sbin/pflogsumm"
        if not os.path.exists(program):
            self.skipTest("skipped: no pflogsumm")
        done = subprocess.run([program, self.server.log_path], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        totals = grand_totals(done.stdout)
        expected = {"received": "7", "delivered": "9", "deferred": "1", "bounced": "2", "rejected": "3"}   # two reports among the delivered
        self.assertEqual({word: totals.get(word) for word in expected}, expected, done.stdout)
        self.assertEqual((totals["senders"], totals["recipients"]), ("7", "9"), done.stdout)
        self.assertNotIn("no size data", done.stdout)
        self.assertIn("Relay access denied", done.stdout)

    def test_fail2ban(self):
        hosts = [found["host"] for line in self.log.splitlines() if (found := FAIL2BAN.match(line))]
        self.assertEqual(hosts, ["127.0.0.1"] * 3)

    def test_connections(self):
        # fail2ban's postfix filter, mode "ddos"; postfix_exporter counts the others by their first words.
        ddos = re.compile(r"^\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ postfix/smtpd\[\d+\]: lost connection after (AUTH|UNKNOWN|EHLO|CONNECT) from "
                          r"[^[]*\[(?P<host>[^]]+)\]$")
        lost = [(found[1], found["host"]) for line in self.log.splitlines() if (found := ddos.match(line))]
        self.assertEqual([pair for pair in lost if pair[0] != "CONNECT"], [("EHLO", "127.0.0.1")])   # who waits for us just connects
        opened = re.findall(r" postfix/smtpd\[\d+\]: connect from \S+\[127\.0\.0\.1\]$", self.log, re.M)
        ended = re.findall(r" postfix/smtpd\[\d+\]: disconnect from \S+\[127\.0\.0\.1\]((?: [a-z]+=\d+(?:/\d+)?)*) commands=(\S+)$", self.log, re.M)
        self.assertEqual(len(opened), len(ended), self.log)
        self.assertIn((" ehlo=1 mail=1/3 rcpt=0/3", "2/7"), ended)

    def test_exporter(self):
        counts = dict.fromkeys(EXPORTER, 0)
        for line in self.log.splitlines():
            found = EXPORTER["line"].search(line)
            self.assertTrue(found, line)
            counts["line"] += 1
            for name, pattern in EXPORTER.items():
                if name != "line" and pattern.search(found[4]):
                    counts[name] += 1
        self.assertEqual(counts["delivery"], 12, self.log)
        self.assertEqual((counts["deferred"], counts["queued"], counts["reject"]), (1, 9, 3), self.log)

    def test_nothing_leaves_its_place(self):
        """What peers say contains attributes of its own: each line still has one recipient and one status."""
        for line in self.log.splitlines():
            if ": to=<" in line:
                self.assertRegex(line, r"^\w{3} [ \d]\d [\d:]{8} gate\.test postfix/smtp\[\d+\]: [0-9A-Za-z]+: to=<[^<> ]*>, relay=[^ ,<>=]+, "
                                       r"delay=[\d.]+, delays=[\d./]+, dsn=\d\.\d+\.\d+, status=(sent|deferred|bounced) \(.*\)$")


if __name__ == "__main__":
    unittest.main()
