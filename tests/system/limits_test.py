"""Every bound of the receiving side against the real binary: what is answered, and that service goes on"""
import os
import select
import signal
import socket
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient                             # noqa: E402
from support.content import without_trace                        # noqa: E402
from support.process import descriptors                      # noqa: E402
from support.receiving import ReceivingCase                     # noqa: E402
from support.server import wait_for                      # noqa: E402

KIB, MIB = 1 << 10, 1 << 20


class Limits(ReceivingCase):
    def closed(self, client):
        try:
            return client.reply()[0] == 0
        except ConnectionError:
            return True

    # --- lengths

    def test_command_length(self):
        server = self.serve("max_errors = 1000\n")
        client = RawClient(server.port)
        client.command("EHLO c.test")
        for octets, expected in ((511, 250), (512, 250), (513, 500), (514, 500), (1000, 500), (4095, 500), (4096, 500), (4097, 500),
                                 (4098, 500), (5000, 500), (40000, 500), (65536, 500)):
            code, lines = client.command("NOOP " + "x" * (octets - 7))
            self.assertEqual(code, expected, octets)
            if code == 500:
                self.assertRegex(lines[0], r"^500 5\.5\.2 ", octets)
            self.assertEqual(client.command("VRFY x")[0], 252, octets)
        # What extensions add to MAIL and RCPT is taken (RFC 3461: ENVID 100, ORCPT 500).
        self.assertEqual(client.command(f"MAIL FROM:<{'a' * 64}@{'b.' * 120}test> SIZE=1000 BODY=8BITMIME RET=HDRS ENVID={'e' * 100}")[0], 250)
        self.assertEqual(client.command(f"RCPT TO:<{'a' * 64}@{'b.' * 120}test> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{'o' * 493}")[0], 250)
        client.send(b"NOOP " + b"x" * (64 * KIB))   # and no line end
        client.send(b"x" * 100)
        self.assertTrue(self.closed(client))
        client.close()
        self.assertEqual(RawClient(server.port).command("EHLO c.test")[0], 250)
        server.stop()

    def line(self, client, octets):
        client.open_transaction(sender=f"l{octets}@test")
        return client.data(b"Subject: x\r\n\r\n" + b"y" * (octets - 2) + b"\r\n")

    def test_text_lines_passed(self):
        client = RawClient(self.serve('long_lines = "pass"\n').port)
        for octets in (998, 999, 1000, 1001, 4096, 65535, 65536):
            self.assertEqual(self.line(client, octets)[0], 250, octets)
            (message,) = self.arrived(f"l{octets}@test")
            self.assertEqual(without_trace(message[3]), b"Subject: x\r\n\r\n" + b"y" * (octets - 2) + b"\r\n")
        for octets in (65537, 65538, 200000):
            code, lines = self.line(client, octets)
            self.assertEqual((code, lines[0].split()[1]), (500, "5.6.0"), octets)
        self.assertEqual(client.command("NOOP")[0], 250)

    def test_text_lines_refused(self):
        client = RawClient(self.serve('long_lines = "refuse"\n').port)
        for octets, expected in ((999, 250), (1000, 250), (1001, 500), (70000, 500)):
            self.assertEqual(self.line(client, octets)[0], expected, octets)
        self.assertEqual(client.command("NOOP")[0], 250)

    def test_header_size(self):
        client = RawClient(self.serve().port)
        field = b"X-Filler: " + b"z" * 900 + b"\r\n"
        for octets, expected in ((250 * KIB, 250), (256 * KIB, 250), (256 * KIB + 1, 552), (2 * MIB, 552)):
            count = octets // len(field) - 1
            header = field * count
            header += b"X: " + b"w" * (octets - len(header) - 5) + b"\r\n"
            self.assertEqual(len(header), octets)
            client.open_transaction(sender=f"h{octets}@test")
            code, lines = client.data(header + b"\r\nbody\r\n")
            self.assertEqual(code, expected, (octets, lines))
            if code == 552:
                self.assertIn(" 5.3.4 ", lines[0])
            else:
                self.assertEqual(without_trace(self.arrived(f"h{octets}@test")[0][3]), header + b"\r\nbody\r\n")

    def test_received_loop(self):
        client = RawClient(self.serve().port)
        for count, expected in ((100, 250), (101, 554)):
            client.open_transaction(sender=f"r{count}@test")
            code, lines = client.data(b"Received: from a by b; Sat, 21 Nov 2026 00:00:00 +0000\r\n" * count + b"\r\n")
            self.assertEqual(code, expected, lines)
        self.assertIn(" 5.4.6 ", lines[0])

    # --- counts

    def test_recipients(self):
        """1,000 are taken, the rest is answered 452, and the message goes to the first 1,000."""
        server = self.serve()
        client = RawClient(server.port, timeout=60)
        client.command("EHLO c.test")
        lines = ["MAIL FROM:<many@test>"] + [f"RCPT TO:<r{i}@d{i % 7}.test>" for i in range(1300)]
        sender = threading.Thread(target=client.send, args=("\r\n".join(lines) + "\r\n",))
        sender.start()
        replies = [client.reply() for _ in lines]
        sender.join()
        self.assertEqual([r[0] for r in replies], [250] * 1001 + [452] * 300)
        self.assertIn(" 4.5.3 ", replies[-1][1][0])
        self.assertEqual(client.data(b"Subject: x\r\n\r\nhi\r\n")[0], 250)
        client.close()

        def recipients():
            return sorted(r for m in list(self.sink.messages) for r in m[2])
        wait_for(lambda: len(recipients()) >= 1000, 40, what="1,000 recipients")
        self.assertEqual([r.split(" ")[0] for r in recipients()], sorted(f"<r{i}@d{i % 7}.test>" for i in range(1000)))

    def test_message_size(self):
        client = RawClient(self.serve('max_message_size = "100KiB"\n').port)
        code, lines = client.command("EHLO c.test")
        self.assertIn("250-SIZE 102400", [line.replace("250 SIZE", "250-SIZE") for line in lines])
        for size, expected in ((102400, 250), (102401, 552), (2**63, 552), (2**64 - 1, 552), (10**19, 552)):
            code, lines = client.command(f"MAIL FROM:<a@test> SIZE={size}")
            self.assertEqual(code, expected, size)
            client.command("RSET")
        self.assertIn(" 5.3.4 ", lines[0])
        for size in ("", "=", "=-1", "=1k", "=" + "9" * 21):
            self.assertEqual(client.command(f"MAIL FROM:<a@test> SIZE{size}")[0], 501, size)
        body = b"0123456789abcdef0123456789abcd\r\n"
        for how in ("data", "bdat"):
            for octets, expected in ((102400, 250), (102432, 552), (3 * MIB, 552)):
                name = f"{how}{octets}@test"
                client.open_transaction(sender=name)   # SIZE not given, or a lie
                content = b"Subject:        x\r\nA:        \r\n\r\n"[:32]
                content = b"Subject: 45678901234567890\r\n\r\n\r\n"
                content += body * ((octets - len(content)) // 32)
                self.assertEqual(len(content), octets)
                if how == "data":
                    code, lines = client.data(content)
                else:
                    client.send(f"BDAT {octets} LAST\r\n".encode() + content)
                    code, lines = client.reply()
                self.assertEqual(code, expected, (how, octets, lines))
                if code == 552:
                    self.assertIn(" 5.3.4 ", lines[0])
                else:
                    self.assertEqual(without_trace(self.arrived(name)[0][3]), content)
            # Chunk by chunk beyond the limit.
        client.open_transaction()
        codes = []
        for _ in range(5):
            client.send(b"BDAT 40000\r\n" + (b"x" * 78 + b"\r\n") * 500)
            codes.append(client.reply()[0])
        self.assertEqual(codes[:3], [250, 250, 552])
        self.assertEqual(client.command("NOOP")[0], 250)

    def test_errors_and_idle_commands(self):
        server = self.serve()
        client = RawClient(server.port)
        client.command("EHLO c.test")
        for i in range(19):
            self.assertEqual(client.command("BOGUS")[0], 500, i)
        self.assertEqual(client.command("BOGUS")[0], 500)
        self.assertEqual(client.reply()[0], 421)
        self.assertTrue(self.closed(client))
        for words in (("NOOP",), ("RSET",), ("VRFY x",), ("NOOP", "RSET", "VRFY x", "HELP"), ("EHLO c.test",), ("HELO c.test", "EHLO c.test")):
            client = RawClient(server.port)
            client.command("EHLO c.test")
            for i in range(100):
                self.assertIn(client.command(words[i % len(words)])[0], (250, 252, 214), (words, i))
            code, lines = client.command(words[0])
            self.assertEqual((code, lines[0].split()[1]), (421, "4.7.0"), words)
            self.assertTrue(self.closed(client))
        # Mail in between begins the count anew: a client that resets after each message is none to close.
        client = RawClient(server.port)
        client.command("EHLO c.test")
        for i in range(150):
            self.assertEqual(client.command("RSET")[0], 250, i)
            self.assertEqual(client.command("MAIL FROM:<n@test>")[0], 250)
            self.assertEqual(client.command("RCPT TO:<n@test>")[0], 250)
            self.assertEqual(client.data(b"\r\n")[0], 250)

    # --- time

    def test_idle_and_slow(self):
        server = self.serve('idle_timeout = "3s"\ndata_timeout = "3s"\n')
        silent, half, slow, bdat = (RawClient(server.port) for _ in range(4))
        half.send("EHLO c.t")
        for client in (slow, bdat):
            client.open_transaction(sender="slow@test")
        self.assertEqual(slow.command("DATA")[0], 354)
        slow.send(b"Subject: x\r\n\r\nhalf a message\r\n")
        bdat.send(b"BDAT 1000 LAST\r\nSubject: x\r\n\r\nhalf\r\n")
        for client in (silent, half, slow, bdat):
            code, lines = client.reply()
            self.assertEqual((code, lines[0].split()[1]), (421, "4.4.2"))
            self.assertTrue(self.closed(client))
        client = RawClient(server.port)
        client.open_transaction(sender="after@test")
        self.assertEqual(client.data(b"\r\n")[0], 250)
        self.arrived("after@test")
        self.assertFalse([m for m in self.sink.messages if "slow" in m[1]])

    # --- connections and descriptors

    def hold(self, server, count):
        """So many connections that are greeted; the one that asked whether the server is up may still count."""
        held = []

        def one_more():
            client = RawClient(server.port)
            if client.greeting[0] == 220:
                held.append(client)
            return len(held) == count
        wait_for(one_more, 20, what=f"{count} connections")
        return held

    def test_connections_per_address_and_in_all(self):
        server = self.serve("trust_loopback = false\n", top="max_connections_per_address = 5\nmax_connections = 0\n")
        held = self.hold(server, 5)
        refused = RawClient(server.port)
        self.assertEqual((refused.greeting[0], refused.greeting[1][0].split()[1]), (421, "4.7.0"))
        self.assertTrue(self.closed(refused))
        wait_for(lambda: [e for e in server.events("refused") if e["command"] == "CONNECT"], 5, what="the log line")
        held.pop().close()
        wait_for(lambda: RawClient(server.port).greeting[0] == 220, 10, what="a free place")
        server.extra = server.extra.replace("max_connections_per_address = 5", "max_connections_per_address = 8")   # and reloaded
        server.write_config()
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: server.events("reloaded"), 10, what="the new limit")
        held += self.hold(server, 3)
        server.stop()
        server = self.serve("", top="max_connections = 10\nmax_connections_per_address = 1\n")
        held = self.hold(server, 10)   # who may relay is not counted by address
        refused = RawClient(server.port)
        self.assertEqual((refused.greeting[0], refused.greeting[1][0].split()[1]), (421, "4.3.2"))
        held.pop().close()
        wait_for(lambda: RawClient(server.port).greeting[0] == 220, 10, what="a free place")
        server.stop()

    def test_descriptors(self):
        """With 64 descriptors and 100 clients: those who wait are served later, mail in hand goes on, and the log says so."""
        server = self.serve(prefix=["prlimit", "--nofile=64:64"])
        serving = server.serving_pid()
        print(f"descriptors: {descriptors(serving)} at start")
        worker = RawClient(server.port, timeout=60)
        worker.command("EHLO c.test")
        clients = []
        for _ in range(100):
            client = socket.create_connection(("127.0.0.1", server.port), 20)
            client.settimeout(60)
            clients.append(client)
        wait_for(lambda: server.events("accept_failed"), 20, what="the log line")
        used = descriptors(serving)
        print(f"descriptors: {used} of 64 with 100 clients")
        self.assertLess(used, 60)
        # Accepted, stored and relayed while all that may be used is used: the store and the ways out have theirs.
        for i in range(20):
            self.assertEqual(worker.command(f"MAIL FROM:<d{i}@test>")[0], 250)
            self.assertEqual(worker.command("RCPT TO:<b@test>")[0], 250)
            self.assertEqual(worker.data(b"x" * 78 + b"\r\n" + (b"y" * 78 + b"\r\n") * 5000)[0], 250)
        for i in range(20):
            self.arrived(f"d{i}@test")
        self.assertTrue(server.command("status").returncode in (0, 1))
        waiting, greeted = set(clients), 0
        while waiting:   # every one is greeted in its turn, when others have gone
            ready = select.select(list(waiting), [], [], 20)[0]
            self.assertTrue(ready, f"{greeted} of {len(clients)} greeted")
            for client in ready:
                self.assertTrue(client.recv(200).startswith(b"220"))
                client.close()
                waiting.discard(client)
                greeted += 1
        client = RawClient(server.port)
        client.open_transaction(sender="after@test")
        self.assertEqual(client.data(b"\r\n")[0], 250)
        self.arrived("after@test")
        self.assertIsNone(server.process.poll())
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
