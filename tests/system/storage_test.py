"""The disk under the queue fails, stalls, is full; service returns by itself, without a restart.

Nothing that was answered 250 is lost, nothing that was answered 4yz is ever delivered, connections are kept.
"""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient                                     # noqa: E402
from support.disk import Disk, Unavailable                               # noqa: E402
from support.faults import EIO, ENOSPC, FAULT_SHIM, Faults, skip_without  # noqa: E402
from support.server import Server, wait_for                              # noqa: E402
from support.sink import Sink                                            # noqa: E402

SESSIONS = 8
STALL = 12_000 if os.environ.get("SIDEGATE_LONG") == "1" else 4_000   # milliseconds


def relay(sink):
    return f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\nconnections = 4\n'


def body(name, size=800):
    return f"Subject: {name}\r\nX-Test: {name}\r\n\r\n".encode() + (b"x" * 70 + b"\r\n") * (size // 72)


def arrived(sink):
    return [data.split(b"X-Test: ", 1)[1].split(b"\r\n", 1)[0].decode() for _, _, _, data in list(sink.messages)]


class Load:
    """Sessions that stay connected and submit, and note each final reply."""

    def __init__(self, port):
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.replies, self.broken, self.number = {}, [], 0
        self.threads = [threading.Thread(target=self._run, args=(port,), daemon=True) for _ in range(SESSIONS)]
        for thread in self.threads:
            thread.start()

    def _submit(self, client, name):
        """The last reply of this transaction."""
        for line in ("MAIL FROM:<a@test>", "RCPT TO:<b@test>"):
            code, lines = client.command(line)
            if code != 250:
                if line.startswith("RCPT"):
                    client.command("RSET")
                return code, lines
        return client.data(body(name, 300_000 if int(name[1:]) % 20 == 0 else 800))

    def _run(self, port):
        try:
            client = RawClient(port, timeout=60)
            client.command("EHLO client.test")
            while not self.stop.is_set():
                with self.lock:
                    self.number += 1
                    name = f"m{self.number}"
                code, lines = self._submit(client, name)
                with self.lock:
                    self.replies[name] = (code, lines)
                if code == 0:
                    raise ConnectionError("closed")
                if code != 250:
                    time.sleep(0.05)
            client.command("QUIT")
            client.close()
        except OSError as error:
            with self.lock:
                self.broken.append(str(error))

    def count(self, *codes):
        with self.lock:
            return sum(1 for code, _ in self.replies.values() if code in codes)

    def named(self, *codes):
        with self.lock:
            return {name for name, (code, _) in self.replies.items() if code in codes}

    def more(self, *codes):
        """Waits for replies of these codes that come from now on."""
        before = self.count(*codes)
        wait_for(lambda: self.count(*codes) > before + SESSIONS, 40, what=f"more replies of {codes}")

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)


def check(load, sink, what):
    accepted, refused = load.named(250), load.named(451, 452)
    wait_for(lambda: accepted <= set(arrived(sink)), 60, 0.1, f"{what}: every acknowledged message")
    time.sleep(1.0)   # what must not come has had its time
    names = arrived(sink)
    other = set(load.replies) - accepted - refused
    wrong = refused & set(names)
    twice = len(names) - len(set(names))
    print(f"{what}: {len(accepted)} answered 250, {len(refused)} answered 451 or 452, {len(wrong)} of those delivered, "
          f"{twice} twice, {len(load.broken)} connections broken")
    assert not load.broken, load.broken
    assert not other, [load.replies[name] for name in sorted(other)[:3]]
    assert not wrong, sorted(wrong)[:5]
    assert not twice, twice
    assert accepted and refused


def failing_sync():
    sink = Sink().start()
    server = Server(relay=relay(sink), extra='[queue]\nstall_limit = "1s"\nretry_first = "1s"\n')
    faults = Faults(os.path.join(server.folder, "faults"), os.path.join(server.folder, "queue"))
    server.environment = faults.environment
    try:
        server.start(preload=FAULT_SHIM)
        try_faults(server, faults, sink)
        assert server.stop() == 0
    except BaseException:
        server.end()
        raise
    server.discard()
    sink.stop()


def try_faults(server, faults, sink):
    load = Load(server.port)
    for fault in ({"sync_errno": EIO}, {"sync_errno": ENOSPC}, {"write_errno": ENOSPC}, {"sync_errno": EIO, "count": 1}):
        load.more(250)
        before = load.count(451, 452)
        faults.set(**fault)
        # One failed sync refuses the group it served, and who comes while the queue is opened again: on a quick machine one session.
        least = 1 if "count" in fault else SESSIONS
        wait_for(lambda: load.count(451, 452) >= before + least, 40, what=f"refusals after {fault}")
        faults.clear()
        load.more(250)
    assert faults.count("syncs_after_failure") == 0
    faults.set(sync_stall_ms=STALL)
    load.more(451)
    faults.clear()
    load.more(250)
    load.end()
    check(load, sink, "failing and stalled syncs")


def queued(server):
    return server.command("queue", "list", "--json").stdout.count('"id"')


def full_disk(disk_megabytes=96):
    sink = Sink()
    server = Server(extra='[queue]\nmin_free_space = "16MiB"\nballast = "8MiB"\nmemory = "16MiB"\nmax_wal = "8MiB"\nretry_first = "1s"\n')
    try:
        disk = Disk(os.path.join(server.folder, "queue"), os.path.join(server.folder, "image"), disk_megabytes)
    except Unavailable as why:
        print(f"skipped: a full disk ({why})")
        return server.discard()
    try:
        sink.start()
        server.relay = relay(sink)
        server.write_config()
        server.start()
        fills_up(server, disk, sink)
        starts_full(server, disk, sink)
        server.stop()
        sink.stop()
    finally:
        server.end()
        disk.remove()
    server.discard()


def mail_reply(client):
    reply = client.command("MAIL FROM:<a@test>")
    if reply[0] == 250:
        client.command("RSET")
    return reply


def fills_up(server, disk, sink):
    in_hand, other = RawClient(server.port), RawClient(server.port)
    in_hand.open_transaction()
    assert in_hand.command("DATA")[0] == 354
    whole = body("in-hand", 600_000)
    in_hand.send(whole[:400_000])
    other.command("EHLO client.test")
    assert mail_reply(other)[0] == 250
    disk.fill(8 << 20)
    code, lines = wait_for(lambda: (lambda r: r if r[0] != 250 else None)(mail_reply(other)), 10, what="452 at MAIL")
    assert code == 452 and lines[0].startswith("452 4.3.1"), lines
    in_hand.send(whole[400_000:] + b".\r\n")
    code, lines = in_hand.reply()
    assert code == 250, lines
    wait_for(lambda: "in-hand" in arrived(sink), 20, what="delivery with a low disk")
    disk.empty()
    wait_for(lambda: mail_reply(other)[0] == 250, 10, what="service again, on the same connection")
    print("a disk that fills up: 452 4.3.1 at MAIL, mail in hand completed, service returned")


def starts_full(server, disk, sink):
    server.relay = server.relay.replace("connections = 4", "connections = 0")
    assert server.stop() == 0
    server.write_config()
    server.start()
    client = RawClient(server.port)
    for number in range(20):
        client.open_transaction()
        assert client.data(body(f"before{number}"))[0] == 250
    server.kill()
    disk.fill(0)
    assert disk.free() < 8192, disk.free()
    server.relay = server.relay.replace("connections = 0", "connections = 4")
    server.write_config()
    server.start()
    wait_for(lambda: server.events("queue_ballast_dropped"), what="the ballast given up at the start")
    expected = {f"before{number}" for number in range(20)}
    client = RawClient(server.port)
    client.command("EHLO client.test")
    code, lines = mail_reply(client)
    assert code == 452, lines
    wait_for(lambda: expected <= set(arrived(sink)), 30, what="the queue drains on a full disk")
    disk.empty()
    wait_for(lambda: mail_reply(client)[0] == 250, 10, what="service again")
    client.open_transaction()
    assert client.data(body("after"))[0] == 250
    wait_for(lambda: "after" in arrived(sink), 20, what="mail after the full disk")
    print("a start on a full disk: the ballast given up, the queue drained, service returned")


def main():
    skip_without(FAULT_SHIM, "the fault shim")
    failing_sync()
    full_disk()


if __name__ == "__main__":
    main()
