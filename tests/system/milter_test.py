"""Milters: real ones (opendkim signs and verifies, rspamd and clamav-milter refuse), and one of the test's own that fails in every way."""
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient                                                     # noqa: E402
from support.filters import GTUBE, SIGNATURE, Clamav, OpenDkim, Rspamd, installed        # noqa: E402
from support.milter import Milter, packet, strings                                       # noqa: E402
from support.process import peak_rss, reset_peak                                         # noqa: E402
from support.programs import SENDMAIL, environment_for                                   # noqa: E402
from support.server import Server, free_port, wait_for                                   # noqa: E402
from support.sink import Sink                                                            # noqa: E402

MESSAGE = (b"From: Eve <eve@example.org>\r\nTo: you@x.example\r\nSubject: words\r\nDate: Sat, 21 Nov 2026 22:25:12 +0000\r\n"
           b"Message-ID: <1@example.org>\r\n\r\nSome  words \r\n.\r\nmore\r\n")
TO = "you@x.example"


def listener(name, port):
    return f'[[listener]]\nname = "{name}"\naddress = "127.0.0.1"\nport = {port}\n'


def block(name, address, listeners=(), more=""):
    where = f"listeners = {json.dumps(list(listeners))}\n" if listeners else ""
    return f'[[milter]]\nname = "{name}"\naddress = "{address}"\n{where}{more}'


class WithServer(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sidegate-milters-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.sink = Sink().start()
        self.addCleanup(self.sink.stop)

    def serve(self, milters, listeners=("in",), top=""):
        self.ports = {name: free_port() for name in listeners}
        self.server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {self.sink.port}\ntls = "none"\n',
                             extra=top + "".join(listener(name, port) for name, port in self.ports.items()) + milters)
        self.server.port = self.ports[listeners[0]]
        self.addCleanup(self.server.discard)
        self.server.start()
        return self.server

    def send(self, message=MESSAGE, port=None, sender="eve@example.org", recipients=(TO,)):
        """The first reply that is not positive, else the last one: (code, text)."""
        client = RawClient(port or self.server.port)
        try:
            if client.greeting[0] != 220:
                return client.greeting[0], client.greeting[1][0]
            for line in ("EHLO client.test", f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{to}>" for to in recipients)):
                code, lines = client.command(line)
                if code != 250:
                    return code, lines[-1]
            code, lines = client.data(message)
            return code, lines[-1]
        finally:
            client.close()

    def arrived(self, count):
        return wait_for(lambda: list(self.sink.messages) if len(self.sink.messages) >= count else None, 30, what=f"{count} messages")[-1][3]

    def status(self):
        return {row["name"]: row for row in json.loads(self.server.command("status", "--json", check=0).stdout)["milters"]}

    def events(self, **fields):
        return [event for event in self.server.events("milter") if all(event.get(key) == value for key, value in fields.items())]

    def event(self, **fields):
        """The one that is there, once it is: the log is written a moment later."""
        (found,) = wait_for(lambda: self.events(**fields), what=f"a line with {fields}")
        return found

    def queued_id(self, answer):
        self.assertEqual(answer[0], 250, answer)
        return answer[1].rsplit(" ", 1)[1]


class Real(WithServer):
    @unittest.skipUnless(installed("opendkim"), "skipped: opendkim is not installed")
    def test_opendkim_signs_what_we_send_and_verifies_what_comes(self):
        signer = OpenDkim(self.folder, "sign").start()
        self.addCleanup(signer.end)
        verifier = OpenDkim(self.folder, "verify", signer).start()
        self.addCleanup(verifier.end)
        self.serve(block("sign", signer.address, ("out", "submit")) + block("verify", verifier.address, ("in",)), ("out", "in"))
        self.assertEqual(self.send()[0], 250)
        signed = self.arrived(1)
        self.assertTrue(signed.startswith(b"DKIM-Signature: "), signed[:100])
        # What left us comes to another server of ours: every octet is as it was signed.
        for change, result in (((b"more", b"more"), b"dkim=pass"), ((b"more", b"less"), b"dkim=fail")):
            count = len(self.sink.messages)
            self.assertEqual(self.send(signed.replace(*change), self.ports["in"])[0], 250)
            self.assertIn(result, self.arrived(count + 1).split(b"DKIM-Signature:")[0])
        count = len(self.sink.messages)
        subprocess.run([SENDMAIL, "-f", "eve@example.org", TO], input=MESSAGE, env=environment_for(self.server), check=True, timeout=60)
        self.assertIn(b"DKIM-Signature: ", self.arrived(count + 1))
        self.assertEqual(self.events(verdict="failed"), [])

    @unittest.skipUnless(installed("rspamd"), "skipped: rspamd is not installed")
    def test_rspamd(self):
        rspamd = Rspamd(self.folder).start()
        self.addCleanup(rspamd.end)
        self.serve(block("rspamd", rspamd.address))
        self.assertEqual(self.send()[0], 250, rspamd.output())
        self.assertIn(b"X-Spamd-Result: ", self.arrived(1))
        code, text = self.send(MESSAGE + GTUBE.encode() + b"\r\n")
        self.assertEqual(code, 554, text)
        self.assertIn("Gtube pattern", text)
        self.assertEqual(self.send()[0], 250)   # and the next one passes
        self.arrived(2)
        self.assertEqual(self.event(verdict="reject")["stage"], "END-OF-MESSAGE")
        self.assertEqual(wait_for(lambda: self.server.events("refused"), what="the refusal")[0]["milter"], "rspamd")

    @unittest.skipUnless(installed("clamd", "clamav-milter"), "skipped: clamav-milter is not installed")
    def test_clamav(self):
        clamav = Clamav(self.folder).start()
        self.addCleanup(clamav.end)
        self.serve(block("clamav", clamav.address))
        self.assertEqual(self.send()[0], 250, clamav.output())
        self.assertIn(b"X-Virus-Status: Clean", self.arrived(1))
        code, text = self.send(MESSAGE + SIGNATURE.encode() + b"\r\n")
        self.assertEqual((code // 100, "Sidegate.Test" in text), (5, True), text)
        self.assertEqual(len(self.sink.messages), 1)


class Scripted(WithServer):
    def milter(self, **how):
        milter = Milter(path=f"{self.folder}/milter.sock", **how).start()
        self.addCleanup(milter.stop)
        return milter

    FAILURES = ("down", *(f"{how}_at {at}" for how in ("hangs", "closes", "garbage") for at in ("O", "C", "M", "R", "T", "L", "B", "E")))

    def test_failures(self):
        """Each way to fail, each policy; nothing is lost, no session hangs, and the filter serves again afterwards."""
        milter = self.milter()
        fast = 'connect_timeout = "500ms"\ncommand_timeout = "500ms"\ncontent_timeout = "500ms"\n'
        policies = ("tempfail", "accept", "quarantine")
        self.serve("".join(block(policy, milter.address, (policy,), f'failure = "{policy}"\n{fast}') for policy in policies), policies)
        for failure in self.FAILURES:
            milter.usual()
            if failure == "down":
                milter.stop()
            else:
                how, at = failure.split()
                milter.set(**{how: at})
            answers = {}

            def ask(policy):
                answers[policy] = self.send(port=self.ports[policy])
            threads = [threading.Thread(target=ask, args=(policy,)) for policy in policies]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            with self.subTest(failure):
                self.assertEqual(answers["tempfail"][1][:9], "451 4.7.1", answers)
                self.assertEqual(answers["accept"][0], 250, answers)
                held = self.queued_id(answers["quarantine"])
                shown = self.server.command("queue", "show", held, check=0).stdout
                self.assertIn("milter quarantine is not available", shown)
                self.assertEqual({name: row["up"] for name, row in self.status().items()}, dict.fromkeys(policies, False))
            if failure == "down":
                text = self.server.command("status", check=0).stdout
                self.assertRegex(text, r"tempfail +down .*clients are told to come again")
                milter.start()
        milter.usual()
        for policy in policies:
            self.assertEqual(self.send(port=self.ports[policy])[0], 250)
        self.assertEqual({row["up"] for row in self.status().values()}, {True})
        passed = len(self.FAILURES) + 3
        self.arrived(passed)
        self.server.command("queue", "release", "--all", check=0)
        self.arrived(passed + len(self.FAILURES))
        wait_for(lambda: milter.open == 0, what="closed links")

    def test_dialogue_and_edits(self):
        milter = self.milter()
        self.serve(block("f", milter.address, ("in", "submit"), 'macros = ["{site}=home"]\n'))
        edits = (packet("i", struct.pack(">I", 1) + strings("X-Spam", "maybe\n\tnot")) + packet("m", struct.pack(">I", 1) + strings("Subject", "[x] words")) +
                 packet("m", struct.pack(">I", 1) + strings("Date", "")) + packet("+", strings("<other@x.example>")) +
                 packet("-", strings("<gone@x.example>")) + packet("e", strings("<new@example.org>")) + packet("b", b"quite\nother\n") +
                 packet("p") + packet("c"))
        milter.answers = {"E": edits}
        answer = self.send(recipients=(TO, "gone@x.example"))
        queue_id = self.queued_id(answer)
        content = self.arrived(1)
        _, sender, recipients, _ = self.sink.messages[0]
        self.assertTrue(sender.startswith("<new@example.org>"), sender)
        self.assertEqual(sorted(to.split(">")[0] for to in recipients), ["<other@x.example", "<" + TO])
        self.assertIn(b"\r\nX-Spam: maybe\r\n\tnot\r\n", content)
        self.assertIn(b"\r\nSubject: [x] words\r\n", content)
        self.assertNotIn(b"\r\nDate:", content)
        self.assertTrue(content.endswith(b"\r\n\r\nquite\r\nother\r\n"), content)
        macros = milter.macros()
        self.assertEqual({name: macros.get(name) for name in ("i", "j", "daemon_name", "client_addr", "site", "nrcpts", "msg_id")},
                         {"i": queue_id, "j": "gate.test", "daemon_name": "in", "client_addr": "127.0.0.1", "site": "home", "nrcpts": "2",
                          "msg_id": "<1@example.org>"})
        self.assertEqual(milter.body(), b"Some  words \r\n.\r\nmore\r\n")
        event = self.event(verdict="change", id=queue_id)
        self.assertEqual((event["milter"], event["stage"], event["reason"]), ("f", "END-OF-MESSAGE", "header, sender, recipients, body"))
        # a program's mail
        milter.usual()
        subprocess.run([SENDMAIL, TO], input=MESSAGE, env=environment_for(self.server), check=True, timeout=60)
        self.arrived(2)
        self.assertEqual({name: milter.macros().get(name) for name in ("daemon_name", "client_addr", "site")},
                         {"daemon_name": "submit", "client_addr": "127.0.0.1", "site": "home"})
        # thrown away: the client is not to know
        milter.answers = {"E": packet("d")}
        discarded = self.queued_id(self.send())
        self.assertEqual(self.event(verdict="discard")["id"], discarded)
        # held
        milter.answers = {"E": packet("q", strings("looks odd")) + packet("c")}
        held = self.queued_id(self.send())
        self.assertIn("looks odd", self.server.command("queue", "show", held, check=0).stdout)
        self.assertEqual(json.loads(self.server.command("queue", "list", "--json", check=0).stdout)["state"], "held")
        self.server.command("queue", "release", held, check=0)
        self.arrived(3)

    def test_the_client_goes_away(self):
        """In the middle of a message, and while a filter thinks: the filter is told, and no connection is left behind."""
        milter = self.milter()
        self.serve(block("f", milter.address, more='content_timeout = "2s"\n'))
        wait_for(lambda: milter.links > 0 and milter.open == 0, what="the end of the first look")
        milter.usual()
        client = RawClient(self.server.port)
        client.open_transaction("eve@example.org", (TO,))
        client.command("DATA")
        client.send(b"Subject: x\r\n\r\nhalf")
        client.close()
        wait_for(lambda: milter.commands() == "CHMRTAQ", what="the filter to be told")
        milter.usual().set(hangs_at="E")
        client = RawClient(self.server.port)
        client.open_transaction("eve@example.org", (TO,))
        client.command("DATA")
        client.send(MESSAGE.replace(b"\r\n.\r\n", b"\r\n..\r\n") + b".\r\n")
        wait_for(lambda: milter.commands().endswith("E"), what="the end of the message")
        client.close()
        # meanwhile others are served
        milter.hangs_at = ""
        self.assertEqual(self.send()[0], 250)
        wait_for(lambda: milter.open == 0, what="closed links")

    def test_reload_and_shutdown(self):
        first = self.milter()
        second = Milter(port=free_port()).start()
        self.addCleanup(second.stop)
        self.serve(block("one", first.address))
        kept = RawClient(self.server.port)
        self.addCleanup(kept.close)
        kept.open_transaction("eve@example.org", (TO,))
        self.server.extra = self.server.extra.replace(block("one", first.address), block("two", second.address.replace("127.0.0.1", "localhost")))
        self.server.write_config()
        self.server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.server.events("reloaded"), what="the reload")
        self.assertEqual(list(self.status()), ["two"])
        self.assertEqual(self.send()[0], 250)
        self.assertEqual(second.links, 1)
        self.assertEqual(kept.data(MESSAGE)[0], 250)   # with the filters it began with
        self.assertIn("E", first.commands())
        # A filter that hangs keeps the server from nothing.
        second.set(hangs_at="M")
        waiting = RawClient(self.server.port)
        self.addCleanup(waiting.close)
        waiting.command("EHLO client.test")
        waiting.send("MAIL FROM:<eve@example.org>\r\n")
        wait_for(lambda: second.commands().endswith("M"), what="the question")
        self.server.process.send_signal(signal.SIGTERM)
        self.assertEqual(waiting.reply()[0], 451)
        self.assertEqual(self.server.stop(), 0)

    def test_a_large_body_is_not_held_in_memory(self):
        milter = self.milter()
        self.serve(block("f", milter.address), top='[queue]\nmemory = "8MiB"\ncontent_cache = "1MiB"\n')
        size = 48 << 20
        body = (b"x" * 70 + b"\r\n") * (size // 72)
        pieces = b"".join(packet("b", body[at:at + 65535]) for at in range(0, len(body), 65535)).replace(b"x", b"y")
        self.assertEqual(self.send()[0], 250)   # everything that is made once is made
        pid = self.server.serving_pid()
        milter.usual().answers = {"E": pieces + packet("c")}
        reset_peak(pid)
        before = peak_rss(pid)
        self.assertEqual(self.send(b"Subject: large\r\n\r\n" + body)[0], 250)
        self.assertEqual(milter.body(), body)
        content = self.arrived(2)
        self.assertEqual(content.split(b"\r\n\r\n", 1)[1], body.replace(b"x", b"y"))
        # The store's buffers are in it, more of them where the disk is slow, and what the allocator keeps (30 to 40 MiB);
        # not the message, nor what took its place.
        grown = peak_rss(pid) - before
        self.assertLess(grown, size)
        print(f"a body of {size >> 20} MiB, replaced by a filter: {grown >> 20} MiB more at most")

    def test_mistakes_in_the_configuration(self):
        server = Server()
        self.addCleanup(server.discard)
        rows = (
            ('address = "127.0.0.1:8891"', "is no address of a milter: write inet:HOST:PORT or unix:/PATH"),
            ('address = "unix:opendkim/opendkim.sock"', "is no address of a milter"),
            ('address = "inet:1@x"\nlisteners = ["imn"]', 'did you mean "in"?'),
            ('address = "inet:1@x"\nlisteners = ["submission"]', "none has that profile"),
            ('address = "inet:1@x"\nfailure = "reject"', "tempfail"),
            ('address = "inet:1@x"\nprotocol = 7', "protocol"),
            ('address = "inet:1@x"\nmacros = ["x"]', "name=value"),
            ('name = "x"', "has no address"),
            ('name = "x"\naddress = "inet:1@x"\n[[milter]]\nname = "x"\naddress = "inet:2@x"', "is there twice"),
        )
        for text, words in rows:
            server.relay = f"[[milter]]\n{text}\n"
            server.write_config()
            checked = server.command("config", "check", check=78)
            self.assertIn(words, checked.stdout + checked.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
