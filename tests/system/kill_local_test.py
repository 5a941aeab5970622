"""Kills everything with SIGKILL at random points while programs send mail that ends on this machine, and counts.

The same promises as kill_test.py, for what it leaves out: `sendmail` and the drop directory (used while the server is
down), mailboxes as Maildir, mbox and by LMTP, files, folders and commands of the alias file. Killed are the server, its
parent, the helper and its deliveries, and now and then a `sendmail` half-way. What was answered 250, or what `sendmail`
took with exit code 0, arrives whole at each of its ends; no half file stands in a Maildir.
"""
import asyncio
import hashlib
import os
import random
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import programs   # noqa: E402
from support.programs import ALICE, BOB, as_user, environment_for   # noqa: E402
from support.server import Server, wait_for, wait_until_none   # noqa: E402
from support.sink import Sink   # noqa: E402

KILLS = int(os.environ.get("SIDEGATE_KILLS", "9"))
SEED = int(os.environ.get("SIDEGATE_SEED", "1"))
ENDS = {"sg-alice": ("mailbox",), "box": ("file",), "dir": ("folder",), "cmd": ("command",), "out": ("relay",),
        "all": ("mailbox", "file", "folder", "command", "relay")}


def digest(text):
    return hashlib.sha256(text.replace(b"\r\n", b"\n")).hexdigest()


class Lmtp:
    """A server that takes everything, and remembers it when it has said so."""

    def __init__(self, path):
        self.path, self.messages = path, []
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()
        assert self.ready.wait(10)

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.start_unix_server(self._session, self.path, limit=1 << 20))
        os.chmod(self.path, 0o666)
        self.ready.set()
        self.loop.run_forever()

    async def _session(self, reader, writer):
        try:
            writer.write(b"220 lmtp.test LMTP\r\n")
            recipients = 0
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"LHLO":
                    writer.write(b"250-lmtp.test\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n")
                elif verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    await writer.drain()
                    lines = []
                    while (line := await reader.readline()) != b".\r\n":
                        if not line:
                            return
                        lines.append(line[1:] if line.startswith(b".") else line)
                    self.messages.append(b"".join(lines))
                    writer.write(b"250 2.0.0 kept\r\n" * recipients)
                else:
                    recipients = 0 if verb in (b"MAIL", b"RSET") else recipients + (verb == b"RCPT")
                    writer.write(b"221 2.0.0 bye\r\n" if verb == b"QUIT" else b"250 2.0.0 ok\r\n")
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class House:
    """A server with every kind of end, and what has arrived there."""

    def __init__(self, delivery, sink):
        self.delivery, self.sink = delivery, sink
        self.folder = tempfile.mkdtemp(prefix="sidegate-kill-")
        os.chmod(self.folder, 0o755)
        for name, uid in (("mail", ALICE), ("files", BOB), ("taken", BOB)):
            os.mkdir(f"{self.folder}/{name}")
            os.chown(f"{self.folder}/{name}", uid, uid)
        os.mkdir(f"{self.folder}/spool")
        os.chown(f"{self.folder}/spool", 0, 8)   # root:mail, as Debian's /var/mail
        os.chmod(f"{self.folder}/spool", 0o2775)
        with open(f"{self.folder}/take", "w") as out:
            # A name is taken once, and what became of each message stands in the journal.
            out.write(f"""#!/bin/sh
t=$(mktemp {self.folder}/taken/tmp.XXXXXXXXXX) && cat >"$t" || exit 75
d={self.folder}/taken/done.${{t##*.}}
ln "$t" "$d" || exit 75
echo "$(date +%T.%N) $(stat -c '%i %s' "$d") $d $(sed -n 's/^Subject: //p;/^$/q' "$d")" >>{self.folder}/taken/journal
rm "$t"
""")
        os.chmod(f"{self.folder}/take", 0o755)
        with open(f"{self.folder}/aliases", "w") as out:
            out.write(f'box: {self.folder}/files/box\ndir: {self.folder}/files/dir/\ncmd: "|{self.folder}/take"\nout: out@x.example\n'
                      "all: sg-alice, box, dir, cmd, out\nme: /dev/null\n")
        self.lmtp = Lmtp(f"{self.folder}/lmtp") if delivery == "lmtp" else None
        local = {"maildir": f'maildir = "{self.folder}/mail/%u/"\n', "mbox": f'mbox = "{self.folder}/spool/%u"\n', "lmtp": f'lmtp = "{self.folder}/lmtp"\n'}
        self.server = Server(
            relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\n',
            extra=f'alias_files = ["{self.folder}/aliases"]\nmax_messages_per_minute_per_user = 100000\n'
                  f'[local]\ndelivery = "{delivery}"\ndefault_user = "sg-bob"\n{local[delivery]}[queue]\nretry_first = "1s"\nretry_max = "1s"\n',
            user="sg-server")
        os.chmod(self.server.folder, 0o755)
        # SIGKILL leaves locks behind; they are stale after 500 s, which no test waits
        self.locks = (f"{self.folder}/spool/sg-alice.lock", f"{self.folder}/files/box.lock")

    def descendants(self):
        found, at = [], [self.server.process.pid]
        while at:
            pid = at.pop()
            try:
                with open(f"/proc/{pid}/task/{pid}/children") as children:
                    more = [int(child) for child in children.read().split()]
            except OSError:
                continue
            found += more
            at += more
        return found

    def kill(self, rng):
        if rng.random() < 0.6:   # deliveries under way as well; else they come to their end by themselves
            for pid in self.descendants():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.server.kill()
        for lock in self.locks:
            if os.path.exists(lock):
                os.remove(lock)

    @staticmethod
    def folder_mails(path):
        new = os.path.join(path, "new")
        for name in os.listdir(new) if os.path.isdir(new) else []:
            with open(os.path.join(new, name), "rb") as mail:
                yield mail.read()

    @staticmethod
    def box_mails(path):
        if os.path.exists(path):
            with open(path, "rb") as box:
                yield from re.split(rb"(?m)^From \S+  .*\n", box.read())[1:]

    def taken(self):
        for name in os.listdir(f"{self.folder}/taken"):
            if name.startswith("done."):
                with open(f"{self.folder}/taken/{name}", "rb") as mail:
                    yield mail.read()

    def journal_of(self, names):
        """What the command says to have done with them."""
        path = f"{self.folder}/taken/journal"
        lines = open(path, errors="replace").read().splitlines() if os.path.exists(path) else []
        return "\n".join(line for line in lines if line.rsplit(" ", 1)[-1] in names)

    def mails(self):
        mailbox = {"maildir": lambda: self.folder_mails(f"{self.folder}/mail/sg-alice"), "mbox": lambda: self.box_mails(f"{self.folder}/spool/sg-alice"),
                   "lmtp": lambda: list(self.lmtp.messages)}[self.delivery]
        return {"mailbox": list(mailbox()), "file": list(self.box_mails(f"{self.folder}/files/box")), "folder": list(self.folder_mails(f"{self.folder}/files/dir")),
                "command": list(self.taken()), "relay": [m[3] for m in list(self.sink.messages)]}

    def undelivered(self):
        drop = f"{self.server.folder}/drop"
        left = [name for name in os.listdir(drop) if not name.startswith("tmp-") and name != "bad"]
        return len(left) + self.server.command("queue", "list", "--json", check=0).stdout.count("\n")

    def discard(self):
        self.server.discard()
        shutil.rmtree(self.folder, ignore_errors=True)


def read(mail):
    """Name and digest of a mail's own body, or None where it is not whole."""
    mail = mail.replace(b"\r\n", b"\n")
    name = re.search(rb"(?m)^Subject: (k\d+)$", mail)
    if not name or b"\n\n" not in mail:
        return None
    body = mail.split(b"\n\n", 1)[1].rstrip(b"\n") + b"\n"
    return (name.group(1).decode(), digest(body)) if body.endswith(b"END\n") else None


class Load:
    """Programs and clients that send until told to stop; what was taken: name -> (digest, ends)."""

    def __init__(self, house, sendmail, rng):
        self.house, self.sendmail = house, sendmail
        self.taken, self.lock, self.number, self.stop = {}, threading.Lock(), 0, threading.Event()
        self.dropped = 0
        self.threads = [threading.Thread(target=run, args=(random.Random(rng.random()),), daemon=True)
                        for run in (self._client, self._client, self._programs, self._programs)]
        for thread in self.threads:
            thread.start()

    def _message(self, rng):
        with self.lock:
            self.number += 1
            name = f"k{self.number}"
        lines = "".join("." * rng.randint(0, 1) + "x" * rng.randint(1, 70) + "\n" for _ in range(rng.choice((1, 20, 2000)))) + "END\n"
        return name, f"From: me@gate.test\nTo: you@gate.test\nSubject: {name}\n\n{lines}".encode(), digest(lines.encode())

    def _taken(self, name, body, to):
        with self.lock:
            self.taken[name] = (body, ENDS[to])

    def _client(self, rng):
        while not self.stop.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self.house.server.port, timeout=20) as client:
                    for _ in range(5):
                        name, text, body = self._message(rng)
                        to = rng.choice(sorted(ENDS))
                        client.sendmail("me@gate.test", [f"{to}@gate.test"], text.replace(b"\n", b"\r\n"))
                        self._taken(name, body, to)
                        if self.stop.is_set():
                            break
                        time.sleep(0.02)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)

    def _programs(self, rng):
        while not self.stop.is_set():
            name, text, body = self._message(rng)
            to = rng.choice(sorted(ENDS))
            program = subprocess.Popen(as_user(ALICE, self.sendmail, "-i", "-f", "me@gate.test", to), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                       env=environment_for(self.house.server))
            if rng.random() < 0.1:
                threading.Timer(rng.uniform(0, 0.02), program.kill).start()
            try:
                program.communicate(text, 60)
            except BrokenPipeError:
                program.wait()
            if program.returncode == 0:
                self._taken(name, body, to)

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()


def missing(house, taken):
    whole = {end: {read(mail) for mail in mails} for end, mails in house.mails().items()}
    return [(name, end) for name, (body, ends) in taken.items() for end in ends if (name, body) not in whole[end]]


def check(house, taken, kills, drops):
    mails = house.mails()
    twice = halves = 0
    for end, found in mails.items():
        names = [read(mail) for mail in found]
        half = names.count(None)
        halves += half
        whole = [name for name in names if name]
        twice += len(whole) - len(set(whole))
        # a folder holds whole messages only; a file, or a command that was killed with what it reads from, one for each kill
        assert half <= (0 if end in ("folder", "relay") or (end == "mailbox" and house.delivery != "mbox") else kills), (end, half)
    assert not [e for e in house.server.events("drop_set_aside")]
    assert drops > 0, "the drop directory was not used"
    count = {end: len(found) for end, found in mails.items()}
    print(f"seed {SEED}, {house.delivery}: {kills} kills, {len(taken)} taken, {drops} seen in the drop directory; arrived {count}, {twice} twice, {halves} halves of files")
    assert twice <= kills * 40, twice
    assert len(taken) > kills, "the load did not run"


def run(delivery, kills, rng, sendmail):
    sink = Sink().start()
    house = House(delivery, sink)
    house.server.start()
    load = Load(house, sendmail, rng)
    drops = set()

    def dropped():
        return {name for name in os.listdir(f"{house.server.folder}/drop") if re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]{16}", name)}

    try:
        for _ in range(kills):
            time.sleep(rng.uniform(0.05, 0.6))
            house.kill(rng)
            drops |= wait_for(lambda: dropped() - drops, 30, 0.005, "a message dropped while it is down")
            house.server.start()
        load.end()
        held = {event["id"] for event in house.server.events("message_held")}
        if held:   # in hand at three kills: not to blame
            house.server.command("queue", "release", *sorted(held))
        wait_until_none(house.undelivered, what="messages in the drop directory and the queue")
        wait_for(lambda: not missing(house, load.taken), what="every message at all of its ends")
        assert house.server.stop() == 0
    except AssertionError as error:
        gone = missing(house, load.taken)
        print(f"seed {SEED}, {delivery}: {error}; missing {len(gone)}: {gone[:5]}; folder {house.folder} {house.server.folder}")
        print(house.journal_of({name for name, end in gone if end == "command"}))
        raise
    finally:
        load.stop.set()
        house.server.end()
    check(house, load.taken, kills, len(drops))
    house.discard()
    sink.stop()


def main():
    installed = programs.Installed()
    rng = random.Random(SEED)
    try:
        for delivery in ("maildir", "mbox", "lmtp"):
            run(delivery, max(1, KILLS // 3), rng, installed.sendmail)
    finally:
        installed.discard()


if __name__ == "__main__":
    programs.own_users()
    programs.make_users()
    main()
