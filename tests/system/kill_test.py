"""Kills the server with SIGKILL at random points under load, restarts it, and counts.

Promises 1 to 3: every message answered 250 arrives, byte for byte; one arrives twice only where the kill fell between
the provider's reply and our record of it, so at most as many as there were connections at that moment. A recipient that
the provider refuses is reported to the sender, once. The load: small messages and streamed ones, several recipients with
one refused, a provider that answers 4yz now and then.
SIGKILL leaves what was written in the page cache; power cuts are tests/powercut's.
"""
import hashlib
import os
import random
import signal
import smtplib
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.content import without_trace   # noqa: E402
from support.server import Server, wait_for, wait_until_none   # noqa: E402
from support.sink import Sink                 # noqa: E402

KILLS = int(os.environ.get("SIDEGATE_KILLS", "30"))
SEED = int(os.environ.get("SIDEGATE_SEED", "1"))
SESSIONS, CONNECTIONS = 8, 10
REFUSED = "refused@test"


class Load:
    """SESSIONS threads that submit until told to stop, and remember what was answered 250."""

    def __init__(self, port, rng):
        self.port, self.acknowledged, self.lock = port, {}, threading.Lock()   # name -> (digest, recipients)
        self.stop = threading.Event()
        self.number = 0
        self.threads = [threading.Thread(target=self._run, args=(random.Random(rng.random()),), daemon=True) for _ in range(SESSIONS)]
        for thread in self.threads:
            thread.start()

    def _message(self, rng):
        with self.lock:
            self.number += 1
            name = f"m{self.number}"
        size = rng.choice((10, 800, 4000, 20_000))
        lines = "".join("." * rng.randint(0, 2) + "x" * rng.randint(0, 70) + "\r\n" for _ in range(max(1, size // 40)))
        if rng.random() < 0.02:   # goes to the store, and out, chunk by chunk
            lines *= 1 + rng.randint(1_000_000, 3_000_000) // len(lines)
        text = f"From: a@test\r\nTo: b@test\r\nSubject: {name}\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{name}@test>\r\nX-Test: {name}\r\n\r\n{lines}"
        return name, text.encode()

    def _run(self, rng):
        while not self.stop.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as client:
                    client.ehlo("client.test")
                    for _ in range(rng.randint(1, 20)):
                        name, data = self._message(rng)
                        recipients = ["b@test", REFUSED, "c@test"] if rng.random() < 0.15 else ["b@test"]
                        client.sendmail("a@test", recipients, data)
                        with self.lock:
                            self.acknowledged[name] = (hashlib.sha256(data).hexdigest(), recipients)
                        if self.stop.is_set():
                            break
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(30)


def subject(data):
    at = data.index(b"X-Test: ") + len(b"X-Test: ")
    return data[at:data.index(b"\r\n", at)].decode()


class Provider:
    """What the sink answers: one recipient is always refused, and now and then a message is put off."""

    def __init__(self, rng):
        self.rng = rng

    def reply(self, stage, text):
        if stage == "rcpt" and REFUSED in text:
            return "550 5.1.1 no such user"
        if stage == "final" and self.rng.random() < 0.03:
            return "451 4.3.0 later"
        return None


class Arrivals:
    """What the sink has: messages and reports, each by the name of the message: [(time, recipients, data, place among
    all)]. It grows: what has been looked at is not looked at again, or the sink would have no time left."""

    def __init__(self, sink):
        self.sink, self.seen, self.messages, self.reports = sink, 0, {}, {}

    def update(self):
        for at, sender, recipients, data in self.sink.messages[self.seen:]:
            kind = self.reports if sender.startswith("<>") else self.messages
            kind.setdefault(subject(data), []).append((at, recipients, data, self.seen))
            self.seen += 1
        return self

    def broke(self, place):
        """The connection did, after that message."""
        return place in self.sink.unconfirmed

    def missing(self, acknowledged):
        return ({name for name in acknowledged if name not in self.messages}
                | {"report of " + name for name, (_, to) in acknowledged.items() if REFUSED in to and name not in self.reports})


def check(arrivals, acknowledged, kills):
    changed = [name for name, (digest, _) in acknowledged.items()
               if any(hashlib.sha256(without_trace(data)).hexdigest() != digest for _, _, data, _ in arrivals.messages[name])]
    wrongly = [name for name, (_, to) in acknowledged.items() for _, got, _, _ in arrivals.messages[name]
               if len(got) != len([one for one in to if one != REFUSED])]
    twice, unexplained = 0, []
    for kind in (arrivals.messages, arrivals.reports):
        for name, found in kind.items():
            twice += len(found) > 1
            # Between two arrivals there must have been a kill: after the first, or before the server saw its reply (the
            # sink reads on for a while what a killed server had sent).
            for (before, _, _, place), (after, _, _, _) in zip(found, found[1:]):
                if not arrivals.broke(place) and not any(before - 0.05 <= kill <= after for kill in kills):
                    unexplained.append((name, before - kills[0], after - kills[0]))
    print(f"seed {SEED}: {len(kills)} kills, {len(acknowledged)} answered 250, {len(arrivals.messages)} arrived, "
          f"{len(arrivals.reports)} reports, {twice} twice, {len(changed)} changed, {len(wrongly)} for wrong recipients, "
          f"{len(unexplained)} duplicates without a kill")
    assert not changed, changed[:5]
    assert not wrongly, wrongly[:5]
    assert not unexplained, unexplained[:5]
    assert not [name for name in arrivals.reports if name in acknowledged and REFUSED not in acknowledged[name][1]]
    # No kill may account for more than was in flight: on each connection one message on the wire, and the one before it,
    # whose outcome is on its way to the disk.
    assert twice <= len(kills) * CONNECTIONS * 2, twice
    assert len(acknowledged) > len(kills), "the load did not run"


def release_suspects(server):
    """What was in hand at three kills is held as poison: it was not to blame, and goes on."""
    held = {event["id"] for event in server.events("message_held")}
    if held:
        print(f"{len(held)} were in hand at three kills and held; released")
        server.command("queue", "release", *sorted(held))


def main():
    rng = random.Random(SEED)
    sink = Sink(reply=Provider(random.Random(rng.random())).reply).start()
    relay = (f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\n'
             f'connections = {CONNECTIONS}\n')
    server = Server(relay=relay, extra='[queue]\nretry_first = "1s"\nretry_max = "1s"\n')
    server.start()
    load, arrivals = Load(server.port, rng), Arrivals(sink)
    kills = []
    try:
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.05, 1.0))
            if rng.random() < 0.3:   # the server alone: its parent starts it again
                serving = server.serving_pid()
                os.kill(serving, signal.SIGKILL)
                kills.append(time.monotonic())
                wait_for(lambda: serving not in server.pids(), 10, 0.002, "the server to be gone")
                server.wait_ready()
                continue
            server.kill()
            kills.append(time.monotonic())
            server.start()
        time.sleep(0.5)
        load.end()
        acknowledged = dict(load.acknowledged)
        release_suspects(server)
        wait_until_none(lambda: len(arrivals.update().missing(acknowledged)), what="acknowledged messages and reports missing")
        time.sleep(1.5)   # anything sent twice has come by now
        assert server.stop() == 0
    except AssertionError as error:
        missing = arrivals.update().missing(load.acknowledged)
        print(f"seed {SEED}: {error}; missing {len(missing)} of {len(load.acknowledged)}: {sorted(missing)[:5]}; folder {server.folder}")
        raise
    finally:
        load.stop.set()
        server.end()
    check(arrivals.update(), acknowledged, kills)
    server.discard()
    sink.stop()


if __name__ == "__main__":
    main()
