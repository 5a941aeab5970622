"""`sidegate status`: what is wrong, a line each with the next command; for people and as JSON."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient                      # noqa: E402
from support.server import Server, free_port, wait_for   # noqa: E402
from support.sink import Sink                             # noqa: E402


class Status(unittest.TestCase):
    def serve(self, port):
        server = Server(relay=f'[[relay]]\nname = "isp"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n').start()
        self.addCleanup(server.discard)
        self.addCleanup(server.stop)
        return server

    def send(self, server):
        client = RawClient(server.port)
        client.open_transaction(sender="me@gate.test")
        self.assertEqual(client.data(b"Subject: x\r\n\r\nx\r\n")[0], 250)
        client.close()

    def checks(self, server):
        status = json.loads(server.command("status", "--json", check=0).stdout)
        self.assertIn(status["worst"], ("ok", "warning", "wrong"))
        return {check["check"]: check for check in status["checks"]}

    def test_a_relay_that_is_down(self):
        server = self.serve(free_port())
        self.send(server)
        down = wait_for(lambda: self.checks(server).get("way"), 60, what="the relay to be known for down")
        self.assertEqual((down["mark"], down["way"], down["next"]), ("warning", "isp", "sidegate relay test isp"), down)
        text = server.command("status", check=0).stdout
        (line,) = [line for line in text.splitlines() if "way out isp: down" in line]
        self.assertTrue(line.startswith("WARN") and line.endswith("-> sidegate relay test isp"), line)
        for mark in ("\nok ", "\nnote "):
            self.assertNotIn(mark, text)

    def test_no_way_out(self):
        """Direct delivery is switched off and there is no relay: said at the message and at the whole, with what to write."""
        server = Server(extra="[direct]\nenabled = false\n").start()
        self.addCleanup(server.discard)
        self.addCleanup(server.stop)
        self.send(server)
        (row,) = wait_for(lambda: json.loads("[" + ",".join(server.command("queue", "list", "--json", check=0).stdout.splitlines()) + "]"), 60, what="the message")
        for command in (("status",), ("queue", "show", row["id"])):
            text = server.command(*command, check=0).stdout
            for part in ("direct delivery is switched off", "    [[relay]]\n"):
                self.assertIn(part, text, command)
        self.assertEqual(self.checks(server)["way_out"]["mark"], "wrong")

    def test_nothing_that_is_well_is_told(self):
        sink = Sink().start()
        self.addCleanup(sink.stop)
        server = self.serve(sink.port)
        self.send(server)
        wait_for(lambda: sink.messages, 60, what="the message")
        found = self.checks(server)
        self.assertFalse(set(found) & {"way", "way_out", "store", "limit", "milter", "suspended", "queue"}, found)


if __name__ == "__main__":
    unittest.main()
