"""A provider that misbehaves at every step (tools/scripted-peer): what becomes of the message, of its recipients, of the
way out and of the account. Tables; a new case is a row."""
import concurrent.futures
import json
import os
import shutil
import smtplib
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.certificates import Authority              # noqa: E402
from support.content import without_trace               # noqa: E402
from support.peer import Peer                           # noqa: E402
from support.server import BUILD, Server, free_port, wait_for  # noqa: E402

BODY = b"Subject: x\r\nDate: Sat, 21 Nov 2026 00:00:00 +0000\r\nMessage-ID: <1@test>\r\n\r\n.dot\r\nbody\r\n"
QUEUE = '[queue]\nretry_first = "1s"\nretry_max = "1s"\n'
SECRET = "s3cret word"
AT_A_TIME = 6
SANITIZED = os.path.basename(os.path.realpath(BUILD)) in ("asan", "tsan")   # they keep freed memory for a while
PLAIN_EXTENSIONS = "PIPELINING,SIZE 134217728,8BITMIME,SMTPUTF8,DSN,ENHANCEDSTATUSCODES"   # no CHUNKING: by DATA
LOGIN = ("--user", f"me:{SECRET}", "--auth", "tls", "--auth-required")


def setUpModule():
    global folder, authority, certificates
    folder = tempfile.mkdtemp(prefix="sidegate-faults-")
    authority = Authority(os.path.join(folder, "ca"))
    certificates = {"good": authority.issue("good"), "expired": authority.issue("expired", days=-1),
                    "wrong name": authority.issue("wrong", names=("other.test",), addresses=("127.99.0.1",))}


def tearDownModule():
    shutil.rmtree(folder, ignore_errors=True)


class Setting:
    """A peer and a server that relays to it."""

    def __init__(self, *arguments, tls="none", login=False, certificate="good", relay="", queue=QUEUE):
        cert, key = certificates[certificate]
        if tls != "none":
            arguments += ("--cert", cert, "--key", key)
        if tls == "implicit":
            arguments += ("--implicit-tls",)
        if login:
            arguments += LOGIN
        self.peer = Peer(*arguments).start()
        block = f'[[relay]]\nname = "isp"\nhost = "127.0.0.1"\nport = {self.peer.port}\ntls = "{tls}"\nretry_after = "1s"\n'
        if tls != "none":
            block += f'tls_name = "localhost"\ntls_ca_file = "{authority.ca}"\n'
        if login:
            block += f'user = "me"\npassword = "{SECRET}"\n'
        self.server = Server(relay=block + relay, extra=queue)

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            print("\n".join([str(value), self.server.log_text()[-4000:], *map(str, self.peer.events[-30:]), "-" * 20]), file=sys.stderr)
        self.server.stop()
        assert SECRET not in self.server.log_text()
        self.server.discard()
        self.peer.discard()

    def submit(self, recipients=("b@test",), sender="s@test"):
        with smtplib.SMTP("127.0.0.1", self.server.port, timeout=60) as client:
            client.sendmail(sender, list(recipients), BODY)

    def arrived(self, count=1, sender="s@test", seconds=20):
        """`count` messages of this sender at the peer, byte for byte"""
        mine = lambda: [m for m in self.peer.messages() if m[0] == sender]   # noqa: E731
        found = wait_for(lambda: (mine(),) if len(mine()) >= count else None, seconds, what=f"{count} messages of <{sender}>")[0]
        if sender:
            for message in found:
                assert without_trace(message[2]) == BODY, message
        return found

    def listed(self):
        return [json.loads(line) for line in self.server.command("queue", "list", "--json", check=0).stdout.splitlines()]

    def shown(self):
        (row,) = self.listed()
        return json.loads(self.server.command("queue", "show", row["id"], "--json", check=0).stdout)

    def empty(self, seconds=20):
        wait_for(lambda: not self.listed(), seconds, 0.1, "an empty queue")

    def deliveries(self, status=None):
        return [e for e in self.server.events("delivery") if status in (None, e["status"])]

    def ended(self, count=1):
        """The delivery lines once `count` recipients have come to their end and the queue is empty: the log is written behind."""
        self.empty()
        wait_for(lambda: len(self.deliveries("sent") + self.deliveries("bounced")) >= count, 10, what="the log")
        return self.deliveries()

    def trouble(self, seconds=20):
        """The first line that says that the way or one of its connections is in trouble"""
        return wait_for(self.troubles, seconds, what="the trouble in the log")[0]

    def troubles(self):
        return self.server.events("way_down") + self.server.events("connection_broken")


# (step of the script, reply, scope in the log or None). After it the peer behaves.
WAY_REPLIES = (
    ("greeting:1", "421 4.3.2 not now", "way"),
    ("greeting:1", "450 4.3.2 not now", "way"),
    ("greeting:1", "554 5.7.1 go away", "way"),
    ("ehlo:1", "421 4.3.2 closing", "way"),
    ("ehlo:1", "451 4.3.0 not now", "way"),
    ("ehlo:2", "451 4.3.0 not now", "way"),
    ("ehlo:2", "554 5.3.0 not for you", "account"),   # HELO then, which offers no AUTH
    ("starttls:1", "454 4.7.0 TLS not available", "way"),
    ("starttls:1", "554 5.7.3 no TLS for you", "way"),
    ("auth", "421 4.7.0 too many logins", "account"),
    ("auth", "454 4.7.0 temporary authentication failure", "account"),
    ("auth", "535 5.7.8 bad credentials", "account"),
    ("mail:1", "421 4.3.2 closing", None),
    ("mail:1", "550 5.4.5 daily user sending quota exceeded", "account"),
    ("rcpt:1", "421 4.3.2 closing", None),
    ("final:1", "421 4.3.2 closing", None),
    # replies that are none, or answer another question
    ("greeting:1", "HTTP/1.1 400 Bad Request", "way"),
    ("greeting:1", "SSH-2.0-OpenSSH_9.2", "way"),
    ("mail:1", "what?", None),
    ("mail:1", "354 go on", None),
    ("rcpt:1", "25 ok", None),
    ("data:1", "250 2.0.0 taken", None),
)

# (script, fate of the recipients one, two, three): d delivered, l later (by the message's own schedule), f failed
MESSAGE_REPLIES = (
    ("mail:1=451 4.3.0 later", "lll"),
    ("mail:1=550 5.1.8 bad sender", "fff"),
    ("rcpt:2=450 4.2.1 busy", "dld"),
    ("rcpt:2=550 5.1.1 no such user", "dfd"),
    ("rcpt:3=550 no status, no reason", "ddf"),
    ("data:1=451 4.3.0 later", "lll"),
    ("data:1=554 5.6.0 not this", "fff"),
    ("final:1=451 4.3.0 later", "lll"),
    ("final:1=554 5.6.0 content refused", "fff"),
)


class Table(unittest.TestCase):
    def each(self, check, rows):
        """check(*row) for all rows, several at a time: they mostly wait."""
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            waiting = [(row, pool.submit(check, *row)) for row in rows]
            for row, result in waiting:
                with self.subTest(row=row):
                    result.result()


class Replies(Table):
    def test_before_mail_and_of_the_way(self):
        """4yz and 5yz: the way (or the account) waits; the message has had no attempt, nothing bounces. (By DATA: with BDAT
        all is sent before the first reply, and a reply that is none leaves it uncertain.)"""
        self.each(self.way_reply, WAY_REPLIES)

    def way_reply(self, step, reply, scope):
        for_ever = step == "auth" or "quota" in reply
        with Setting("--extensions", PLAIN_EXTENSIONS, "--reply", f"{step}={reply}", "--sessions", "0" if for_ever else "1", tls="starttls", login=True) as s:
            s.submit()
            trouble = s.trouble()
            self.assertIn("no AUTH" if step == "ehlo:2" and reply[0] == "5" else reply[4:], trouble["reason"])
            if scope:
                self.assertEqual((trouble["event"], trouble["scope"]), ("way_down", scope))
            listed = s.listed()
            if listed:   # it may have been quick
                self.assertEqual(listed[0]["attempts"], 0)
            if step == "auth":   # for ever: it still waits, and few logins were tried
                self.assertIn(reply[4:], s.shown()["relay_down"])
                self.assertEqual(len(s.server.events("way_down")), 1)
                self.assertLessEqual(len(s.peer.of("auth_try")), 12)
            elif "quota" in reply:
                self.assertIn("quota", s.shown()["relay_down"])
                self.assertGreater(trouble["retry_in"], 3000)
            else:
                s.arrived()
                self.assertEqual([e["status"] for e in s.ended()], ["sent"])
            self.assertEqual(s.deliveries("bounced"), [])
            self.assertEqual([m for m in s.peer.messages() if m[0] == ""], [])

    def test_of_the_message(self):
        """By DATA, and by BDAT where the step exists there."""
        self.each(self.message_reply, [(script, fates, chunking) for script, fates in MESSAGE_REPLIES for chunking in (False, True)
                                       if not (chunking and script.startswith("data"))])

    def message_reply(self, script, fates, chunking):
        extensions = PLAIN_EXTENSIONS + ",CHUNKING" * chunking
        names = ["one@test", "two@test", "three@test"]
        by = {fate: [n for n, f in zip(names, fates) if f == fate] for fate in "dlf"}
        reply = script.partition("=")[2]
        with Setting("--reply", script, "--extensions", extensions) as s:
            s.submit(names)
            mine = s.arrived(bool(by["d"]) + bool(by["l"]))
            s.ended(4 if by["f"] else 3)
            if by["f"]:   # one report for all that failed, to the original sender, by the same relay
                (report,) = s.arrived(1, sender="")
                self.assertEqual(report[1], ["s@test"])
                for name in names:
                    self.assertEqual(f"rfc822; {name}".encode() in report[2].replace(b"rfc822;" + name.encode(), b"rfc822; " + name.encode()),
                                     name in by["f"], (name, report[2]))
                self.assertIn(reply[:3].encode(), report[2])
            self.assertEqual([m[1] for m in mine], [part for part in (by["d"], by["l"]) if part])
            told = {status: sorted(e["to"] for e in s.deliveries(status) if e["from"]) for status in ("sent", "deferred", "bounced")}
            self.assertEqual(told, {"sent": sorted(by["d"] + by["l"]), "deferred": sorted(by["l"]), "bounced": sorted(by["f"])})

    def test_every_recipient_refused_and_354(self):
        """RFC 2920 section 3.1: the lone dot after a 354 that nobody deserved; a 250 to it is not believed."""
        with Setting("--reply", "rcpt=550 5.1.1 unknown", "--reply", "data:1=354 go on", "--reply", "final:1=250 2.0.0 taken",
                     "--extensions", PLAIN_EXTENSIONS) as s:
            s.submit(["one@test", "two@test"])
            wait_for(lambda: len(s.deliveries("bounced")) == 2, 20, what="two failures")
            self.assertEqual(s.deliveries("sent"), [])
            wait_for(lambda: [m for m in s.peer.messages() if m[0] == "s@test"], what="the lone dot")
            self.assertEqual([m[2] for m in s.peer.messages() if m[0] == "s@test"], [b""])

    def test_too_many_recipients(self):
        """RFC 5321 section 4.5.3.1.10: the rest follows at once, in a further transaction, and nobody waits."""
        with Setting("--reply", "rcpt:3=452 4.5.3 too many recipients", "--reply", "rcpt:4=452 4.5.3 too many recipients",
                     "--reply", "rcpt:5=452 4.5.3 too many recipients") as s:
            names = [f"r{n}@test" for n in range(5)]
            s.submit(names)
            found = s.arrived(3)
            self.assertEqual([m[1] for m in found], [names[:2], names[2:4], names[4:]])
            self.assertEqual(s.deliveries("deferred"), [])
            self.assertEqual(s.peer.of("message")[0]["session"], s.peer.of("message")[2]["session"])


class Broken(Table):
    def test_cut_at_each_step(self):
        """No attempt is counted, nothing bounces, and the next connection delivers."""
        steps = ("greeting:1", "ehlo:1", "starttls:1", "ehlo:2", "auth:1", "mail:1", "rcpt:1", "data:1")
        self.each(self.cut, [(step, reset) for step in steps for reset in ((), ("--reset",))])

    def cut(self, step, reset):
        with Setting("--cut", step, "--sessions", "1", "--extensions", PLAIN_EXTENSIONS, *reset, tls="starttls", login=True) as s:
            s.submit()
            s.trouble()
            self.assertEqual([row["attempts"] for row in s.listed() if row["attempts"]], [])
            s.arrived()
            self.assertEqual([e["status"] for e in s.ended()], ["sent"])
            self.assertEqual(len(s.peer.messages()), 1)

    def test_cut_within_the_message(self):
        """More than the sockets take at once, so that the end was never sent: nothing is uncertain."""
        for tls in ("none", "starttls"):
            with self.subTest(tls=tls), Setting("--cut", "content:1", tls=tls) as s:
                large = BODY + b"x" * 70 + b"\r\n"
                large += (b"y" * 998 + b"\r\n") * 20000
                with smtplib.SMTP("127.0.0.1", s.server.port, timeout=60) as client:
                    client.sendmail("large@test", ["b@test"], large)
                self.assertEqual(s.trouble()["phase"], "content")
                (message,) = wait_for(lambda: s.peer.messages(), 20, what="the message")
                self.assertEqual(without_trace(message[2]), large)
                self.assertEqual([e["status"] for e in s.ended()], ["sent"])

    def test_final_reply_lost(self):
        """After the dot, or the last octet of BDAT LAST: perhaps delivered. Marked so, and sent once more."""
        for extensions in (PLAIN_EXTENSIONS, PLAIN_EXTENSIONS + ",CHUNKING"):
            with self.subTest(extensions=extensions):
                with Setting("--lose", "final:1", "--extensions", extensions, queue=QUEUE.replace('"1s"', '"1h"')) as s:
                    s.submit()
                    wait_for(lambda: s.deliveries("deferred"), 20, what="the deferral")
                    self.assertTrue(s.deliveries("deferred")[0]["uncertain"])
                    shown = s.shown()
                    self.assertTrue(shown["recipients"][0]["uncertain"])
                    self.assertTrue(shown["tries"][0]["uncertain"])
                    self.assertEqual((shown["attempts"], shown["tries"][0]["meaning"]), (1, "final-reply-lost"))
                    self.assertEqual(shown["tries"][0]["phase"], "final")
                    s.server.command("queue", "retry", "--all", check=0)
                    s.arrived(2)
                    s.empty()
                    self.assertEqual(len(s.peer.messages()), 2)

    def test_final_reply_that_is_none(self):
        """The content was sent, and what came back says neither yes nor no: perhaps delivered."""
        for reply in ("what?", "25"):
            with self.subTest(reply=reply):
                with Setting("--reply", f"final:1={reply}", "--extensions", PLAIN_EXTENSIONS) as s:
                    s.submit()
                    s.arrived()
                    self.assertEqual([(e["status"], e["uncertain"]) for e in s.ended()], [("deferred", True), ("sent", False)])

    def test_octet_by_octet(self):
        with Setting("--octet-delay", "0.0005", tls="starttls", login=True) as s:
            s.submit()
            s.arrived()
            s.empty()

    def test_endless_and_huge_replies(self):
        """Bounded in lines and octets (DESIGN: 100 lines, 64 KiB): the way waits, memory stays, the next one delivers."""
        bad = [("--endless", f"{step}:1") for step in ("ehlo", "mail", "rcpt", "data", "final")]
        bad += [("--huge", f"{step}:1=20000000") for step in ("ehlo", "mail", "final")]
        self.each(self.bad_reply, bad)

    def bad_reply(self, *option):
        with Setting(*option, "--sessions", "1", "--extensions", PLAIN_EXTENSIONS) as s:
            before = memory(s.server)
            s.submit()
            s.arrived()
            s.ended()
            self.assertLess(memory(s.server) - before, (64 if SANITIZED else 16) << 10, "KiB more")
            self.assertEqual(s.deliveries("bounced"), [])
            self.assertTrue(s.troubles() + s.deliveries("deferred"))

    def test_silence(self):
        """A deadline for each phase; the way's trouble, but after the dot uncertain."""
        for step, setting, uncertain in (("greeting:1", "greeting_timeout", False), ("mail:1", "mail_timeout", False),
                                         ("final:1", "data_done_timeout", True)):
            with self.subTest(step=step):
                with Setting("--stall", f"{step}=30", "--extensions", PLAIN_EXTENSIONS, relay=f'{setting} = "500ms"\n') as s:
                    s.submit()
                    s.arrived()
                    self.assertEqual(bool(s.deliveries("deferred")), uncertain)


def memory(server):
    with open(f"/proc/{server.serving_pid()}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


class Trust(unittest.TestCase):
    """Where something is wrong with TLS or AUTH nothing of the message and nothing of the password is sent."""

    def holds(self, s, *words, tried_auth=0):
        s.submit()
        s.trouble()
        reason = wait_for(lambda: s.shown().get("relay_down"), 10, what="the reason")
        for word in words:
            self.assertIn(word, reason)
        self.assertEqual((s.peer.of("mail"), s.peer.messages()), ([], []))
        self.assertEqual(len(s.peer.of("auth_try")), tried_auth)
        self.assertEqual(s.deliveries(), [])
        (status,) = json.loads(s.server.command("status", "--json", check=0).stdout)["relays"]
        self.assertFalse(status["up"])
        self.assertIn(words[0], status["reason"])

    def test_injected_plaintext(self):
        with Setting("--inject", r"250 ok\r\n", tls="starttls", login=True) as s:
            self.holds(s, "injected")

    def test_certificates(self):
        for certificate, word in (("expired", "expired"), ("wrong name", "name")):
            for tls in ("starttls", "implicit"):
                with self.subTest(certificate=certificate, tls=tls):
                    with Setting(tls=tls, login=True, certificate=certificate) as s:
                        self.holds(s, "certificate", word)

    def test_starttls_not_offered(self):
        with Setting("--no-starttls", tls="starttls", login=True) as s:
            self.holds(s, "STARTTLS", "465")

    def test_auth_only_before_tls(self):
        with Setting("--auth", "clear", "--user", f"me:{SECRET}", tls="starttls", relay=f'user = "me"\npassword = "{SECRET}"\n') as s:
            self.holds(s, "offers no AUTH after TLS")

    def test_no_tls_no_password(self):
        with Setting("--auth", "always", "--user", f"me:{SECRET}", relay=f'user = "me"\npassword = "{SECRET}"\n') as s:
            self.holds(s, "insecure_auth")

    def test_auth_no_longer_offered(self):
        with Setting(tls="starttls", login=True, relay='idle_timeout = "100ms"\n') as s:
            s.submit()
            s.arrived()
            s.empty()
            s.peer.stop()
            s.peer = Peer("--cert", certificates["good"][0], "--key", certificates["good"][1], port=s.peer.port).start()
            s.submit()
            wait_for(lambda: "offers no AUTH" in s.trouble()["reason"] or "offers no AUTH" in s.server.log_text(), 20, what="the reason")
            self.assertEqual(s.peer.of("mail"), [])
            self.assertEqual(len(s.listed()), 1)
            self.assertEqual(s.deliveries("bounced"), [])


class Failover(unittest.TestCase):
    def test_second_way(self):
        """The first is closed, refuses the login, or has a bad certificate: the second takes the mail at once."""
        for first in ("closed", "login", "certificate"):
            with self.subTest(first=first):
                bad = Peer("--cert", certificates["expired" if first == "certificate" else "good"][0], "--key",
                           certificates["expired" if first == "certificate" else "good"][1], "--reply", "auth=535 5.7.8 no", *LOGIN)
                bad.port = free_port()
                if first != "closed":
                    bad.start()
                with Setting() as s:
                    block = (f'[[relay]]\nname = "first"\nhost = "127.0.0.1"\nport = {bad.port}\ntls_name = "localhost"\n'
                             f'tls_ca_file = "{authority.ca}"\nuser = "me"\npassword = "{SECRET}"\n')
                    s.server.stop()
                    s.server.relay = block + s.server.relay
                    s.server.write_config()
                    s.server.start()
                    s.submit()
                    s.arrived(seconds=10)
                    s.empty()
                    self.assertEqual([(e["way"], e["status"]) for e in s.ended()], [("isp", "sent")])
                bad.discard()


if __name__ == "__main__":
    unittest.main()
