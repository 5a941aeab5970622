"""Port 25 open to the world: names of clients, checks of strangers and block lists through a real name server; the PROXY protocol
(haproxy in front) and XCLIENT (swaks as the front)."""
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import unbound                                      # noqa: E402
from support.client import RawClient                             # noqa: E402
from support.server import Server, free_port, greets, wait_for   # noqa: E402
from support.sink import Sink                                    # noqa: E402

HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"

RECORDS = [
    "1.2.0.192.in-addr.arpa. PTR mx.far.test.", "mx.far.test. A 192.0.2.1", "far.test. MX 10 mx.far.test.",
    "2.2.0.192.in-addr.arpa. PTR liar.far.test.", "liar.far.test. A 192.0.2.99",
    "4.2.0.192.in-addr.arpa. PTR mx4.far.test.", "mx4.far.test. A 192.0.2.4",
    "5.2.0.192.in-addr.arpa. PTR mx5.far.test.", "mx5.far.test. A 192.0.2.5",
    "6.2.0.192.in-addr.arpa. PTR mx6.far.test.", "mx6.far.test. A 192.0.2.6",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR six.far.test.", "six.far.test. AAAA 2001:db8::1",
    "null.test. MX 0 .", "null.test. A 192.0.2.1",
    # block lists: 192.0.2.4 is listed, 192.0.2.5 in the one that tags; 192.0.2.6 gets the answer that says "not you"
    "4.2.0.192.bl.test. A 127.0.0.2", '4.2.0.192.bl.test. TXT "spam seen, https://bl.test/4"',
    "5.2.0.192.bl.test. A 127.0.0.9", "5.2.0.192.tag.test. A 127.0.0.2", "6.2.0.192.bl.test. A 127.255.255.254",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test. A 127.0.0.2",
    "2.0.0.127.bl.test. A 127.0.0.2",
]


def told(address, kind="TCP4"):
    """A connection's first line, as a proxy writes it."""
    return f"PROXY {kind} {address} {'::1' if kind == 'TCP6' else '10.0.0.1'} 5000 25\r\n".encode()


class World(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if unbound.PROGRAM is None:
            raise unittest.SkipTest("unbound is not installed")
        cls.folder = tempfile.mkdtemp(prefix="sidegate-world-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.dns = unbound.Unbound(cls.folder, RECORDS, dead=("dead.test.",)).start()
        cls.addClassCleanup(cls.dns.stop)
        cls.sink = Sink().start()
        cls.addClassCleanup(cls.sink.stop)
        cls.ports = {name: free_port() for name in ("tag", "reject", "early", "rates", "tls", "xclient", "users", "plain")}
        proxied = 'proxy = ["127.0.0.1"]\nnetworks = ["127.0.0.0/8", "198.51.100.0/24"]\n'
        checks = 'reverse_name = "{0}"\nreverse_name_confirmed = "{0}"\nhelo_check = "{0}"\nsender_domain = "{0}"\n'
        keys = {
            "tag": proxied + checks.format("tag") + 'blocklists = false\n',
            "reject": proxied + checks.format("reject") + 'lookup_limit = "2s"\n',
            "early": proxied + 'early_talker = "reject"\ngreeting_delay = "1s"\nblocklists = false\n',
            "rates": proxied + 'blocklists = false\n',
            "tls": proxied + 'tls = "implicit"\nblocklists = false\n',
            "xclient": 'xclient = ["127.0.0.1"]\nblocklists = false\n',
            "users": 'xclient = ["127.0.0.1"]\nauth = true\nblocklists = false\n',
            "plain": "",
        }
        listeners = "".join(f'[[listener]]\nname = "{name}"\nprofile = "smtp"\nport = {cls.ports[name]}\n{text}'
                            for name, text in keys.items())
        cls.server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {cls.sink.port}\ntls = "none"\n')
        cls.addClassCleanup(cls.server.discard)
        cls.server.extra = f"""local_domains = ["gate.test"]
alias_files = []
max_messages_per_minute = 60
max_errors_per_minute = 100
[dns]
servers = ["127.0.0.1@{cls.dns.port}"]
[[relay_domain]]
domain = "inside.test"
next_hop = "127.0.0.1:{cls.sink.port}"
tls = "none"
[[blocklist]]
zone = "bl.test=127.0.0.[2..5]"
[[blocklist]]
zone = "tag.test"
action = "tag"
[[blocklist]]
zone = "dead.test"
[[listener]]
name = "in"
port = {cls.server.port}
{listeners}"""
        cls.server.write_config()
        cls.server.start()

    def client(self, listener, header=b"", ehlo="mx.far.test", port=None):
        connection = socket.create_connection(("127.0.0.1", port or self.ports[listener]), 60)
        if header:
            connection.sendall(header)
        client = RawClient(0, connected=connection)
        self.addCleanup(client.close)
        if client.greeting[0] == 220 and ehlo:
            client.command("EHLO " + ehlo)
        return client

    def rcpt(self, client, sender="a@far.test", to="x@inside.test"):
        self.assertEqual(client.command(f"MAIL FROM:<{sender}>")[0], 250)
        return client.command(f"RCPT TO:<{to}>")[1][-1]

    def send(self, client, mark, **kwargs):
        """A message through `client`; as the sink got it."""
        self.assertTrue(self.rcpt(client, **kwargs).startswith("250 "))
        text = f"X-Sidegate-Screen: forged\r\nSubject: {mark}\r\n\r\nhello\r\n".encode()
        self.assertEqual(client.data(text)[0], 250)
        wanted = f"Subject: {mark}\r\n".encode()
        return wait_for(lambda: [m[3].decode() for m in self.sink.messages if wanted in m[3]], what="the message")[0]

    # --- names

    def test_the_clients_name(self):
        received = self.send(self.client("plain", ehlo="c.test"), "from here")
        self.assertIn("Received: from c.test ([127.0.0.1])", received)
        received = self.send(self.client("tag", told("192.0.2.1")), "confirmed")
        self.assertIn("Received: from mx.far.test (mx.far.test [192.0.2.1])", received)
        self.assertNotIn("X-Sidegate-Screen", received)
        received = self.send(self.client("tag", told("2001:db8::1", "TCP6"), ehlo="six.far.test"), "over six")
        self.assertIn("(six.far.test [IPv6:2001:db8::1])", received.replace("\r\n\t", " "))
        received = self.send(self.client("tag", told("192.0.2.2")), "a liar")
        self.assertIn("Received: from mx.far.test ([192.0.2.2])", received)
        self.assertIn("X-Sidegate-Screen: reverse_name=unconfirmed\r\n", received)
        self.assertNotIn("forged", received)
        def connections():   # to this listener: others of the same clients may be in the log before them
            seen = {e["client"]: e for e in self.server.events("connect") if e["listener"] == "tag"}
            return seen if "192.0.2.2" in seen else None
        seen = wait_for(connections, what="the connections' lines")
        self.assertEqual((seen["192.0.2.1"]["client_name"], seen["192.0.2.1"]["proxy"]), ("mx.far.test", "127.0.0.1"))
        self.assertEqual(seen["192.0.2.2"]["client_name"], "")

    # --- checks

    def test_checks_refuse(self):
        def answer(address, ehlo="mx.far.test", kind="TCP4", **kwargs):
            return self.rcpt(self.client("reject", told(address, kind), ehlo), **kwargs)
        self.assertTrue(answer("192.0.2.1").startswith("250 "))
        self.assertEqual(answer("192.0.2.3"), "550 5.7.25 Client host rejected: cannot find your reverse hostname, [192.0.2.3]")
        self.assertEqual(answer("192.0.2.2"), "550 5.7.25 Client host rejected: cannot find your hostname, [192.0.2.2]")
        self.assertTrue(answer("192.0.2.1", "My PC").startswith("501 5.5.2 <My PC>: Helo command rejected"))
        self.assertTrue(answer("192.0.2.1", "gate.test").startswith("550 5.7.1 <gate.test>: Helo command rejected"))
        self.assertTrue(answer("192.0.2.1", sender="a@none.test").startswith("550 5.1.8 <a@none.test>: Sender address rejected"))
        self.assertTrue(answer("192.0.2.1", sender="a@null.test").startswith("550 5.7.27 "))
        self.assertTrue(answer("192.0.2.1", sender="").startswith("250 "))
        # block lists: listed; filtered away; IPv6; the postmaster; a listed network; silence and "not you" hold nobody up
        listed = "554 5.7.1 Service unavailable; Client host [192.0.2.4] blocked using bl.test; spam seen, https://bl.test/4"
        self.assertEqual(answer("192.0.2.4", "mx4.far.test"), listed)
        self.assertTrue(answer("192.0.2.4", to="postmaster@gate.test").startswith("250 "))
        self.assertTrue(answer("2001:db8::1", kind="TCP6").startswith("554 5.7.1 "))
        self.assertTrue(answer("198.51.100.7", "My PC", sender="a@none.test", to="x@elsewhere.test").startswith("250 "))
        self.assertTrue(answer("192.0.2.6").startswith("250 "))
        self.assertTrue(answer("192.0.2.6").startswith("250 "))
        told_of = wait_for(lambda: self.server.events("blocklist_unusable"), what="the word about bl.test")
        self.assertEqual([e["blocklist"] for e in told_of], ["bl.test"])
        received = self.send(self.client("reject", told("192.0.2.5"), "mx5.far.test"), "tagged")
        self.assertIn("X-Sidegate-Screen: blocklist=tag.test score=1\r\n", received)
        accepted = wait_for(lambda: [e for e in self.server.events("accepted") if e["client"] == "192.0.2.5"])
        self.assertEqual(accepted[0]["screen"], "blocklist=tag.test score=1")

    def test_who_speaks_before_the_greeting(self):
        early = self.client("early", told("192.0.2.1") + b"EHLO mx.far.test\r\n", ehlo=None)
        self.assertEqual(early.greeting[0], 220)
        self.assertEqual(early.reply()[0], 250)
        self.assertTrue(self.rcpt(early).startswith("550 5.5.1 "))
        self.assertTrue(self.rcpt(self.client("early", told("192.0.2.1"))).startswith("250 "))
        # this machine's programs and listed networks need not wait
        hasty = self.client("early", told("198.51.100.1") + b"EHLO mx.far.test\r\n", ehlo=None)
        hasty.reply()
        self.assertTrue(self.rcpt(hasty).startswith("250 "))

    def test_rates(self):
        replies = []
        for _ in range(8):
            client = self.client("rates", told("192.0.2.77"))
            for _ in range(20):
                replies.append(client.command("MAIL FROM:<a@far.test>")[0])
                client.command("RSET")
        self.assertIn(450, replies)
        self.assertGreaterEqual(replies.count(250), 60)
        self.assertEqual(self.client("rates", told("192.0.2.78")).command("MAIL FROM:<a@far.test>")[0], 250)
        listed = self.client("rates", told("198.51.100.1"))
        for _ in range(90):
            self.assertEqual(listed.command("MAIL FROM:<a@far.test>")[0], 250)
            listed.command("RSET")

    # --- PROXY

    def test_a_header_never_makes_this_machine(self):
        binary = [
            SIGNATURE + b"\x21\x11\x00\x0c" + bytes([127, 0, 0, 1, 127, 0, 0, 1, 1, 0, 0, 25]),
            SIGNATURE + b"\x21\x21\x00\x24" + bytes(15) + b"\x01" + bytes(15) + b"\x01\x01\x00\x00\x19",
            SIGNATURE + b"\x21\x21\x00\x24" + bytes(10) + b"\xff\xff\x7f\x00\x00\x01" + bytes(16) + b"\x01\x00\x00\x19",
            SIGNATURE + b"\x20\x00\x00\x00", SIGNATURE + b"\x21\x00\x00\x00", SIGNATURE + b"\x21\x31\x00\xd8" + bytes(216),
        ]
        for header in [told("127.0.0.1"), told("::1", "TCP6"), b"PROXY UNKNOWN\r\n", *binary]:
            client = self.client("rates", header)
            self.assertTrue(self.rcpt(client, to="x@elsewhere.test").startswith("554 5.7.1 "), header)
        self.assertTrue(self.rcpt(self.client("rates", told("198.51.100.9")), to="x@elsewhere.test").startswith("250 "))

    def test_without_its_header_a_proxy_gets_no_word(self):
        for first in (b"EHLO x\r\n", b"PROXY TCP4 192.0.2.1\r\n", SIGNATURE + b"\x21\x12\x00\x0c" + bytes(12), b"\x16\x03\x01"):
            self.assertEqual(self.client("rates", first).greeting[0], 0, first)
        self.assertTrue(wait_for(lambda: len(self.server.events("no_proxy_header")) >= 4))
        # and from others there is none
        stranger = self.client("plain", ehlo=None)
        self.assertEqual(stranger.command(told("127.0.0.1").decode().strip())[0], 421)
        self.assertEqual(stranger.reply()[0], 0)

    @unittest.skipIf(HAPROXY is None, "haproxy is not installed")
    def test_haproxy_in_front(self):
        fronts = {"send-proxy": "rates", "send-proxy-v2": "tag", "send-proxy-v2-ssl": "tls"}
        ports = {word: free_port() for word in fronts}
        config = os.path.join(self.folder, "haproxy.cfg")
        with open(config, "w") as out:
            out.write("defaults\n  mode tcp\n  timeout connect 30s\n  timeout client 60s\n  timeout server 60s\n")
            for word, listener in fronts.items():
                out.write(f"listen {word}\n  bind 127.0.0.1:{ports[word]} accept-proxy\n"
                          f"  server gate 127.0.0.1:{self.ports[listener]} {word}\n")
        process = subprocess.Popen([HAPROXY, "-db", "-q", "-f", config], stdin=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_for(lambda: all(self.listens(port) for port in ports.values()), what="haproxy")
        for word in ("send-proxy", "send-proxy-v2"):
            received = self.send(self.client(None, told("192.0.2.1"), port=ports[word]), f"by {word}")
            self.assertIn("(mx.far.test [192.0.2.1])", received)
        # TLS from the first octet behind the header, in one piece with it
        raw = socket.create_connection(("127.0.0.1", ports["send-proxy-v2-ssl"]), 60)
        raw.sendall(told("192.0.2.1"))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = RawClient(0, connected=context.wrap_socket(raw))
        self.addCleanup(client.close)
        client.command("EHLO mx.far.test")
        received = self.send(client, "by TLS")
        self.assertIn("(mx.far.test [192.0.2.1])", received)
        self.assertIn("with ESMTPS", received.replace("\r\n\t", " "))

    @staticmethod
    def listens(port):
        try:
            with socket.create_connection(("127.0.0.1", port), 5):
                return True
        except OSError:
            return False

    # --- XCLIENT

    def test_swaks_as_the_front(self):
        if not shutil.which("swaks"):
            self.skipTest("swaks is not installed")

        def swaks(listener, *arguments):
            return subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(self.ports[listener]), "--from", "a@far.test",
                                   "--to", "x@inside.test", "--helo", "mx.far.test", "--timeout", "60", *arguments],
                                  capture_output=True, text=True, timeout=120)
        done = swaks("xclient", "--xclient", "ADDR=192.0.2.1 NAME=mx.far.test", "--header", "Subject: by swaks")
        self.assertEqual(done.returncode, 0, done.stdout)
        received = wait_for(lambda: [m[3].decode() for m in self.sink.messages if b"Subject: by swaks" in m[3]])[0]
        self.assertIn("Received: from mx.far.test (mx.far.test [192.0.2.1])", received)
        done = swaks("plain", "--xclient-addr", "192.0.2.1")
        self.assertNotEqual(done.returncode, 0)

    def test_xclient(self):
        client = self.client("xclient", ehlo=None)
        offered = client.command("EHLO front.test")[1]
        self.assertIn("250-XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT REVERSE_NAME", offered)
        self.assertEqual(client.command("XCLIENT ADDR=192.0.2.1 LOGIN=ann")[0], 501)
        self.assertEqual(client.command("XCLIENT ADDR=192.0.2.1")[0], 220)
        self.assertEqual(client.command("MAIL FROM:<a@far.test>")[0], 503)
        # what comes now may be the client's own words, which a front passes on
        self.assertNotIn("XCLIENT", client.command("EHLO mx.far.test")[1])
        self.assertEqual(client.command("XCLIENT ADDR=127.0.0.1")[0], 550)
        # who is told to be this machine is not
        client = self.client("xclient", ehlo="front.test")
        self.assertEqual(client.command("XCLIENT ADDR=127.0.0.1 HELO=here")[0], 220)
        self.assertTrue(self.rcpt(client, to="x@elsewhere.test").startswith("554 5.7.1 "))
        self.assertEqual(client.command("XCLIENT ADDR=192.0.2.1")[0], 503)
        # with its name looked up, and one that is told
        client = self.client("xclient", ehlo=None)
        self.assertEqual(client.command("XCLIENT ADDR=192.0.2.1 HELO=mx.far.test")[0], 220)
        self.assertIn("(mx.far.test [192.0.2.1])", self.send(client, "looked up"))
        client = self.client("xclient", ehlo=None)
        self.assertEqual(client.command("XCLIENT ADDR=192.0.2.9 NAME=nine.far.test HELO=x+2Dy.far.test")[0], 220)
        self.assertIn("from x-y.far.test (nine.far.test [192.0.2.9])", self.send(client, "told").replace("\r\n\t", " "))
        self.assertEqual(self.client("plain").command("XCLIENT ADDR=192.0.2.1")[0], 550)
        users = self.client("users")
        self.assertEqual(users.command("XCLIENT ADDR=192.0.2.1 LOGIN=ann HELO=pc.test")[0], 220)
        self.assertTrue(self.rcpt(users, to="x@elsewhere.test").startswith("250 "))

    # --- what strangers may not

    def test_strangers(self):
        client = self.client("rates", told("192.0.2.1"))
        self.assertEqual(self.rcpt(client, to="nobody.here@gate.test")[:9], "550 5.1.1")
        self.assertEqual(client.command("RCPT TO:<x@elsewhere.test>")[0], 554)
        client.command("RSET")
        for command, code in (("VRFY root", 252), ("EXPN root", 502), ("ETRN gate.test", 502), ("TURN", 502)):
            self.assertEqual(client.command(command)[0], code, command)


if __name__ == "__main__":
    unittest.main()
