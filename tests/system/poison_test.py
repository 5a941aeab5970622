"""A message that kills the server: after the third crash inside it, it is held and reported; all others arrive."""
import json
import os
import signal
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.faults import CRASH_SHIM, skip_without   # noqa: E402
from support.server import Server, wait_for           # noqa: E402
from support.sink import Sink                         # noqa: E402

MARK, OTHERS, CONNECTIONS = "kills-whoever-sends-it", 50, 4


def relay(port, connections):
    return (f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\nconnections = {connections}\n')


def submit(port):
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        for number in range(OTHERS + 1):
            mark = MARK if number == OTHERS // 2 else "harmless"
            client.sendmail("a@test", ["b@test"], f"Subject: {mark}\r\nX-Test: m{number}\r\n\r\nx\r\n")


def numbers(sink):
    return [data.split(b"X-Test: ", 1)[1].split(b"\r\n", 1)[0].decode() for _, _, _, data in list(sink.messages)]


def queued(server):
    rows = [json.loads(line) for line in server.command("queue", "list", "--json", check=0).stdout.splitlines()]
    return [row["id"] for row in rows if "id" in row]


def main():
    skip_without(CRASH_SHIM, "the crash shim")
    sink = Sink().start()
    server = Server(relay=relay(sink.port, 0), environment={"CRASH_ON": MARK})
    try:
        try_poison(server, sink)
    except BaseException:
        server.end()
        raise
    server.discard()
    sink.stop()


def try_poison(server, sink):
    server.start(preload=CRASH_SHIM)
    submit(server.port)
    assert not sink.messages
    server.relay = relay(sink.port, CONNECTIONS)
    server.write_config()
    server.process.send_signal(signal.SIGHUP)
    others = {f"m{n}" for n in range(OTHERS + 1) if n != OTHERS // 2}
    # Each time the server dies its parent starts it again, until it knows which message it was.
    wait_for(lambda: server.events("message_held") and others <= set(numbers(sink)), 60, 0.05, "the end of the crashes")
    died = server.events("server_died")
    assert all("signal 6" in event["how"] for event in died), died
    crashes = len(died)
    assert crashes == 3, crashes
    arrived = numbers(sink)
    twice = len(arrived) - len(set(arrived))
    assert set(arrived) == others, others ^ set(arrived)
    held = server.events("message_held")
    assert len(held) == 1 and held[0]["crashes"] == 3, held
    # The sink has the last message a moment before the server has put down that it was taken.
    wait_for(lambda: queued(server) == [held[0]["id"]], 20, what="a queue of the held message alone")
    shown = server.command("queue", "show", held[0]["id"], check=0).stdout
    assert "held" in shown and "crashed 3 times" in shown, shown
    # It stays so over a restart, and goes when the operator says so (and the server no longer minds).
    assert server.stop() == 0
    server.environment = {}
    server.start()
    assert "held" in server.command("queue", "show", held[0]["id"], check=0).stdout
    assert numbers(sink) == arrived
    server.command("queue", "release", held[0]["id"], check=0)
    wait_for(lambda: f"m{OTHERS // 2}" in numbers(sink), 20, what="the released message")
    print(f"{crashes} crashes, {len(set(arrived))} others arrived ({twice} twice), 1 held, reported and released")
    server.stop()


if __name__ == "__main__":
    main()
