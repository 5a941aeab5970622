"""Promise 6, never an open relay: every trick with addresses, from outside, from listed networks and from loopback."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient                      # noqa: E402
from support.netns import FAR, NEAR, Namespaces           # noqa: E402
from support.server import Server, wait_for               # noqa: E402
from support.sink import Sink                             # noqa: E402

# Recipients that have made open relays out of other servers. All of them parse.
TRICKS = [
    "<user@example.org>", "<user%example.org@gate.test>", "<example.org!user@gate.test>", "<user%example.org@[127.0.0.1]>",
    "<@gate.test:user@example.org>", "<@gate.test,@127-0-0-1.example:user@example.org>", "<@[127.0.0.1]:user@example.org>",
    '<"user@example.org"@gate.test>', '<"user%example.org"@gate.test>', '<"example.org!user"@gate.test>', '<"user@example.org@"@gate.test>',
    "<user@[127.0.0.1]>", "<user@[192.0.2.1]>", "<user@[IPv6:::1]>", "<user@localhost>", "<user@gate.test>", "<user@LOCALHOST.localdomain>",
    "<postmaster>", "<PostMaster>", "<postmaster@gate.test>", "<postmaster%example.org@gate.test>", "<root@127.0.0.1>", '<"postmaster"@gate.test>',
    "<user%a%b%c@gate.test>", "<a!b!c!user@gate.test>", "<user@gate.test.example.org>", "<|cat@gate.test>", '<"/dev/null"@gate.test>',
]
# Those whose domain is ours: decided by who is there, never by what stands in the local part.
HERE = {trick for trick in TRICKS if trick.lower().rstrip(">").endswith(("@gate.test", "@localhost", "@localhost.localdomain", "<postmaster"))}
SOMEBODY = {"<postmaster>", "<PostMaster>", "<postmaster@gate.test>", '<"postmaster"@gate.test>'}
HERE -= {"<@gate.test:user@example.org>"}
# What is no address at all: refused for its form, wherever it comes from.
MALFORMED = [
    "<user@example.org@gate.test>", "<user@gate.test@example.org>", "<user@>", "<@gate.test>", "<@gate.test:>", "<@gate.test,user@example.org>",
    "<>", "user@example.org", "<user@example.org", "user@example.org>",
    "<user@[127.0.0.1>", "<user@[999.0.0.1]>", "<user@example.org>x", "<user@example..org>", "<user@.example.org>", "<user@-example.org>",
    '<"user@example.org>', '<"user"x@example.org>', "<us er@example.org>", "<user@exam ple.org>", "<<user@example.org>>", "<user@example.org>>",
    "<user@example.org:25>", "<user@example.org,other@example.org>", "<user;other@example.org;x@y>", "<@a@b:c@d>", "<a@b>,<c@d>", "<a@b> <c@d>",
]


def relay_block(port):
    return f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'


def listener(port, address="127.0.0.1", more=""):
    return f'[[listener]]\nname = "{address}"\naddress = "{address}"\nport = {port}\nmax_errors = 1000\nmax_idle_commands = 10000\n{more}'


# No domain: only from who may send as this machine, and then it is a name of this machine.
BARE = ["<user>", "<example.org!user>", "<user%example.org>", '<"user@example.org">']


class Relaying(unittest.TestCase):
    def answers(self, client, expected):
        self.assertEqual(client.command("EHLO client.test")[0], 250)
        for sender in ("<a@gate.test>", "<>", "<user@localhost>"):
            for trick in TRICKS:
                self.assertEqual(client.command(f"MAIL FROM:{sender}")[0], 250)
                code, lines = client.command(f"RCPT TO:{trick}")
                here = (250, "2.1.5") if trick in SOMEBODY else (550, "5.1.1")
                self.assertEqual((code, lines[0].split()[1]), here if trick in HERE else expected, (sender, trick))
                self.assertEqual(client.command("RSET")[0], 250)
        for text in BARE:
            self.assertEqual(client.command("MAIL FROM:<a@gate.test>")[0], 250)
            code, lines = client.command(f"RCPT TO:{text}")
            bare = (550, "5.1.1") if expected[0] == 250 else (501, "5.1.3")
            self.assertEqual((code, lines[0].split()[1]), bare, text)
            self.assertEqual(client.command("RSET")[0], 250)
        self.malformed(client)
        client.close()

    def malformed(self, client):
        self.assertEqual(client.command("MAIL FROM:<a@gate.test>")[0], 250)
        for text in MALFORMED:
            code, lines = client.command(f"RCPT TO:{text}")
            self.assertIn(code, (501, 553, 555), (text, lines))
            self.assertRegex(lines[0], r"^5\d\d 5\.\d+\.\d+ ", text)
        code, lines = client.command("DATA")
        self.assertIn(code, (503, 554), lines)

    def serve(self, extra, **more):
        server = Server(extra=extra, **more)
        self.addCleanup(server.discard)
        return server

    def test_loopback_that_is_not_trusted(self):
        server = self.serve("")
        server.extra = listener(server.port, more="trust_loopback = false\n")
        server.write_config()
        server.start()
        self.answers(RawClient(server.port), (554, "5.7.1"))
        server.stop()

    def test_from_outside(self):
        """A listener on 0.0.0.0 trusts nobody by itself: not the world, not its own loopback, not through [::]."""
        if not Namespaces.available():
            self.skipTest("skipped: needs root and network namespaces")
        with Namespaces() as net:
            for networks, address, source, to, expected in (
                    ("", "0.0.0.0", net.far, NEAR, (554, "5.7.1")),
                    ("", "0.0.0.0", net.near, "127.0.0.1", (554, "5.7.1")),
                    ("", "0.0.0.0", net.near, NEAR, (554, "5.7.1")),
                    ("", "192.0.2.1", net.far, NEAR, (554, "5.7.1")),
                    ("", "::", net.far, "2001:db8::1", (554, "5.7.1")),
                    ("", "::", net.near, "::1", (554, "5.7.1")),
                    ("192.0.2.3", "0.0.0.0", net.far, NEAR, (554, "5.7.1")),
                    ("192.0.2.0/30", "0.0.0.0", net.near, "127.0.0.1", (554, "5.7.1")),
                    ("2001:db8::/65", "0.0.0.0", net.far, NEAR, (554, "5.7.1")),
                    ("192.0.2.2", "0.0.0.0", net.far, NEAR, (250, "2.1.5")),
                    ("192.0.2.0/30", "0.0.0.0", net.far, NEAR, (250, "2.1.5")),
                    ("2001:db8::/64", "::", net.far, "2001:db8::1", (250, "2.1.5")),
                    ("", "127.0.0.1", net.near, "127.0.0.1", (250, "2.1.5")),
                    ("", "::1", net.near, "::1", (250, "2.1.5"))):
                with self.subTest(networks=networks, address=address, to=to):
                    server = self.serve("", prefix=net.prefix())
                    server.extra = listener(server.port, address, f'networks = ["{networks}"]\n' if networks else "")
                    server.connect = lambda: net.connect(net.near, to, server.port, 2)
                    server.write_config()
                    server.start()
                    self.answers(RawClient(0, connected=net.connect(source, to, server.port)), expected)
                    if expected[0] == 554 and source == net.far and ":" not in to:
                        refused = wait_for(lambda: server.events("refused"), 10, what="the log line")
                        self.assertEqual(refused[0]["client"], FAR)
                    server.stop()
                    server.discard()

    def test_what_is_relayed_goes_by_the_right_hand_side_unchanged(self):
        sink = Sink().start()
        server = self.serve("", relay=relay_block(sink.port))
        server.extra = listener(server.port, more='trust_loopback = false\nnetworks = ["127.0.0.0/8"]\n')
        server.write_config()
        server.start()
        client = RawClient(server.port)
        client.command("EHLO client.test")
        client.command("MAIL FROM:<@old.route,@of.test:a@gate.test>")
        tricks = [trick for trick in TRICKS if trick not in HERE]
        for trick in tricks:
            self.assertEqual(client.command(f"RCPT TO:{trick}")[0], 250, trick)
        self.assertEqual(client.data(b"Subject: x\r\n\r\n")[0], 250)
        client.close()

        def recipients():
            return sorted(r.split(" ")[0] if '"' not in r else r for m in list(sink.messages) for r in m[2])
        # A source route is dropped (RFC 5321 appendix C), all else stays as it was.
        expected = sorted("<" + t.split(":", 1)[1] if t.startswith("<@") else t for t in tricks)
        wait_for(lambda: len(recipients()) >= len(expected), 20, what="all recipients")
        self.assertEqual([r.rsplit(">", 1)[0] + ">" for r in recipients()], expected)
        self.assertTrue(all(m[1].startswith("<a@gate.test>") for m in sink.messages))
        server.stop()
        sink.stop()


if __name__ == "__main__":
    unittest.main()
