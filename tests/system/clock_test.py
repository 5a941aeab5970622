"""The wall clock jumps under a running server (libfaketime): nothing expires, nothing stalls, ids stay unique."""
import glob
import json
import os
import re
import smtplib
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.server import Server, wait_for   # noqa: E402
from support.sink import Sink                 # noqa: E402


class FakeClock:
    """What the server takes for the time of day; its steady clock is left alone."""

    def __init__(self, folder, library):
        self.library, self.path = library, os.path.join(folder, "faketime")
        self.set("+0d")
        self.environment = {"FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_NO_CACHE": "1",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}

    def set(self, offset):
        with open(self.path + ".new", "w") as out:
            out.write(offset + "\n")
        os.rename(self.path + ".new", self.path)


class Gate:
    """Whether the relay takes mail: "up", "451" after the content, "down" (421 at the greeting and at MAIL)."""
    state = "up"

    def reply(self, stage, _):
        if stage in ("greeting", "mail") and self.state == "down":
            return "421 4.3.2 not now"
        if stage == "final" and self.state == "451":
            return "451 4.3.0 later"
        return None


def submit(server, *names):
    ids = []
    with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
        client.ehlo("client.test")
        for name in names:
            client.mail("a@test")
            client.rcpt("b@test")
            code, text = client.data(f"Subject: x\r\nX-Test: {name}\r\n\r\nx\r\n")
            assert code == 250, (code, text)
            ids.append(re.search(rb"queued as (\w+)", text).group(1).decode())
    return ids


def arrived(sink):
    return sorted(data.split(b"X-Test: ", 1)[1].split(b"\r\n", 1)[0].decode() for _, _, _, data in list(sink.messages))


def jumps(server):
    return [event["seconds"] for event in server.events("clock_jumped")]


def jump(server, clock, offset, seconds):
    before = len(jumps(server))
    clock.set(offset)
    wait_for(lambda: len(jumps(server)) > before, 10, what=f"the jump to {offset} to be noticed")
    assert abs(jumps(server)[-1] - seconds) <= 2, jumps(server)


def nothing_ended(server):
    time.sleep(2.5)   # what looks for old messages does so every second
    assert not server.events("report"), server.events("report")[:1]
    ended = [e for e in server.events("delivery") if e["status"] in ("bounced", "held")]
    assert not ended, ended[:1]


def forward(server, clock, gate, sink):
    """Ten days forward while messages wait for a relay that is down, and for their next attempt: twice the lifetime."""
    gate.state = "451"
    ids = submit(server, "deferred")
    wait_for(lambda: server.events("delivery"), 10, what="the deferral")
    gate.state = "down"
    ids += submit(server, "waiting1", "waiting2")
    wait_for(lambda: server.events("way_down"), 10, what="the relay found down")
    jump(server, clock, "+10d", 10 * 86400)
    nothing_ended(server)
    ids += submit(server, "after-forward")
    gate.state = "up"
    server.command("queue", "retry", "--all", check=0)
    wait_for(lambda: arrived(sink) == ["after-forward", "deferred", "waiting1", "waiting2"], 20, what="all after the jump")
    return ids


def back(server, clock, gate, sink):
    """A day back: what waits for its next attempt has it when it would have had it."""
    sink.messages.clear()
    gate.state = "451"
    ids = submit(server, "before-back")
    wait_for(lambda: [e for e in server.events("delivery") if e["id"] == ids[0]], 10, what="the deferral")
    jump(server, clock, "+9d", -86400)
    gate.state = "up"
    ids += submit(server, "after-back1", "after-back2")
    wait_for(lambda: arrived(sink) == ["after-back1", "after-back2", "before-back"], 15, what="all after the jump back")
    nothing_ended(server)
    return ids


def back_while_down(server, clock, gate, sink, start):
    """Set back while the server is stopped: due times on disk lie in the future."""
    sink.messages.clear()
    gate.state = "451"
    ids = submit(server, "before-stop")
    wait_for(lambda: [e for e in server.events("delivery") if e["id"] == ids[0]], 10, what="the deferral")
    assert server.stop() == 0
    clock.set("+7d")
    gate.state = "up"
    start()
    ids += submit(server, "after-start")
    wait_for(lambda: arrived(sink) == ["after-start", "before-stop"], 15, what="what waited over the restart")
    # Its first id was given after ten days forward, so that is the highest there is.
    wait_for(lambda: jumps(server)[-1] < -86400, what="the jump in the log")
    return ids


def waiting(server):
    listed = [json.loads(line) for line in server.command("queue", "list", "--json", check=0).stdout.splitlines()]
    return [row for row in listed if "id" in row]


def main():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not found:
        print("skipped: libfaketime is not installed")
        return
    gate = Gate()
    sink = Sink(reply=gate.reply).start()
    relay = f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\n'
    server = Server(relay=relay, extra='sandbox = false\n[queue]\nretry_first = "2s"\nretry_max = "2s"\n')
    clock = FakeClock(server.folder, found[0])
    server.environment = clock.environment

    def start():
        server.start(preload=clock.library)
    try:
        start()
        ids = forward(server, clock, gate, sink)
        ids += back(server, clock, gate, sink)
        ids += back_while_down(server, clock, gate, sink, start)
        assert len(set(ids)) == len(ids) and ids == sorted(ids), ids
        wait_for(lambda: not waiting(server), what="an empty queue")   # the sink has it a moment before
        assert server.stop() == 0
    except BaseException:
        server.end()
        raise
    print(f"jumps of {jumps(server)} seconds: {len(ids)} messages, each delivered once, ids unique and growing")
    server.discard()
    sink.stop()


if __name__ == "__main__":
    main()
