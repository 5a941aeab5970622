"""Limits of the accounts mail leaves by: never more than they allow, over kills and restarts too; what finds no room waits or
goes by the next way; what a provider says about its own limits holds the account; a relay's SIZE is remembered."""
import json
import os
import re
import smtplib
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.peer import Peer                           # noqa: E402
from support.server import BINARY, Server, free_port, wait_for  # noqa: E402

BODY = b"Subject: x\r\nDate: Sat, 21 Nov 2026 00:00:00 +0000\r\nMessage-ID: <1@test>\r\n\r\nbody\r\n"
PLAIN = ("--extensions", "PIPELINING,SIZE 134217728,8BITMIME,ENHANCEDSTATUSCODES")


def relay(name, peer, more=""):
    return f'[[relay]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {peer.port}\ntls = "none"\nretry_after = "1s"\n{more}'


class Case(unittest.TestCase):
    def peer(self, *arguments):
        peer = Peer(*PLAIN, *arguments).start()
        self.addCleanup(peer.discard)
        return peer

    def server(self, blocks, extra='[queue]\nretry_first = "1s"\nretry_max = "1s"\n'):
        server = Server(relay=blocks, extra=extra)
        self.addCleanup(server.discard)
        self.addCleanup(server.end)
        server.start()
        return server

    def send(self, server, count=1, recipients=("b@test",), sender="s@test", header=b""):
        with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
            for _ in range(count):
                client.sendmail(sender, list(recipients), header + BODY)

    def relay_status(self, server, name):
        status = json.loads(server.command("status", "--json", check=0).stdout)
        return next(one for one in status["relays"] if one["name"] == name)

    def queued(self, server):
        return [json.loads(line) for line in server.command("queue", "list", "--json", check=0).stdout.splitlines()]

    def arrives(self, peer, count):
        wait_for(lambda: len(peer.messages()) >= count, 30, what=f"{count} messages at the relay")

    def full(self, server, name, used):
        """The account has no room, and nothing of it is under way any more."""
        def settled():
            row = self.relay_status(server, name)
            return row.get("full") and all(limit["used"] == used for limit in row["limits"].values()) and row
        return wait_for(settled, 30, 0.1, f"{name} to be full")


class Limits(Case):
    def test_kept_over_a_kill(self):
        """Five of twelve leave; a server that was killed knows it still; `status` and `queue show` say what they wait for."""
        peer = self.peer()
        server = self.server(relay("isp", peer, "messages_per_day = 5\n"))
        self.send(server, 12)
        self.arrives(peer, 5)
        row = self.full(server, "isp", 5)
        self.assertIn("room_at", row)
        waiting = self.queued(server)
        self.assertEqual(len(waiting), 7)
        shown = json.loads(server.command("queue", "show", waiting[0]["id"], "--json", check=0).stdout)
        self.assertEqual(shown["relay_full"], "5 of 5 messages_per_day")
        self.assertIn("relay_room_at", shown)
        self.assertEqual(waiting[0]["attempts"], 0)
        self.assertEqual({row["state"] for row in waiting}, {"limited"})
        self.assertIn("messages_per_day", server.command("status", check=0).stdout)
        server.kill()
        server.start()
        self.full(server, "isp", 5)
        self.send(server)
        wait_for(lambda: len(self.queued(server)) == 8, what="the queue to be read")
        self.assertEqual(len(peer.messages()), 5)
        server.stop()

    def test_two_blocks_one_account(self):
        """The same host and user: what one block has used, the other has used."""
        peer = self.peer("--user", "me:s3cret", "--auth", "clear", "--auth-required")
        login = 'user = "me"\npassword = "s3cret"\ninsecure_auth = true\nmessages_per_day = 4\n'
        server = self.server(relay("one", peer, login) + relay("two", peer, login))
        self.send(server, 9)
        self.arrives(peer, 4)
        self.full(server, "one", 4)
        self.full(server, "two", 4)
        self.assertEqual(len(peer.messages()), 4)
        server.stop()

    def test_recipients(self):
        """A message to seven where five have room: five now, two later, and nobody is told that it failed."""
        peer = self.peer()
        server = self.server(relay("isp", peer, "recipients_per_day = 5\n"))
        self.send(server, recipients=[f"r{n}@test" for n in range(7)])
        self.arrives(peer, 1)
        wait_for(lambda: sum(len(m[1]) for m in peer.messages()) == 5, what="five recipients")
        (row,) = wait_for(lambda: self.queued(server), what="the rest")
        wait_for(lambda: len([e for e in server.events("delivery") if e["status"] == "sent"]) == 5, what="the log")
        self.assertEqual([e for e in server.events("delivery") if e["status"] == "bounced"], [])
        self.assertEqual(len(json.loads(server.command("queue", "show", row["id"], "--json", check=0).stdout)["to"]), 2)
        server.stop()

    def test_refused_mail_leaves_room(self):
        """What the relay did not take is not counted for the day."""
        peer = self.peer("--reply", "mail:1=451 4.3.0 later", "--reply", "mail:2=451 4.3.0 later")
        server = self.server(relay("isp", peer, "messages_per_day = 2\nmessages_per_connection = 1\n"))
        self.send(server, 2)
        self.arrives(peer, 2)
        self.full(server, "isp", 2)
        server.stop()


class Priorities(Case):
    def test_an_alarm_goes_before_bulk(self):
        """Root's mail came last, while the relay was away; of the three that the day has room for it is the first."""
        peer = Peer(*PLAIN, port=free_port())
        self.addCleanup(peer.discard)
        server = self.server(relay("isp", peer, "messages_per_day = 3\n"))
        self.send(server, 10, header=b"Precedence: bulk\r\n", sender="news@test")
        sent = subprocess.run([BINARY, "--config", server.config_path, "sendmail", "-f", "root@test", "you@test"], input=b"Subject: disk\n\nx\n",
                              env=server.child_environment(), capture_output=True, timeout=60)
        self.assertEqual(sent.returncode, 0, sent.stderr)
        wait_for(lambda: len(self.queued(server)) == 11, what="all to be queued")
        peer.start()
        self.arrives(peer, 3)
        self.full(server, "isp", 3)
        self.assertEqual([m[0] for m in peer.messages()], ["root@test", "news@test", "news@test"])
        server.stop()


class Elsewhere(Case):
    """The next way needs a host of its own: an account is host and user."""

    def pair(self, more, first=()):
        one, two = self.peer(*first), self.peer()
        blocks = relay("one", one, more) + relay("two", two).replace('"127.0.0.1"', '"localhost"')
        return one, two, self.server(blocks)

    def test_what_finds_no_room_goes_by_the_next(self):
        one, two, server = self.pair("messages_per_day = 3\n")
        self.send(server, 8)
        self.arrives(one, 3)
        self.arrives(two, 5)
        self.assertEqual((len(one.messages()), len(two.messages())), (3, 5))
        server.stop()

    def test_or_waits(self):
        one, two, server = self.pair('messages_per_day = 3\nwhen_full = "wait"\n')
        self.send(server, 8)
        self.arrives(one, 3)
        self.full(server, "one", 3)
        self.assertEqual(len(self.queued(server)), 5)
        self.assertEqual(len(two.messages()), 0)
        server.stop()

    def test_the_providers_own_limit(self):
        """It says that the day's quota is used up: the account is held, nothing bounces, mail goes by the next way."""
        one, two, server = self.pair("", ("--reply", "mail=550 5.4.5 Daily user sending quota exceeded."))
        self.send(server, 3)
        self.arrives(two, 3)
        held = wait_for(lambda: (row := self.relay_status(server, "one")) and not row["up"] and row, what="the account to be held")
        self.assertIn("quota", held["reason"])
        self.assertEqual([e for e in server.events("delivery") if e["status"] == "bounced"], [])
        server.stop()

    def test_the_providers_own_limit_waited_for(self):
        one, two, server = self.pair('when_full = "wait"\n', ("--reply", "final=454 Throttling failure: Maximum sending rate exceeded."))
        self.send(server, 3)
        wait_for(lambda: not self.relay_status(server, "one")["up"], what="the account to be held")
        wait_for(lambda: len(self.queued(server)) == 3, what="all to wait")
        self.assertEqual(two.messages(), [])
        self.assertEqual({row["attempts"] for row in self.queued(server)}, {0})
        server.stop()


class Sizes(Case):
    def announced(self, server):
        with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
            client.ehlo("client.test")
            return int(client.esmtp_features["size"])

    def test_remembered(self):
        """EHLO announces what the relay takes, after a restart too; what is larger is refused with the limit named."""
        peer = Peer("--extensions", "PIPELINING,SIZE 100000,8BITMIME").start()
        self.addCleanup(peer.discard)
        server = self.server(relay("isp", peer))
        self.send(server)
        self.arrives(peer, 1)
        wait_for(lambda: self.announced(server) == 100000, what="the SIZE to be learnt")
        server.stop()
        peer.stop()
        server.start()
        self.assertEqual(self.announced(server), 100000)
        with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
            client.ehlo("client.test")
            code, text = client.mail("s@test", ["SIZE=200000"])
            self.assertEqual(code, 552)
            self.assertRegex(text.decode(), r"5\.3\.4 .*100000")
            client.mail("s@test")
            client.rcpt("b@test")
            code, text = client.data(b"Subject: x\r\n\r\n" + b"x" * 70 * 100 + b"\r\n" + (b"y" * 70 + b"\r\n") * 2000)
            self.assertEqual(code, 552)
            self.assertTrue(re.match(rb"5\.3\.4 .*100000", text), text)
        server.stop()

    def test_by_route(self):
        """Each message is measured by the ways that it may go: one sender's relay is small, and what a route drops is of any size."""
        small = Peer("--extensions", "PIPELINING,SIZE 100000,8BITMIME").start()
        large = Peer("--extensions", "PIPELINING,SIZE 5000000,8BITMIME").start()
        self.addCleanup(small.discard)
        self.addCleanup(large.discard)
        server = self.server(relay("small", small) + relay("large", large) + """
[[route]]
sender = "me@small.test"
ways = "small"
[[route]]
recipient = "nowhere.test"
action = "discard"
[[route]]
ways = "large"
""")
        for sender in ("me@small.test", "me@large.test"):
            with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
                client.sendmail(sender, ["b@test"], b"Subject: x\r\n\r\nx\r\n")
        self.arrives(small, 1)
        self.arrives(large, 1)

        def asked(sender, recipient, size):
            with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
                client.ehlo("client.test")
                self.assertEqual(client.mail(sender, [f"SIZE={size}"])[0], 250)
                return client.rcpt(recipient)
        wait_for(lambda: asked("me@small.test", "b@test", 200000)[0] == 552, what="the small relay's SIZE to be learnt")
        wait_for(lambda: asked("me@large.test", "b@test", 6000000)[0] == 552, what="the large relay's SIZE to be learnt")
        self.assertRegex(asked("me@small.test", "b@test", 200000)[1].decode(), r"5\.3\.4 .*100000")
        self.assertRegex(asked("me@large.test", "b@test", 6000000)[1].decode(), r"5\.3\.4 .*5000000")
        self.assertEqual(asked("me@large.test", "b@test", 200000)[0], 250)
        self.assertEqual(asked("me@small.test", "b@nowhere.test", 6000000)[0], 552)   # the first route that fits is his
        self.assertEqual(asked("me@large.test", "b@nowhere.test", 6000000)[0], 250)
        self.assertGreater(self.announced(server), 6000000)   # some mail may be larger than any relay takes
        server.stop()


if __name__ == "__main__":
    unittest.main()
