"""SMTP smuggling (CVE-2023-51764 and its kin) against the real binary, by DATA and by BDAT.

Whatever stands in a message, nothing but CRLF . CRLF ends it; bare CR, bare LF and NUL are refused with 5yz and an enhanced
code; the session stays in step, and nothing of what was refused reaches the next hop.
"""
import itertools
import os
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient          # noqa: E402
from support.content import without_trace     # noqa: E402
from support.server import Server, wait_for   # noqa: E402
from support.sink import Sink                 # noqa: E402

# What somebody's server somewhere has taken for the end of a message.
ENDS = [
    b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r.\n", b"\n.\r", b"\r.\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n",
    b"\r\n.\r\n"[:4] + b"x\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n.\r\0\n", b"\r\0\n.\r\n", b"\0\n.\n", b"\r\n.\x85", b"\x0b.\x0b",
    b"\xe2\x80\xa8.\xe2\x80\xa8", b"\r\n.\r\n"[1:3] + b"\r", b"\n\n.\n\n", b"\r\r.\r\r", b"\r\n .\r\n", b"\r\n. \r\n", b"\r\n.\t\r\n", b"\r\n\r.\r\n",
]
FOLLOWS = b"MAIL FROM:<smuggled@evil.test>\r\nRCPT TO:<victim@evil.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nboo\r\n"


def may_pass(data):
    """Only CRLF as line ends, and no NUL."""
    rest = data.replace(b"\r\n", b"")
    return b"\r" not in rest and b"\n" not in rest and b"\0" not in rest


class Smuggling(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sink = Sink().start()
        cls.server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {cls.sink.port}\ntls = "none"\n')
        cls.server.extra = (f'[[listener]]\nname = "in"\naddress = "127.0.0.1"\nport = {cls.server.port}\nadd_missing_headers = false\n'
                            'max_errors = 1000\nmax_idle_commands = 10000\n')
        cls.server.write_config()
        cls.server.start()
        cls.number = itertools.count()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.server.discard()
        cls.sink.stop()

    def transaction(self, client):
        name = f"s{next(self.number)}@test"
        self.assertEqual(client.command(f"MAIL FROM:<{name}>")[0], 250)
        self.assertEqual(client.command("RCPT TO:<b@test>")[0], 250)
        return name

    def client(self):
        client = RawClient(self.server.port)
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.assertEqual(client.command("EHLO client.test")[0], 250)
        return client

    def check_refused(self, reply, what):
        code, lines = reply
        self.assertIn(code, range(500, 600), (what, lines))
        self.assertRegex(lines[0], r"^5\d\d 5\.\d+\.\d+ ", what)

    def in_step(self, client, what):
        """The next command is answered as such, and nothing was said before."""
        self.assertEqual(client.command("VRFY x"), (252, ["252 2.5.0 Cannot verify, but will take mail and try"]), what)

    def check_sink(self, sent):
        """Exactly `sent` (sender -> content) has arrived; a marker behind it says that nothing else is on its way."""
        client = self.client()
        marker = self.transaction(client)
        self.assertEqual(client.data(b"Subject: marker\r\n\r\n.\r\n")[0], 250)
        client.close()

        def mail():
            return {m[1].split(">")[0][1:]: m[3] for m in list(self.sink.messages)}
        wait_for(lambda: marker in mail() and set(sent) <= set(mail()), 20, what="the marker")
        for sender, content in sent.items():
            self.assertEqual(without_trace(mail()[sender]), content)
        for sender, content in mail().items():
            self.assertNotIn("evil", sender)
            if sender not in sent:
                self.assertIn(b"Subject: marker", content, sender)
        for m in list(self.sink.messages):
            self.assertNotIn("evil", str(m[2]))
        self.sink.messages.clear()

    def test_data(self):
        client, sent = self.client(), {}
        for end in ENDS:
            content = b"Subject: x\r\n\r\nbefore" + end + FOLLOWS
            name = self.transaction(client)
            self.assertEqual(client.command("DATA")[0], 354)
            client.send(content + b".\r\n")
            reply = client.reply()
            if may_pass(content):
                self.assertEqual(reply[0], 250, (end, reply))
                sent[name] = content.replace(b"\r\n.", b"\r\n")   # the receiver takes one dot away, RFC 5321 section 4.5.2
            else:
                self.check_refused(reply, end)
            self.in_step(client, end)
        client.close()
        self.check_sink(sent)

    def test_data_in_two_segments(self):
        """Cut at every place: how the octets arrive changes nothing."""
        client = self.client()
        for end in ENDS[:10]:
            content = b"S: x\r\n\r\nq" + end + b"RSET\r\n.\r\n"
            for cut in range(8, len(content)):
                self.transaction(client)
                self.assertEqual(client.command("DATA")[0], 354)
                client.send(content[:cut])
                time.sleep(0.0005)   # only makes separate segments likely; the result must not depend on it
                client.send(content[cut:])
                self.check_refused(client.reply(), (end, cut))
        self.in_step(client, "cuts")
        client.close()
        self.check_sink({})

    def test_data_octet_by_octet(self):
        client, sent = self.client(), {}
        for end in ENDS:
            content = b"S: x\r\n\r\nq" + end + b"QUIT\r\n"
            name = self.transaction(client)
            self.assertEqual(client.command("DATA")[0], 354)
            for octet in content + b".\r\n":
                client.send(bytes([octet]))
            reply = client.reply()
            if may_pass(content):
                self.assertEqual(reply[0], 250, (end, reply))
                sent[name] = content.replace(b"\r\n.", b"\r\n")
            else:
                self.check_refused(reply, end)
        self.in_step(client, "octets")
        client.close()
        self.check_sink(sent)

    def test_commands_pipelined_behind(self):
        """The message is refused; what stands behind its true end is the client's next transaction."""
        client, sent = self.client(), {}
        for end in ENDS[:10]:
            name = f"p{next(self.number)}@test"
            self.transaction(client)
            self.assertEqual(client.command("DATA")[0], 354)
            client.send(b"Subject: x\r\n\r\nbefore" + end + FOLLOWS + b".\r\n" +
                        f"MAIL FROM:<{name}>\r\nRCPT TO:<b@test>\r\nDATA\r\nSubject: behind\r\n\r\n.\r\nNOOP\r\n".encode())
            self.check_refused(client.reply(), end)
            codes = [client.reply()[0] for _ in range(5)]
            self.assertEqual(codes, [250, 250, 354, 250, 250], end)
            sent[name] = b"Subject: behind\r\n\r\n"
        client.close()
        self.check_sink(sent)

    def test_bdat(self):
        client, sent = self.client(), {}
        for end in ENDS:
            content = b"Subject: x\r\n\r\nbefore" + end + FOLLOWS
            for cut in (len(content), 20, 21 + len(end)):
                name = self.transaction(client)
                first, second = content[:cut], content[cut:]
                client.send(f"BDAT {len(first)}{' LAST' if not second else ''}\r\n".encode() + first)
                if second:
                    client.send(f"BDAT {len(second)} LAST\r\n".encode() + second)
                replies = [client.reply()] + ([client.reply()] if second else [])
                if may_pass(content):
                    self.assertEqual([r[0] for r in replies], [250] * len(replies), (end, replies))
                    sent[name] = content   # counted octets: a lone dot is a line like others
                else:
                    self.check_refused(replies[-1], end)
                self.in_step(client, (end, cut))
        client.close()
        self.check_sink(sent)

    def test_bdat_ends_with_half_a_line_end(self):
        client, sent = self.client(), {}
        name = self.transaction(client)
        client.send(b"BDAT 13\r\nSubject: x\r\n\rBDAT 4 LAST\r\n\nhi\r")
        self.assertEqual(client.reply()[0], 250)
        self.check_refused(client.reply(), "ends with CR")
        name = self.transaction(client)
        client.send(b"BDAT 13\r\nSubject: x\r\n\rBDAT 5 LAST\r\n\nhi\r\n")
        self.assertEqual([client.reply()[0], client.reply()[0]], [250, 250])
        sent[name] = b"Subject: x\r\n\r\nhi\r\n"
        client.close()
        self.check_sink(sent)

    def test_bdat_sizes(self):
        """A size that is no number or is absurd: where its octets end is unknown, so nothing behind it is a command."""
        for size in ("-1", "+5", "0x10", "5 last LAST", "5 FIRST", "", "1e3", "5,", "9223372036854775808", "18446744073709551615",
                     "18446744073709551616", "18446744073709551621", "99999999999999999999999", "5;LAST", "５"):
            client = self.client()
            self.transaction(client)
            client.send(f"BDAT {size}\r\nhello".encode() + FOLLOWS)
            self.check_refused(client.reply(), size)
            rest = []
            while (reply := client.reply())[0]:
                rest.append(reply)
            self.assertIn([r[0] for r in rest], ([], [421]), size)
            client.close()
        self.check_sink({})

    def test_bdat_without_transaction(self):
        """Its octets are read all the same (RFC 3030 section 2)."""
        client = RawClient(self.server.port)
        client.send(f"BDAT {len(FOLLOWS)} LAST\r\n".encode() + FOLLOWS + b"NOOP\r\n")
        self.check_refused(client.reply(), "before EHLO")
        self.assertEqual(client.reply()[0], 250)
        self.assertEqual(client.command("EHLO c.test")[0], 250)
        client.send(f"BDAT {len(FOLLOWS)} LAST\r\n".encode() + FOLLOWS)
        self.check_refused(client.reply(), "before MAIL")
        self.assertEqual(client.command("MAIL FROM:<a@test>")[0], 250)
        client.send(f"BDAT {len(FOLLOWS)} LAST\r\n".encode() + FOLLOWS)
        self.check_refused(client.reply(), "before RCPT")
        self.in_step(client, "BDAT")
        client.close()
        self.check_sink({})

    def test_bdat_and_other_commands(self):
        client, sent = self.client(), {}
        self.transaction(client)
        client.send(b"BDAT 5\r\nhello")
        self.assertEqual(client.reply()[0], 250)
        for command in ("DATA", "MAIL FROM:<x@test>", "RCPT TO:<x@test>"):
            self.assertEqual(client.command(command)[0], 503, command)
        self.assertEqual(client.command("NOOP")[0], 250)
        self.assertEqual(client.command("RSET")[0], 250)
        client.send(b"BDAT 7 LAST\r\nRSET\r\n\n")
        self.check_refused(client.reply(), "after RSET")
        self.in_step(client, "RSET in the middle")
        name = self.transaction(client)   # a new one knows nothing of the chunk before
        client.send(b"BDAT 0\r\nBDAT 3\r\nA: BDAT 6 LAST\r\nb\r\n\r\nc")
        self.assertEqual([client.reply()[0] for _ in range(2)], [250, 250])
        self.assertEqual(client.reply()[0], 250)
        sent[name] = b"A: b\r\n\r\nc"
        client.close()

        def arrived():
            return [m for m in list(self.sink.messages) if name in m[1]]
        (message,) = wait_for(arrived, 20, what="the BDAT message")
        # The last line had no end: the next hop gets one where it takes DATA.
        self.assertEqual(without_trace(message[3]), b"A: b\r\n\r\nc\r\n")
        sent[name] = b"A: b\r\n\r\nc\r\n"
        self.check_sink(sent)

    def test_data_then_bdat_interleaved(self):
        client = self.client()
        self.transaction(client)
        self.assertEqual(client.command("DATA")[0], 354)
        client.send(b"A: b\r\n\r\nBDAT 5 LAST\r\nhello\n.\r\n.\r\n")
        self.check_refused(client.reply(), "BDAT inside DATA")
        self.in_step(client, "BDAT inside DATA")
        # Two sessions whose chunks alternate.
        one, two = self.client(), self.client()
        names = [self.transaction(c) for c in (one, two)]
        sent = {name: f"Subject: {name}\r\n\r\n".encode() + b"".join(b"%d\r\n" % i for i in range(50)) for name in names}
        at = 0
        while at < max(map(len, sent.values())):
            for c, name in zip((one, two), names):
                part = sent[name][at:at + 7]
                c.send(f"BDAT {len(part)}\r\n".encode() + part)
                self.assertEqual(c.reply()[0], 250)
            at += 7
        for c in (one, two):
            self.assertEqual(c.command("BDAT 0 LAST")[0], 250)
        self.check_sink(sent)

    def test_command_lines(self):
        """Commands end with CRLF; before EHLO there is no mail."""
        client = RawClient(self.server.port)
        for command in ("MAIL FROM:<a@test>", "RCPT TO:<a@test>", "DATA"):
            self.assertEqual(client.command(command), (503, ["503 5.5.1 Send EHLO or HELO first"]), command)
        self.assertEqual(client.command("EHLO c.test")[0], 250)
        for line in (b"MAIL FROM:<evil@evil.test>\n", b"MAIL FROM:<evil@evil.test>\rRCPT TO:<victim@evil.test>\r\n", b"NOOP\0\r\n",
                     b"MAIL FROM:<a@test>\0\r\n", b"MAIL FROM:<a\x01@test>\r\n", b"\r\r\n", b"NO\x7fOP\r\n"):
            client.send(line)
            self.check_refused(client.reply(), line)
        for command in ("STARTTLS", "AUTH PLAIN AGEAYg==", "XCLIENT ADDR=127.0.0.1", "XFORWARD NAME=x"):
            self.check_refused(client.command(command), command)
        self.in_step(client, "lines")
        client.send(b"EHLO c.test\r\nMAIL FROM:<a@test>\r\nRSET\r\nRCPT TO:<b@test>\r\nMAIL FROM:<a@test>\r\nRCPT TO:<b@test>\r\nRSET\r\nDATA\r\nNOOP\r\n")
        codes = [client.reply()[0] for _ in range(9)]
        self.assertEqual(codes, [250, 250, 250, 503, 250, 250, 250, 503, 250])
        client.close()
        self.check_sink({})

    def test_http(self):
        for request in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<evil@evil.test>\r\n", b"POST / HTTP/1.0\r\n\r\n" + FOLLOWS):
            client = RawClient(self.server.port)
            client.send(request)
            self.assertEqual(client.reply()[0], 421)
            self.assertEqual(client.reply()[0], 0)
            client.close()
        self.check_sink({})


if __name__ == "__main__":
    unittest.main()
