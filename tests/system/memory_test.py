"""What clients cost in memory: idle ones, ones that never read, and large messages."""
import hashlib
import os
import random
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient                             # noqa: E402
from support.content import without_trace                        # noqa: E402
from support.process import peak_rss, reset_peak, rss            # noqa: E402
from support.receiving import ReceivingCase                     # noqa: E402
from support.server import wait_for                              # noqa: E402

KIB, MIB = 1 << 10, 1 << 20


class Memory(ReceivingCase):
    def test_just_started(self):
        """All three processes, pages that they share counted in each."""
        server = self.serve()
        wait_for(lambda: sum(map(rss, server.pids())) < 40 * MIB, what="processes of less than 40 MiB")
        self.assertEqual(len(server.pids()), 3)
        wait_for(lambda: rss(server.process.pid) < 12 * MIB, what="a small parent")
        server.stop()

    def test_idle_connections(self):
        server = self.serve()
        warm = [RawClient(server.port) for _ in range(50)]
        for client in warm:
            client.command("EHLO c.test")
        before = rss(server.serving_pid())
        clients = [RawClient(server.port) for _ in range(2000)]
        for client in clients:
            self.assertEqual(client.command("EHLO c.test")[0], 250)
        grown = (rss(server.serving_pid()) - before) / 2000
        print(f"idle connections: {grown / KIB:.1f} KB each")
        self.assertLess(grown, 20000)
        server.stop()

    def test_idle_tls_connections(self):
        count = 1000
        context = ssl._create_unverified_context()
        # networks: one address may then hold so many connections
        server = self.serve('profile = "smtp"\nnetworks = ["127.0.0.0/8"]\n')

        def idle():
            plain = RawClient(server.port)
            plain.command("EHLO c.test")
            self.assertEqual(plain.command("STARTTLS")[0], 220)
            secured = context.wrap_socket(plain.socket)
            plain.file.close()
            secured.sendall(b"EHLO c.test\r\n")
            received = b""
            while b"250 " not in received:
                received += secured.recv(4000)
            return secured
        warm = [idle() for _ in range(50)]
        before = rss(server.serving_pid())
        clients = [idle() for _ in range(count)]
        grown = (rss(server.serving_pid()) - before) / count
        print(f"idle TLS connections: {grown / KIB:.1f} KB each")
        self.assertLess(grown, 24 * KIB * (3 if "asan" in os.environ.get("SIDEGATE_BUILD", "") else 1))
        for client in warm + clients:
            client.close()
        server.stop()

    def test_client_that_never_reads(self):
        """Replies that nobody takes: we stop reading. What waits is bounded, and the other clients notice nothing."""
        server = self.serve("max_idle_commands = 100000\nmax_errors = 1000\n")
        RawClient(server.port).command("EHLO c.test")
        before = rss(server.serving_pid())
        stuck = []
        for commands in (b"NOOP\r\n" * 1000, b"EHLO c.test\r\n" * 500, b"HELP\r\n" * 1000, b"EHLO c.test\r\nMAIL FROM:<a@test>\r\n" * 300,
                         b"MAIL FROM:<a@test>\r\nRSET\r\n" * 300):
            for _ in range(4):
                client = socket.socket()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.connect(("127.0.0.1", server.port))
                client.sendall(b"EHLO c.test\r\n")
                client.setblocking(False)
                sent = 0
                end = time.monotonic() + 3
                while time.monotonic() < end and sent < 64 * MIB:
                    try:
                        sent += client.send(commands)
                        end = time.monotonic() + 0.3
                    except BlockingIOError:
                        time.sleep(0.01)
                    except ConnectionError:   # too many commands without mail: closed
                        break
                self.assertLess(sent, 64 * MIB, "it reads for ever")
                stuck.append(client)
        grown = rss(server.serving_pid()) - before
        print(f"clients that never read: {grown / KIB / len(stuck):.0f} KB each")
        kernel = subprocess.run(["ss", "-tnH", "sport", "=", f":{server.port}"], capture_output=True, text=True).stdout
        queued = [int(line.split()[2]) for line in kernel.splitlines()]
        print(f"in the kernel: {max(queued, default=0) // KIB} KB at most")
        self.assertLess(max(queued, default=0), 300 * KIB)
        self.assertLess(grown / len(stuck), 200 * KIB)
        client = RawClient(server.port)
        client.open_transaction(sender="after@test")
        self.assertEqual(client.data(b"\r\n")[0], 250)
        self.arrived("after@test")
        for client in stuck:
            client.close()
        server.stop()

    def test_large_messages(self):
        """Four times 50 MiB at once, byte for byte, and no more memory than the store's budget and 1 MiB a session."""
        sessions, size = 4, 50 * MIB - 4 * KIB
        # Reception alone: nothing is relayed until the provider comes back.
        server = self.serve(relay=False, start=False)
        server.relay = '[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = 1\ntls = "none"\n'
        server.write_config()
        server.start()
        rng = random.Random(1)
        block = b"".join(bytes(rng.choices(range(33, 127), k=76)) + b"\r\n" for _ in range(1000))
        digests = {}

        def send(name, octets):
            client = RawClient(server.port, timeout=120)
            client.open_transaction(sender=f"{name}@test")
            assert client.command("DATA")[0] == 354
            digest = hashlib.sha256()
            sent = 0
            head = f"Subject: {name}\r\n\r\n".encode()
            digest.update(head)
            client.send(head)
            while sent + len(block) < octets:
                at = rng.randrange(len(block) // 78) * 78
                piece = block[at:] + block[:at]
                digest.update(piece)
                client.send(piece.replace(b"\r\n.", b"\r\n..") if not piece.startswith(b".") else b"." + piece.replace(b"\r\n.", b"\r\n.."))
                sent += len(piece)
            client.send(b".\r\n")
            code, lines = client.reply()
            client.close()
            digests[name] = digest.hexdigest() if code == 250 else lines

        def all_at_once(names, octets):
            threads = [threading.Thread(target=send, args=(name, octets)) for name in names]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        # The store's memory first: write buffers and block cache fill up to their budget whatever the sessions do.
        all_at_once(["warm0"], 40 * MIB)
        before = rss(server.serving_pid())
        reset_peak(server.serving_pid())
        begun = time.monotonic()
        all_at_once([f"big{i}" for i in range(sessions)], size)
        grown = peak_rss(server.serving_pid()) - before
        print(f"4 messages of 50 MiB: {time.monotonic() - begun:.1f} s, RSS {before // MIB} MiB, peak growth {grown / MIB:.1f} MiB")
        for name, digest in digests.items():
            self.assertIsInstance(digest, str, (name, digest))
        self.assertLess(grown, 60 * MIB)
        server.stop()
        server.relay = f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {self.sink.port}\ntls = "none"\n'
        server.write_config()
        server.start()
        server.command("queue", "retry", "--all")
        for name, digest in digests.items():
            (message,) = self.arrived(f"{name}@test")
            self.assertEqual(hashlib.sha256(without_trace(message[3])).hexdigest(), digest, name)
        server.stop()


if __name__ == "__main__":
    unittest.main()
