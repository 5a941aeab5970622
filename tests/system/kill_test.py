"""Kills the server with SIGKILL at random points under load, restarts it, and counts.

Promises 1 and 3: every message answered 250 arrives, byte for byte; one arrives twice only where the kill fell between
the provider's reply and our record of it, so at most as many as there were connections at that moment.
SIGKILL leaves what was written in the page cache; power cuts are tests/powercut's.
"""
import hashlib
import os
import random
import smtplib
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.content import without_trace   # noqa: E402
from support.server import Server, wait_for   # noqa: E402
from support.sink import Sink                 # noqa: E402

KILLS = int(os.environ.get("SIDEGATE_KILLS", "30"))
SEED = int(os.environ.get("SIDEGATE_SEED", "1"))
SESSIONS, CONNECTIONS = 8, 10


class Load:
    """SESSIONS threads that submit until told to stop, and remember what was answered 250."""

    def __init__(self, port, rng):
        self.port, self.acknowledged, self.lock = port, {}, threading.Lock()
        self.stop = threading.Event()
        self.number = 0
        self.threads = [threading.Thread(target=self._run, args=(random.Random(rng.random()),), daemon=True) for _ in range(SESSIONS)]
        for thread in self.threads:
            thread.start()

    def _message(self, rng):
        with self.lock:
            self.number += 1
            name = f"m{self.number}"
        size = 400_000 if rng.random() < 0.01 else rng.choice((10, 800, 4000, 20_000))
        lines = "".join("." * rng.randint(0, 2) + "x" * rng.randint(0, 70) + "\r\n" for _ in range(max(1, size // 40)))
        text = f"From: a@test\r\nTo: b@test\r\nSubject: {name}\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{name}@test>\r\nX-Test: {name}\r\n\r\n{lines}"
        return name, text.encode()

    def _run(self, rng):
        while not self.stop.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as client:
                    client.ehlo("client.test")
                    for _ in range(rng.randint(1, 20)):
                        name, data = self._message(rng)
                        client.sendmail("a@test", ["b@test"], data)
                        with self.lock:
                            self.acknowledged[name] = hashlib.sha256(data).hexdigest()
                        if self.stop.is_set():
                            break
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(30)


def subject(data):
    return data.split(b"X-Test: ", 1)[1].split(b"\r\n", 1)[0].decode()


def main():
    rng = random.Random(SEED)
    sink = Sink().start()
    server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\nconnections = {CONNECTIONS}\n')
    server.start()
    load = Load(server.port, rng)
    kills = []
    try:
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.05, 1.0))
            server.kill()
            kills.append(time.monotonic())
            server.start()
        time.sleep(0.5)
        load.end()
        acknowledged = dict(load.acknowledged)

        def seen():
            return {subject(data) for _, _, _, data in list(sink.messages)}
        wait_for(lambda: set(acknowledged) <= seen(), 90, 0.2, "every acknowledged message")
        time.sleep(1.5)   # anything sent twice has come by now
    except AssertionError as error:
        missing = set(load.acknowledged) - {subject(data) for _, _, _, data in list(sink.messages)}
        print(f"seed {SEED}: {error}; missing {len(missing)} of {len(load.acknowledged)}: {sorted(missing)[:5]}; folder {server.folder}")
        raise
    finally:
        load.stop.set()
        server.stop()
    arrivals = {}
    for at, _, _, data in sink.messages:
        arrivals.setdefault(subject(data), []).append((at, data))
    changed = [name for name, digest in acknowledged.items()
               if any(hashlib.sha256(without_trace(data)).hexdigest() != digest for _, data in arrivals[name])]
    twice = {name: found for name, found in arrivals.items() if len(found) > 1}
    # each second arrival must have a kill between it and the first, and no kill may account for more than was in flight
    unexplained = [name for name, found in twice.items() if not any(found[0][0] - 0.05 <= kill <= found[1][0] for kill in kills)]
    print(f"seed {SEED}: {KILLS} kills, {len(acknowledged)} answered 250, {len(arrivals)} arrived, {len(twice)} twice, "
          f"{len(changed)} changed, {len(unexplained)} duplicates without a kill")
    assert not changed, changed[:5]
    assert not unexplained, unexplained[:5]
    assert len(twice) <= KILLS * CONNECTIONS, len(twice)
    assert len(acknowledged) > KILLS, "the load did not run"
    server.discard()
    sink.stop()


if __name__ == "__main__":
    main()
