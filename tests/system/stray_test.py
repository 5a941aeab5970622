"""A message with two classes whose attempts end at the same time, killed behind each write to the queue's log in turn.

Between the record of the last recipient's end and the message's removal there is a moment in which it has no due row: who
dies there leaves a message that no schedule knows. At the next start it is found and removed; wherever else the kill
falls, both recipients get the message, and nothing is left in the queue.
"""
import concurrent.futures
import os
import smtplib
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.faults import CRASH_SHIM, skip_without   # noqa: E402
from support.server import Server, wait_for           # noqa: E402
from support.sink import Sink                         # noqa: E402

MOST_WRITES, AT_A_TIME, MOST_WALKS = 40, 4, 6
MESSAGE = "Subject: two classes\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@test>\r\n\r\nx\r\n"


class Providers:
    """The first defers one@a.test once and refuses our sender for two@b.test; the second takes it, but answers only when
    the first has taken the other one: two leases of one message end together."""

    def __init__(self):
        self.deferred, self.taken = False, threading.Event()
        self.first = Sink(reply=self.at_first).start()
        self.second = Sink(reply=self.at_second).start()

    def at_first(self, stage, text):
        if stage == "rcpt" and "two@b.test" in text:
            return "550 5.7.60 client does not have permissions to send as this sender"
        if stage == "rcpt" and not self.deferred:
            self.deferred = True
            return "450 4.2.1 later"
        if stage == "final":
            self.taken.set()
        return None

    def at_second(self, stage, text):
        if stage == "rcpt" and "one@a.test" in text:
            return "450 4.2.1 not here"
        if stage == "final":
            self.taken.wait(5)
        return None

    def recipients(self):
        return {r for sink in (self.first, self.second) for message in list(sink.messages) for r in message[2]}

    def stop(self):
        self.first.stop()
        self.second.stop()


def relays(providers):
    return "".join(f'[[relay]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\n'
                   for name, sink in (("first", providers.first), ("second", providers.second)))


def empty(server):
    """Whether the queue is empty; not while the server is away and the queue with it"""
    result = server.command("queue", "list", "--json")
    return result.returncode == 0 and '"id"' not in result.stdout


def submit(server):
    try:
        with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
            client.sendmail("a@test", ["one@a.test", "two@b.test"], MESSAGE)
        return True
    except (OSError, smtplib.SMTPException):
        return False   # it died before its reply


def killed_behind(write):
    """(killed, strays found at the next start). The server that dies is started again by its parent."""
    providers = Providers()
    server = Server(relay=relays(providers), extra='[queue]\nretry_first = "200ms"\nretry_max = "200ms"\n',
                    environment={"CRASH_AFTER_LOG_WRITE": str(write)})
    at_start = False
    try:
        server.start(wait=False, preload=CRASH_SHIM)
        try:
            server.wait_ready(20)
        except AssertionError:   # a server that dies before it has served once is not started again
            at_start = server.process.poll() is not None
            assert at_start
            server.environment = {}
            server.start()
        accepted = submit(server)
        both = {"<one@a.test>", "<two@b.test>"}
        wait_for(lambda: empty(server) and (not accepted or providers.recipients() == both), 30, 0.1,
                 f"an empty queue and both recipients served, write {write}")
        assert server.stop() == 0
        swept = sum(event["finished"] for event in server.events("queue_swept"))
        killed = at_start or bool(server.events("server_died"))
    except BaseException:
        print(f"write {write}:", server.log_text()[-3000:], file=sys.stderr)
        server.end()
        raise
    finally:
        providers.stop()
    server.discard()
    return killed, swept


def walk():
    """(kills, strays found): one kill behind each write, until a run needs no more"""
    kills = swept = 0
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        for first in range(1, MOST_WRITES, AT_A_TIME):
            results = list(pool.map(killed_behind, range(first, first + AT_A_TIME)))
            kills += sum(killed for killed, _ in results)
            swept += sum(found for _, found in results)
            if not all(killed for killed, _ in results):
                return kills, swept
    raise AssertionError(f"{MOST_WRITES} writes, and no end")


def main():
    skip_without(CRASH_SHIM, "the crash shim")
    kills = swept = 0
    for _ in range(MOST_WALKS):   # two ends that share one write leave nothing between them
        more, found = walk()
        kills, swept = kills + more, swept + found
        if swept:
            break
    assert kills >= 4, kills
    assert swept >= 1, f"{kills} kills, and none left a message without due rows"
    print(f"killed behind each of {kills} writes; {swept} times a message without due rows was found and removed")


if __name__ == "__main__":
    main()
