"""Space is given back: after a drain the queue's folder is small again.

SIDEGATE_LONG=1: 300 MB with the usual settings, below 100 MB afterwards; else 120 MB, below 40 MB without the ballast.
"""
import os
import signal
import smtplib
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.server import Server, wait_for   # noqa: E402
from support.sink import Sink                 # noqa: E402

LONG = os.environ.get("SIDEGATE_LONG") == "1"
MEGABYTES, LIMIT, SESSIONS = (300, 100, 4) if LONG else (120, 40, 4)


def relay(port, connections):
    return f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\nconnections = {connections}\n'


def megabytes(folder):
    """What the folder takes of the disk."""
    total = 0
    for path, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.stat(os.path.join(path, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total / 1e6


def fill(server):
    # half of it large, half of it small messages
    large = "Subject: large\r\n\r\n" + ("x" * 990 + "\r\n") * 1008
    small = "Subject: small\r\n\r\n" + ("y" * 990 + "\r\n") * 20
    left = [MEGABYTES]
    lock = threading.Lock()

    def run():
        with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
            while True:
                with lock:
                    if left[0] <= 0:
                        return
                    left[0] -= 1
                    use_large = left[0] % 2 == 0
                for _ in range(1 if use_large else 50):
                    client.sendmail("a@test", ["b@test"], large if use_large else small)
    threads = [threading.Thread(target=run) for _ in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def try_space(server, sink):
    server.start()
    fill(server)
    full = megabytes(os.path.join(server.folder, "queue"))
    assert full > MEGABYTES * 0.9, full
    server.relay = relay(sink.port, 20)
    server.write_config()
    server.process.send_signal(signal.SIGHUP)
    expected = MEGABYTES // 2 * 51
    wait_for(lambda: len(sink.messages) >= expected, 300, 0.2, f"{expected} messages")
    drained = time.monotonic()
    wait_for(lambda: megabytes(os.path.join(server.folder, "queue")) < LIMIT, 300 if LONG else 60, 0.5,
             f"the folder to fall below {LIMIT} MB")
    took = time.monotonic() - drained
    now = megabytes(os.path.join(server.folder, "queue"))
    assert len(sink.messages) == expected, len(sink.messages)
    assert server.stop() == 0
    print(f"{full:.0f} MB queued, {expected} messages drained, {now:.0f} MB {took:.0f} s later")


def main():
    sink = Sink().start()
    server = Server(relay=relay(sink.port, 0),
                    extra="" if LONG else '[queue]\nballast = "0"\n')
    try:
        try_space(server, sink)
    except BaseException:
        server.end()
        raise
    server.discard()
    sink.stop()


if __name__ == "__main__":
    main()
