"""Clients that are hard to bear: thousands of them, slow ones, half-open ones, endless lines and commands. Bounded, and others notice nothing."""
import os
import resource
import select
import socket
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient                             # noqa: E402
from support.mail_server import MailServer                       # noqa: E402
from support.process import peak_rss, reset_peak, rss            # noqa: E402
from support.server import wait_for                              # noqa: E402

KIB, MIB = 1 << 10, 1 << 20
# The sanitizers' build has another memory.
SANITIZED = "asan" in os.environ.get("SIDEGATE_BUILD", "")
MANY = 5000
# All of a TLS record that begins a handshake but its end.
HALF_A_HELLO = bytes.fromhex("160301020001") + b"\0" * 200


def descriptors_for(count):
    """As many as `count` connections may be had here."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return min(count, most - 1500 if most != resource.RLIM_INFINITY else count)


class Other:
    """A client like any other, before, beside and after the hard ones: each message of its has its time."""

    def __init__(self, test, mail):
        self.test, self.mail, self.sent = test, mail, 0

    def sends(self, count=20):
        took = []
        for _ in range(count):
            began = time.monotonic()
            client = RawClient(self.mail.server.port, timeout=60)
            client.open_transaction(sender="other@test")
            code, lines = client.data(f"Subject: other{self.sent}\r\n\r\nx\r\n".encode())
            self.test.assertEqual(code, 250, lines)
            client.send(b"QUIT\r\n")
            client.close()
            self.sent += 1
            took.append(time.monotonic() - began)
        return max(took)

    def all_arrived(self):
        subjects = {f"Subject: other{n}\r\n".encode() for n in range(self.sent)}

        def there():
            return all(any(s in m[3] for m in list(self.mail.sink.messages)) for s in subjects)
        wait_for(there, 30, what="the other client's mail")


def closed(client):
    """Reads until the end; True when the server has closed."""
    try:
        while client.recv(65536):
            pass
        return True
    except (ConnectionResetError, BrokenPipeError):
        return True


class HardClients(unittest.TestCase):
    def serve(self, more="", **kwargs):
        # max_connections 0: as many as there are descriptors. The other client's listener keeps its patience.
        kwargs.setdefault("top", "max_connections = 0\nmax_connections_per_address = 0\n")
        blocks = {name: more for name in ("smtp", "submission", "submissions")}
        self.mail = MailServer(self, known_user=False, more=blocks, **kwargs).start()
        self.other = Other(self, self.mail)
        self.other.sends(5)
        return self.mail

    def test_five_thousand_connections(self):
        count = descriptors_for(MANY)
        if count < 200:
            self.skipTest(f"needs more file descriptors: {count + 1500}")
        mail = self.serve()
        server = mail.server.serving_pid()
        before = rss(server)
        quiet = self.other.sends()
        kinds = [(mail.server.port, b""), (mail.ports["smtp"], b"EHLO idle.test\r\n"), (mail.ports["smtp"], b"EHLO a\r\nMAIL FROM:<idle@test>\r\n"),
                 (mail.ports["submission"], b"EHL"), (mail.ports["submissions"], b""), (mail.ports["submissions"], HALF_A_HELLO)]
        clients, replies = [], {}
        poll = select.epoll()
        for n in range(count):
            port, said = kinds[n % len(kinds)]
            client = socket.create_connection(("127.0.0.1", port), 60)
            client.sendall(said)
            clients.append(client)
            if port != mail.ports["submissions"]:
                replies[client.fileno()] = client
                poll.register(client, select.EPOLLIN)
        self.addCleanup(lambda: [c.close() for c in clients])
        waiting = set(replies)
        while waiting:   # each of them is greeted
            ready = poll.poll(60)
            self.assertTrue(ready, f"{len(waiting)} of {len(replies)} are not greeted")
            for fd, _ in ready:
                self.assertTrue(replies[fd].recv(100).startswith(b"220 "))
                poll.unregister(fd)
                waiting.discard(fd)
        grown = (rss(server) - before) / count
        busy = self.other.sends(50)
        print(f"{count} connections: {grown / KIB:.1f} KB each; another client's message took {busy * 1000:.0f} ms at most, {quiet * 1000:.0f} ms without them")
        self.assertLess(grown, 40 * KIB * (4 if SANITIZED else 1))
        self.assertLess(busy, 20)
        self.assertEqual(mail.server.command("status").returncode in (0, 1), True)
        for client in clients:   # all at once
            client.close()
        self.other.sends()
        self.other.all_arrived()
        self.assertEqual(mail.server.stop(), 0)

    def test_clients_that_say_an_octet_now_and_then(self):
        """What counts is the whole command, the whole handshake and the pace of the content: an octet now and then is no sign of life."""
        mail = self.serve('idle_timeout = "4s"\ndata_timeout = "4s"\n')
        whole = b"NOOP " + b"x" * 400 + b"\r\n"
        ends, ended = {}, threading.Event()

        def drip(name, port, first, slowly):
            client = socket.create_connection(("127.0.0.1", port), 60)
            client.settimeout(60)
            sent = 0
            try:
                if first:
                    client.sendall(first)
                client.setblocking(False)
                got = b""
                for octet in slowly:
                    if ended.wait(0.2):
                        break
                    try:
                        piece = client.recv(4096)
                        if not piece:
                            break
                        got += piece
                    except BlockingIOError:
                        pass
                    client.send(bytes([octet]))
                    sent += 1
            except OSError:
                pass
            ends[name] = sent
            client.close()
        transaction = b"EHLO slow.test\r\nMAIL FROM:<slow@test>\r\nRCPT TO:<postmaster@gate.test>\r\nDATA\r\n"
        slow = {
            "command": (mail.ports["smtp"], b"", whole), "command after EHLO": (mail.ports["smtp"], b"EHLO slow.test\r\n", whole),
            "content": (mail.ports["smtp"], transaction, b"Subject: slow\r\n\r\n" + b"x" * 400),
            "chunk": (mail.ports["smtp"], transaction[:-6] + b"BDAT 1000 LAST\r\n", b"x" * 417),
            "handshake": (mail.ports["submissions"], b"", HALF_A_HELLO + b"\0" * 200),
            "handshake after STARTTLS": (mail.ports["submission"], b"EHLO slow.test\r\nSTARTTLS\r\n", HALF_A_HELLO + b"\0" * 200),
        }
        threads = [threading.Thread(target=drip, args=(f"{name} {n}", *how)) for name, how in slow.items() for n in range(10)]
        for thread in threads:
            thread.start()
        worst = self.other.sends(40)
        wait_for(lambda: len(ends) == len(threads), 60, what="all to be ended")
        for thread in threads:
            thread.join()
        for name, sent in ends.items():   # none came to its end: that would have taken 80 s
            self.assertLess(sent, len(slow[name.rsplit(" ", 1)[0]][2]), name)
        print(f"octet by octet: ended after {min(ends.values())} to {max(ends.values())} octets; another client's message took {worst * 1000:.0f} ms at most")
        self.assertLess(worst, 20)
        self.other.all_arrived()
        self.assertFalse([m for m in list(mail.sink.messages) if b"Subject: slow" in m[3]])

    def test_half_open_connections_end(self):
        mail = self.serve('idle_timeout = "3s"\n')
        server = mail.server.serving_pid()
        clients = {}
        for name, port, said in (("silent", mail.ports["smtp"], b""), ("half a command", mail.ports["smtp"], b"EHL"), ("no hello", mail.ports["submissions"], b""),
                                 ("half a hello", mail.ports["submissions"], HALF_A_HELLO),
                                 ("half a hello after STARTTLS", mail.ports["submission"], b"EHLO x.test\r\nSTARTTLS\r\n")):
            for n in range(40):
                client = socket.create_connection(("127.0.0.1", port), 60)
                client.settimeout(60)
                client.sendall(said)
                if name.endswith("STARTTLS"):
                    got = b""
                    while b"220 2.0.0" not in got:
                        piece = client.recv(4096)
                        self.assertTrue(piece, got)
                        got += piece
                    client.sendall(HALF_A_HELLO)
                clients[name, n] = client
        self.other.sends()
        for (name, n), client in clients.items():
            self.assertTrue(closed(client), name)
            client.close()
        wait_for(lambda: len(os.listdir(f"/proc/{server}/fd")) < 100, what="their descriptors to be free")
        # What is gone without a word: a client that closes in the middle of everything.
        for _ in range(300):
            client = socket.create_connection(("127.0.0.1", mail.ports["submissions"]), 60)
            client.sendall(HALF_A_HELLO)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")   # a reset
            client.close()
        self.other.sends()
        self.other.all_arrived()

    def test_giant_lines(self):
        mail = self.serve()
        server = mail.server.serving_pid()
        reset_peak(server)
        before = peak_rss(server)
        piece = b"x" * MIB

        def pour(client, count):
            """Sends `count` MiB, or as much as is taken."""
            for n in range(count):
                try:
                    client.socket.sendall(piece)
                except (ConnectionError, BrokenPipeError):
                    return n
            return count
        # As a command: closed after 64 KiB.
        client = RawClient(mail.server.port)
        client.command("EHLO giant.test")
        self.assertLess(pour(client, 100), 100)
        client.close()
        # As content: read to its end, refused, and the session goes on.
        for verb in ("DATA", "BDAT"):
            client = RawClient(mail.server.port, timeout=120)
            client.open_transaction(sender="giant@test")
            if verb == "DATA":
                self.assertEqual(client.command("DATA")[0], 354)
                client.send(b"Subject: giant\r\n\r\n")
                self.assertEqual(pour(client, 100), 100)
                client.send(b"\r\n.\r\n")
            else:
                client.send(f"BDAT {40 * MIB + 2} LAST\r\n".encode())
                self.assertEqual(pour(client, 40), 40)
                client.send(b"\r\n")
            code, lines = client.reply()
            self.assertIn(code, (500, 552), lines)
            self.other.sends(2)
            self.assertEqual(client.command("NOOP")[0], 250)
            client.close()
        # As the header, and as the name of a field.
        client = RawClient(mail.server.port, timeout=120)
        client.open_transaction(sender="giant@test")
        self.assertEqual(client.command("DATA")[0], 354)
        pour(client, 20)
        client.send(b": x\r\n\r\n.\r\n")
        self.assertIn(client.reply()[0], (500, 552, 554))
        client.close()
        grown = peak_rss(server) - before
        print(f"giant lines: {grown / MIB:.1f} MiB at most")
        self.assertLess(grown, 16 * MIB * (4 if SANITIZED else 1))
        self.other.sends()
        self.other.all_arrived()
        self.assertFalse([m for m in list(mail.sink.messages) if b"giant" in m[3]])

    def test_endless_commands(self):
        """Poured in without reading a reply: each session ends with 421, and what it cost is given back."""
        mail = self.serve()
        server = mail.server.serving_pid()
        told = 0   # sessions that read their 421
        # (what is poured in, code of the last reply)
        for words, enhanced in ((b"NOOP\r\n", "4.7.0"), (b"RSET\r\n", "4.7.0"), (b"VRFY x\r\n", "4.7.0"), (b"HELP\r\n", "4.7.0"), (b"EHLO again.test\r\n", "4.7.0"),
                                (b"BOGUS\r\n", "4.7.0"), (b"EXPN x\r\n", "4.7.0"), (b"\r\n", "4.7.0"), (b"MAIL FROM:<a@test>\r\nRSET\r\n", "4.7.0"),
                                (b"MAIL FROM:<a@test>\r\nMAIL FROM:<b@test>\r\n", "4.7.0")):
            client = socket.create_connection(("127.0.0.1", mail.server.port), 60)
            client.settimeout(60)
            client.sendall(b"EHLO endless.test\r\n")
            client.setblocking(False)
            got, sent, end = b"", 0, False
            block = words * 2000
            while not end and sent < 64 * MIB:
                readable, writable, _ = select.select([client], [client], [], 60)
                self.assertTrue(readable or writable, words)
                try:
                    if readable:
                        piece = client.recv(65536)
                        end = not piece
                        got += piece
                    elif writable:
                        sent += client.send(block)
                except ConnectionError:
                    end = True
            self.assertTrue(end, (words, "it never ends"))
            lines = got.decode(errors="replace").splitlines()
            if lines and lines[-1].startswith("421"):
                self.assertIn(enhanced, lines[-1], words)
                told += 1
            else:   # the reset of what it had not read can overtake the last octets, or all of them
                self.assertLess(len(lines), 3000, words)
            client.close()
        self.assertGreater(told, 0)
        reset_peak(server)
        before = rss(server)
        flood = 0
        for _ in range(300):   # and again and again, on new connections
            client = socket.create_connection(("127.0.0.1", mail.server.port), 60)
            try:
                client.sendall(b"EHLO flood.test\r\n" + b"NOOP\r\n" * 200)
                flood += 1
            except ConnectionError:
                pass
            client.close()
        worst = self.other.sends()
        grown = peak_rss(server) - before
        print(f"endless commands: {grown / MIB:.1f} MiB after {flood} floods; another client's message took {worst * 1000:.0f} ms at most")
        self.assertLess(grown, 16 * MIB * (4 if SANITIZED else 1))
        self.other.all_arrived()


if __name__ == "__main__":
    unittest.main()
