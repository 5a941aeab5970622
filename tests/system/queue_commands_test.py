"""sidegate queue and status, against the running server and against the queue on disk: what they say, change and end with."""
import json
import os
import smtplib
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.server import Server, free_port, wait_for  # noqa: E402
from support.sink import Sink                           # noqa: E402

OK, USAGE, DATA, NO_INPUT, UNAVAILABLE, CONFIG = 0, 64, 65, 66, 69, 78
NOBODY = "6H015S5FC0000"   # a well formed queue id
QUEUE = '[queue]\nretry_first = "1h"\nretry_max = "1h"\n'


def relay(port, name="isp", retry_after="10min"):
    return f'[[relay]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\nretry_after = "{retry_after}"\n'


class Commands(unittest.TestCase):
    """The relay answers 451 to `busy`, so that mail stays; messages: (sender, recipient)."""
    MAIL = (("root@one.test", "busy1@a.test"), ("root@one.test", "busy2@b.test"), ("www@two.test", "busy3@a.test"))

    def setUp(self):
        self.busy = True
        self.sink = Sink(reply=lambda stage, text: "451 4.2.1 mailbox\tbusy" if self.busy and stage == "rcpt" and "busy" in text else None).start()
        self.server = Server(relay=relay(self.sink.port), extra=QUEUE).start()
        with smtplib.SMTP("127.0.0.1", self.server.port, timeout=60) as client:
            for sender, recipient in self.MAIL:
                client.sendmail(sender, [recipient], "Subject: x\r\n\r\nbody\r\n")
        wait_for(lambda: len(self.server.events("delivery")) == len(self.MAIL), 20, what="the first tries")
        wait_for(lambda: [r["state"] for r in self.rows("list")] == ["deferred"] * 3, 20, 0.1, "three deferred messages")

    def tearDown(self):
        self.server.stop()
        self.server.discard()
        self.sink.stop()

    def queue(self, *arguments):
        return self.server.command("queue", *arguments)

    def rows(self, *arguments, code=OK):
        result = self.queue(*arguments, "--json")
        self.assertEqual(result.returncode, code, (arguments, result.stdout, result.stderr))
        return [json.loads(line) for line in result.stdout.splitlines()]

    def ids(self, *arguments):
        return [row["id"] for row in self.rows("list", *arguments)]

    def test_list_and_show(self):
        rows = self.rows("list")
        self.assertEqual([(r["from"], r["to"]) for r in rows], [(s, [r]) for s, r in self.MAIL])
        for row in rows:
            self.assertEqual((row["attempts"], row["relay"], row["recipients"], row["state"]), (1, "isp", 1, "deferred"))
            self.assertRegex(row["next"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
            self.assertIn("451 4.2.1 mailbox", row["reason"])
            self.assertNotIn("\t", row["reason"])
            self.assertGreater(row["size"], 10)
        for arguments, count in ((("--from", "root"), 2), (("--from", "@two.test"), 1), (("--to", "@A.test"), 2), (("--relay", "isp"), 3),
                                 (("--from", "root", "--to", "@a.test"), 1), (("--to", "nobody"), 0)):
            self.assertEqual(len(self.ids(*arguments)), count, arguments)
        text = self.queue("list").stdout
        for row in rows:
            self.assertIn(row["id"], text)
        (shown,) = self.rows("show", rows[0]["id"])
        self.assertEqual(shown["recipients"][0]["address"], "busy1@a.test")
        self.assertEqual((shown["client"], shown["listener"], shown["protocol"]), ("127.0.0.1", "in", "ESMTP"))
        (attempt,) = shown["tries"]
        self.assertEqual((attempt["relay"], attempt["address"], attempt["phase"]), ("isp", f"127.0.0.1:{self.sink.port}", "rcpt"))
        self.assertIn("451 4.2.1", attempt["reply"])
        self.assertTrue(attempt["meaning"] and attempt["at"] and attempt["next"])
        text = self.queue("show", rows[0]["id"]).stdout
        for part in ("busy1@a.test", "451 4.2.1", "isp", f"127.0.0.1:{self.sink.port}", "rcpt"):
            self.assertIn(part, text)

    def test_dry_run_changes_nothing(self):
        before = self.rows("list")
        for verb in ("retry", "hold", "release", "delete"):
            rows = self.rows(verb, "--all", "--dry-run")
            self.assertEqual([r["result"] for r in rows], [{"release": "not_held"}.get(verb, "would")] * 3, verb)
            self.assertEqual([r["to"] for r in rows], [[r] for _, r in self.MAIL])
        self.assertEqual(self.rows("list"), before)

    def test_hold_release_retry_delete(self):
        one, two, three = self.ids()
        self.assertEqual([r["result"] for r in self.rows("hold", one, two)], ["done", "done"])
        self.assertEqual([r["state"] for r in self.rows("list")], ["held", "held", "deferred"])
        self.assertEqual([r["result"] for r in self.rows("release", three)], ["not_held"])
        self.server.stop()   # what is held stays so
        self.server.start()
        wait_for(lambda: [r["state"] for r in self.rows("list")] == ["held", "held", "deferred"], 10, 0.1, "the same states")
        self.busy = False
        self.assertEqual([r["result"] for r in self.rows("retry", "--all")], ["held", "held", "done"])
        wait_for(lambda: self.ids() == [one, two], 20, 0.1, "the delivery of what is not held")
        self.assertEqual([r["result"] for r in self.rows("release", one)], ["done"])
        wait_for(lambda: self.ids() == [two], 20, 0.1, "the delivery of what was released")
        self.assertEqual([r["result"] for r in self.rows("delete", two)], ["done"])
        self.assertEqual(self.ids(), [])
        self.assertEqual(sorted(m[2][0] for m in self.sink.messages), ["<busy1@a.test>", "<busy3@a.test>"])
        def deletions():   # the log is written behind
            return [event for event in self.server.events("control") if event["command"] == "queue.delete"]
        (deletion,) = wait_for(deletions, 10, what="the line that says who deleted")
        self.assertEqual(deletion["uid"], os.getuid())

    def test_exit_codes(self):
        one = self.ids()[0]
        for arguments, code in ((("list",), OK), (("show", one), OK), (("show", "nonsense"), DATA), (("show", NOBODY), NO_INPUT),
                                (("delete",), USAGE), (("delete", NOBODY), NO_INPUT), (("retry", "--relay", "other"), NO_INPUT),
                                (("dance",), USAGE), (("list", "--nonsense"), USAGE), (("delete", one, "--dry-run"), OK),
                                (("list", NOBODY), NO_INPUT), (("list", one, NOBODY), NO_INPUT), (("hold", NOBODY), NO_INPUT),
                                (("list", "--limit", "-1"), USAGE)):
            result = self.queue(*arguments)
            self.assertEqual(result.returncode, code, (arguments, result.stdout, result.stderr))
            self.assertEqual(self.queue(*arguments, "--json").returncode, code, arguments)
            self.assertEqual(bool(result.stdout + result.stderr), True)

    def test_status(self):
        status = json.loads(self.server.command("status", "--json", check=OK).stdout)
        self.assertEqual((status["store"], status["queue"]["messages"], status["queue"]["waiting"]), ("open", 3, 3))
        self.assertEqual([(r["name"], r["up"]) for r in status["relays"]], [("isp", True)])
        self.assertIn(status["pid"], self.server.pids()[1:])
        self.assertTrue(any("tls" in w for w in status["warnings"]), status)   # tls = "none" warns for ever
        text = self.server.command("status", check=OK).stdout
        self.assertIn("isp", text)
        self.assertIn("3 messages", text)

    def test_down(self):
        """Reading goes on from the disk; changes and status say that the server is down."""
        ids = self.ids()
        shown = self.rows("show", ids[0])[0]
        self.server.stop()
        rows = self.rows("list")
        self.assertEqual([r["id"] for r in rows], ids)
        self.assertEqual(self.rows("list", "--to", "@b.test")[0]["id"], ids[1])
        offline = self.rows("show", ids[0])[0]
        self.assertEqual((offline["tries"], offline["recipients"]), (shown["tries"], shown["recipients"]))
        self.assertIn("down", self.queue("list").stderr)
        self.assertEqual(self.queue("show", NOBODY).returncode, NO_INPUT)
        for verb in ("retry", "hold", "release", "delete"):
            self.assertEqual(self.queue(verb, "--all").returncode, UNAVAILABLE, verb)
        self.assertEqual([(r["id"], r["result"]) for r in self.rows("delete", "--to", "@b.test", "--dry-run")], [(ids[1], "would")])
        self.assertEqual(self.server.command("status").returncode, UNAVAILABLE)
        self.server.start()
        self.assertEqual(self.ids(), ids)

    def test_killed(self):
        """After a kill the disk is read as it is, and the server still starts."""
        ids = self.ids()
        self.server.kill()
        self.assertEqual(self.ids(), ids)
        self.server.start()
        self.assertEqual(self.ids(), ids)


class Down(unittest.TestCase):
    def test_retry_of_a_way_that_is_down(self):
        """Who says retry wants it now, not when the relay's pause is over."""
        port = free_port()
        server = Server(relay=relay(port), extra=QUEUE).start()
        sink = None
        try:
            with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
                client.sendmail("a@test", ["b@test"], "Subject: x\r\n\r\nbody\r\n")
            wait_for(lambda: server.events("way_down"), 20, what="the way's trouble")
            row = json.loads(server.command("queue", "list", "--json", check=OK).stdout)
            self.assertEqual(row["state"], "waiting")
            self.assertIn("connect", row["reason"])
            sink = Sink(port=port).start()
            server.command("queue", "retry", "--all", check=OK)
            wait_for(lambda: sink.messages, 10, what="the message")
        finally:
            server.stop()
            server.discard()
            if sink:
                sink.stop()


if __name__ == "__main__":
    unittest.main()
