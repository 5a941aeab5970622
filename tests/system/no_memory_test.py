"""Requests for memory that fail on the I/O threads, under load: each ends its own session (421 4.3.0, or the connection) or its
own attempt, and nothing else. What was answered 250 arrives, idle sessions live on, and when there is memory again all
is as before, without a restart."""
import hashlib
import os
import random
import smtplib
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.content import without_trace                       # noqa: E402
from support.faults import MEMORY_SHIM, Memory, skip_without    # noqa: E402
from support.server import Server, wait_for                     # noqa: E402
from support.sink import Sink                                   # noqa: E402

SESSIONS, MESSAGES, WARM = 6, 30, 600
LEAST, EVERY = 4096, 7


def message(name, size):
    lines = "x" * 70 + "\r\n"
    return (f"From: a@test\r\nTo: b@test\r\nSubject: {name}\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{name}@test>\r\n"
            f"X-Test: {name}\r\n\r\n" + lines * (size // 72)).encode()


class Load:
    def __init__(self, port):
        self.port, self.taken, self.refusals = port, {}, []

    def submit(self, name, size):
        data = message(name, size)
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as client:
                client.sendmail("a@test", ["b@test"], data)
                self.taken[name] = hashlib.sha256(data).hexdigest()
        except smtplib.SMTPResponseException as error:
            self.refusals.append((error.smtp_code, error.smtp_error))
        except (smtplib.SMTPException, OSError) as error:
            self.refusals.append((0, str(error).encode()))

    def run(self, prefix, count, seed):
        rng = random.Random(seed)
        for n in range(count):
            self.submit(f"{prefix}-{n}", rng.choice((100, 3000, 9000, 70_000, 600_000)))

    def storm(self):
        threads = [threading.Thread(target=self.run, args=(f"storm{i}", MESSAGES, i), daemon=True) for i in range(SESSIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive()


def arrived(sink):
    found = {}
    for _, _, _, data in list(sink.messages):
        content = without_trace(data)
        name = content.split(b"X-Test: ", 1)[1].split(b"\r\n", 1)[0].decode()
        found[name] = hashlib.sha256(content).hexdigest()
    return found


def try_it(server, sink, memory):
    server.start(preload=MEMORY_SHIM)
    load = Load(server.port)
    load.run("warm", 20, 1)
    with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:   # what grows with the queue has grown
        for n in range(WARM):
            client.sendmail("a@test", ["b@test"], message(f"small-{n}", 72))
            load.taken[f"small-{n}"] = hashlib.sha256(message(f"small-{n}", 72)).hexdigest()
    assert not load.refusals, load.refusals
    idle = smtplib.SMTP("127.0.0.1", server.port, timeout=60)
    idle.ehlo()
    memory.set(LEAST, EVERY)
    load.storm()
    failed = memory.failed()
    memory.set(0, 0)
    assert server.process.poll() is None, f"the server ended with {server.process.returncode}"
    assert failed >= 20, failed
    assert any(code == 421 and b"4.3.0" in text for code, text in load.refusals), load.refusals[:20]
    assert idle.noop()[0] == 250   # a session that asked for nothing has lost nothing
    idle.quit()
    refused = len(load.refusals)
    load.run("after", 20, 2)
    assert len(load.refusals) == refused, load.refusals[refused:]
    wait_for(lambda: load.taken.keys() <= arrived(sink).keys(), 60, 0.2,
             f"what was answered 250: {sorted(load.taken.keys() - arrived(sink).keys())[:10]}")
    found = arrived(sink)
    assert all(found[name] == digest for name, digest in load.taken.items())
    print(f"{failed} requests failed: {refused} sessions ended, {len(load.taken)} messages taken and arrived, the server lives on")
    assert server.stop() == 0


def main():
    skip_without(MEMORY_SHIM, "the memory shim")
    folder = tempfile.mkdtemp(prefix="sidegate-memory-")
    memory = Memory(os.path.join(folder, "control"))
    sink = Sink().start()
    server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\n',
                    extra='[queue]\nretry_first = "1s"\n', environment=memory.environment)
    try:
        try_it(server, sink, memory)
    except BaseException:
        print(server.log_text()[-4000:], file=sys.stderr)
        server.end()
        raise
    server.discard()
    sink.stop()


if __name__ == "__main__":
    main()
