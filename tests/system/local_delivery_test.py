"""Mail that ends on this machine, with real users, a real Dovecot over LMTP, other programs' locks, and attacks."""
import json
import mailbox
import os
import random
import signal
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import disk, local_users                     # noqa: E402
from support.client import RawClient                      # noqa: E402
from support.dovecot import DovecotLmtp, lmtp_available   # noqa: E402
from support.server import BINARY, Server, wait_for       # noqa: E402

TOP = 'local_domains = ["here.test"]\nalias_files = ["{folder}/aliases"]\n'
QUEUE = '[queue]\nretry_first = "300ms"\nretry_max = "300ms"\n'


def setUpModule():
    known = subprocess.run([BINARY, "config", "explain", "local_domains"], capture_output=True)
    if known.returncode != 0:
        raise unittest.SkipTest("this server resolves no local addresses")


class Machine:
    """A server among users of its own. local: the [local] block's lines; aliases: the alias file."""

    def __init__(self, local="", aliases="", users=("alice", "bob", "lists"), top=""):
        self.folder = tempfile.mkdtemp(prefix="sidegate-local-")
        self.users = local_users.LocalUsers(self.folder, *users)
        with open(os.path.join(self.folder, "aliases"), "w") as out:
            out.write(aliases.replace("{folder}", self.folder))
        os.makedirs(os.path.join(self.folder, "server"))
        local = f'[local]\nmbox = "{self.users.spool}/%u"\n' + local.replace("{folder}", self.folder)
        extra = TOP.format(folder=self.folder) + top + QUEUE + local
        self.server = Server(extra=extra, folder=os.path.join(self.folder, "server"), prefix=self.users.prefix)

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            print(self.server.log_text()[-6000:], file=sys.stderr)
        self.server.stop()
        self.server.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def send(self, *recipients, body=b"Subject: x\r\n\r\nhello\r\n", sender="me@away.test"):
        client = RawClient(self.server.port)
        client.open_transaction(sender, recipients)
        code, lines = client.data(body)
        assert code == 250, lines
        client.close()

    def deliveries(self, status=None):
        return [e for e in self.server.events("delivery") if status in (None, e["status"])]

    def sent(self, count, seconds=20):
        return wait_for(lambda: (lambda d: d if len(d) >= count else None)(self.deliveries("sent")), seconds, what=f"{count} deliveries")

    def one(self, status, seconds=20):
        return wait_for(lambda: self.deliveries(status), seconds, what=status)[0]

    def spool(self, user):
        return os.path.join(self.users.spool, user)

    def mbox(self, user):
        path = self.spool(user)
        if not os.path.exists(path):
            return []
        box = mailbox.mbox(path, create=False)
        try:
            return [m.as_string() for m in box]
        finally:
            box.close()

    def maildir(self, user):
        folder = os.path.join(self.users.home(user), "Maildir", "new")
        found = []
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, name), "rb") as mail:
                found.append(mail.read())
        return found


@unittest.skipUnless(local_users.available(), "needs root and unshare")
class Files(unittest.TestCase):
    def test_mailbox_in_the_spool(self):
        with Machine() as m:
            m.send("alice@here.test", body=b"Subject: x\r\n\r\nFrom here on\r\n.\r\n")
            event = m.sent(1)[0]
            self.assertEqual((event["relay"], event["transport"], event["dsn"], event["reply"]),
                             ("local", "local", "2.0.0", "delivered to mailbox"))
            with open(m.spool("alice")) as box:
                text = box.read()
            first, rest = text.split("\n", 1)
            self.assertRegex(first, r"^From me@away\.test  \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$")
            self.assertTrue(rest.startswith("Return-Path: <me@away.test>\nX-Original-To: alice@here.test\nDelivered-To: alice@here.test\n"), rest)
            self.assertTrue(text.endswith("\n>From here on\n.\n\n"), text)
            info = os.stat(m.spool("alice"))
            self.assertEqual((info.st_uid, info.st_gid, info.st_mode & 0o777), (m.users.uids["alice"], 8, 0o600))
            m.send("alice@here.test", "bob@here.test")
            m.sent(3)
            self.assertEqual((len(m.mbox("alice")), len(m.mbox("bob"))), (2, 1))
            self.assertEqual(sorted(os.listdir(m.users.spool)), ["alice", "bob"])

    def test_mbox_with_a_second_writer(self):
        if not shutil.which("dotlockfile"):
            self.skipTest("dotlockfile is missing")
        with Machine() as m:
            path, written, stop = m.spool("alice"), [], threading.Event()
            m.send("alice@here.test")
            m.sent(1)

            def write():
                while not stop.is_set():
                    subprocess.run(["dotlockfile", "-l", "-r", "20", "-p", path + ".lock"], check=True)
                    try:
                        with open(path, "a") as box:
                            for part in ("From other\n", "Subject: other\n\n", "line\n" * 50, "\n"):
                                box.write(part)
                                box.flush()
                        written.append(1)
                    finally:
                        subprocess.run(["dotlockfile", "-u", path + ".lock"], check=True)
                    time.sleep(0.01)

            thread = threading.Thread(target=write)
            thread.start()
            for i in range(30):
                m.send("alice@here.test", body=b"Subject: ours\r\n\r\n" + b"text\r\n" * 50)
            m.sent(31, 60)
            stop.set()
            thread.join()
            boxes = m.mbox("alice")
            self.assertGreater(len(written), 0)
            self.assertEqual(len([b for b in boxes if "Subject: ours" in b]), 30)
            self.assertEqual(len([b for b in boxes if "Subject: other" in b]), len(written))
            for box in boxes[1:]:
                self.assertIn(box.split("\n\n", 1)[1].strip().count("\n"), (49,))

    def test_maildir(self):
        with Machine('delivery = "maildir"\n') as m:
            m.send("alice@here.test")
            self.assertEqual(m.sent(1)[0]["reply"], "delivered to maildir")
            (mail,) = m.maildir("alice")
            self.assertTrue(mail.startswith(b"Return-Path: <me@away.test>\n"), mail)
            self.assertTrue(mail.endswith(b"\n\nhello\n"), mail)
            folder = os.path.join(m.users.home("alice"), "Maildir")
            for name in ("", "tmp", "new", "cur"):
                info = os.stat(os.path.join(folder, name))
                self.assertEqual((info.st_uid, info.st_mode & 0o777), (m.users.uids["alice"], 0o700))

    def test_attacks_on_mailboxes(self):
        with Machine('delivery = "maildir"\n', aliases="file: {folder}/made/box\n") as m:
            secret = os.path.join(m.folder, "secret")
            os.makedirs(os.path.join(secret, "new"))
            os.makedirs(os.path.join(secret, "tmp"))
            os.symlink(secret, os.path.join(m.users.home("alice"), "Maildir"))
            m.send("alice@here.test")
            event = m.one("deferred")
            self.assertIn("symbolic link", event["reply"])
            self.assertEqual(event["dsn"], "4.2.0")
            self.assertEqual(os.listdir(os.path.join(secret, "new")), [])
            # A file that an alias names, in a folder where everybody may write: a link there is another user's trap.
            made = os.path.join(m.folder, "made")
            os.mkdir(made)
            os.chmod(made, 0o1777)
            target = os.path.join(m.folder, "target")
            os.symlink(target, os.path.join(made, "box"))
            m.send("file@here.test")
            wait_for(lambda: [e for e in m.deliveries("deferred") if "file" in e.get("orig_to", "") + e["to"]], what="the file's deferral")
            self.assertFalse(os.path.exists(target))
            # Mended, both arrive.
            os.unlink(os.path.join(m.users.home("alice"), "Maildir"))
            os.unlink(os.path.join(made, "box"))
            m.sent(2)
            self.assertEqual(len(m.maildir("alice")), 1)
            self.assertEqual(os.stat(os.path.join(made, "box")).st_uid, 65534)

    def test_a_full_disk_defers(self):
        with Machine('delivery = "maildir"\n') as m:
            home = m.users.home("alice")
            try:
                full = disk.Disk(os.path.join(m.folder, "disk"), os.path.join(m.folder, "image"), 8)
            except disk.Unavailable as reason:
                self.skipTest(str(reason))
            try:
                os.makedirs(os.path.join(full.where, "Maildir"))
                m.server.stop()
                os.rmdir(home)
                m.users.home("alice")
                with open(os.path.join(m.folder, "passwd")) as passwd:
                    text = passwd.read().replace(home, full.where)
                with open(os.path.join(m.folder, "passwd"), "w") as out:
                    out.write(text)
                for path in (full.where, os.path.join(full.where, "Maildir")):
                    os.chown(path, m.users.uids["alice"], m.users.uids["alice"])
                m.server.start()
                full.fill(64 * 1024)
                m.send("alice@here.test", body=b"Subject: large\r\n\r\n" + b"x" * 76 + b"\r\n" + (b"y" * 76 + b"\r\n") * 5000)
                event = m.one("deferred")
                self.assertEqual((event["dsn"], event["meaning"]), ("4.3.1", "disk-full"))
                self.assertEqual(os.listdir(os.path.join(full.where, "Maildir", "new")), [])
                self.assertEqual(os.listdir(os.path.join(full.where, "Maildir", "tmp")), [])
                full.empty()
                m.sent(1)
                self.assertEqual(len(os.listdir(os.path.join(full.where, "Maildir", "new"))), 1)
            finally:
                m.server.stop()
                full.remove()

    def test_killed_anywhere_nothing_is_lost_and_nothing_is_half(self):
        rng = random.Random(os.environ.get("SIDEGATE_SEED", "7"))
        with Machine('delivery = "maildir"\n') as m:
            accepted = []
            for round_ in range(6):
                for i in range(8):
                    mark = f"mark-{round_}-{i}"
                    m.send("alice@here.test", body=f"Subject: {mark}\r\n\r\n".encode() + b"z" * 70 + b"\r\n" + b"line\r\n" * 2000 + b"END\r\n")
                    accepted.append(mark)
                time.sleep(rng.uniform(0, 0.15))
                for pid in children_of(m.server.process.pid):
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                m.server.kill()
                m.server.start()
            wait_for(lambda: not m.server.command("queue", "list", "--json", check=0).stdout.strip(), 60, 0.2, "an empty queue")
            mails = m.maildir("alice")
            for mark in accepted:
                self.assertTrue([mail for mail in mails if f"Subject: {mark}\n".encode() in mail], mark)
            for mail in mails:
                self.assertTrue(mail.endswith(b"line\nEND\n"), mail[-100:])
                self.assertEqual(mail.count(b"line\n"), 2000)

    def test_forward_files_are_read_with_the_users_rights(self):
        """The server cannot enter a home folder (mode 0700): what ~/.forward says comes from the helper."""
        with Machine('delivery = "maildir"\n') as m:
            m.users.write("alice", ".forward", '\\alice, bob\n"|cat >~/by-command; id -un >~/by-whom"\n')
            m.send("alice@here.test")
            m.sent(3)
            self.assertEqual((len(m.maildir("alice")), len(m.maildir("bob"))), (1, 1))
            with open(os.path.join(m.users.home("alice"), "by-whom")) as whom:
                self.assertEqual(whom.read(), "alice\n")
            # One that others may write to says nothing: the mail stays with its owner, and that is told.
            os.chmod(os.path.join(m.users.home("alice"), ".forward"), 0o666)
            m.send("alice@here.test")
            m.sent(4)
            self.assertEqual((len(m.maildir("alice")), len(m.maildir("bob"))), (2, 1))
            told = wait_for(lambda: m.server.events("alias_problem"), what="the problem in the log")
            self.assertIn("written to by others", told[0]["reason"])

    def test_a_helper_that_dies_is_started_again(self):
        with Machine('delivery = "maildir"\n') as m:
            for round_ in range(2):
                os.kill(helper_of(m.server), signal.SIGKILL)
                wait_for(lambda: len(m.server.events("helper_died")) == round_ + 1, 10, what="its end to be told")
                m.send("alice@here.test")
                m.sent(round_ + 1)
            self.assertEqual(len(m.maildir("alice")), 2)
            self.assertFalse(m.server.events("server_died"))


def helper_of(server):
    """The helper's process id."""
    def named():
        for pid in server.pids()[1:]:
            try:
                with open(f"/proc/{pid}/comm") as name:
                    if name.read().strip() == "sidegate-helper":
                        return pid
            except OSError:   # it has just ended
                pass
        return None
    return wait_for(named, 10, what="the helper")


def children_of(pid):
    """This process's descendants."""
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        try:
            with open(f"/proc/{parent}/task/{parent}/children") as children:
                below = [int(child) for child in children.read().split()]
        except OSError:
            below = []
        found += below
        todo += below
    return found


@unittest.skipUnless(local_users.available(), "needs root and unshare")
class Commands(unittest.TestCase):
    def test_exit_codes_and_identity(self):
        aliases = """ok: "|cat >{folder}/out/ok; id -un >{folder}/out/user; env | sort >{folder}/out/env"
later: "|echo come again; exit 75"
nobody-there: "|echo not here; exit 67"
broken: "|exit 3"
"""
        with Machine('default_user = "lists"\n', aliases=aliases) as m:
            out = os.path.join(m.folder, "out")
            os.mkdir(out)
            os.chmod(out, 0o777)
            m.send("ok@here.test")
            self.assertTrue(m.sent(1)[0]["reply"].startswith("delivered to command: "))
            with open(os.path.join(out, "user")) as user:
                self.assertEqual(user.read(), "lists\n")
            with open(os.path.join(out, "ok")) as ok:
                self.assertTrue(ok.read().startswith("From me@away.test  "))
            with open(os.path.join(out, "env")) as env:
                names = {line.split("=", 1)[0] for line in env.read().splitlines()}
            self.assertTrue({"HOME", "LOGNAME", "USER", "SHELL", "PATH", "LANG", "SENDER", "RECIPIENT", "ORIGINAL_RECIPIENT"} <= names, names)
            self.assertFalse([n for n in names if n.startswith("SIDEGATE")], names)
            m.send("later@here.test")
            event = m.one("deferred")
            self.assertEqual((event["dsn"], event["reply"]), ("4.3.0", "temporary failure. Command output: come again"))
            m.send("nobody-there@here.test", sender="alice@here.test")
            event = m.one("bounced")
            self.assertEqual((event["dsn"], event["reply"]), ("5.1.1", "user unknown. Command output: not here"))
            (report,) = wait_for(lambda: m.server.events("report"), what="the report")
            self.assertEqual((report["to"], report["kind"]), ("alice@here.test", "failure"))
            m.send("broken@here.test")
            wait_for(lambda: [e for e in m.deliveries("bounced") if e["dsn"] == "5.3.0"], what="5.3.0")

    def test_a_hanging_command_delays_nobody(self):
        with Machine('connections = 4\ncommand_timeout = "2s"\n', aliases='hang: "|exec sleep 1000"\nboth: hang, alice\n') as m:
            for _ in range(6):
                m.send("both@here.test")
            for _ in range(5):
                m.send("bob@here.test")
            wait_for(lambda: len(m.mbox("bob")) == 5 and len(m.mbox("alice")) == 6, 10, what="the others' mail")
            wait_for(lambda: [e for e in m.deliveries("deferred") if "Command time limit exceeded" in e["reply"]], what="the time-out")

    def test_every_mailbox_by_a_command(self):
        with Machine('delivery = "command"\ncommand = "cat >~/got-$LOGNAME"\n') as m:
            m.send("alice@here.test", "bob@here.test")
            m.sent(2)
            for user in ("alice", "bob"):
                path = os.path.join(m.users.home(user), "got-" + user)
                self.assertEqual(os.stat(path).st_uid, m.users.uids[user])

    def test_roots_mail_is_never_roots_doing(self):
        with Machine('delivery = "command"\ncommand = "id -un >{folder}/who"\ndefault_user = "lists"\n') as m:
            os.chmod(m.folder, 0o777)
            m.send("root@here.test")
            m.sent(1)
            with open(os.path.join(m.folder, "who")) as who:
                self.assertEqual(who.read(), "lists\n")


@unittest.skipUnless(local_users.available() and lmtp_available(), "needs root, unshare and Dovecot's LMTP server")
class Lmtp(unittest.TestCase):
    def run_over(self, address):
        folder = tempfile.mkdtemp(prefix="sidegate-lmtp-")
        os.chmod(folder, 0o755)
        dovecot = DovecotLmtp(folder, quota_for="bob").start()
        try:
            with Machine(f'delivery = "lmtp"\nlmtp = "{address(dovecot)}"\n') as m:
                m.send("alice@here.test", "bob@here.test", "lists@here.test", sender="")
                event = m.sent(1)[0]
                self.assertEqual((event["to"], event["transport"]), ("alice@here.test", "lmtp"))
                wait_for(lambda: {e["to"] for e in m.deliveries() if e["status"] != "sent"} == {"bob@here.test", "lists@here.test"}, what="the others")
                by = {e["to"]: e for e in m.deliveries() if e["status"] != "sent"}
                self.assertEqual(by["bob@here.test"]["status"], "deferred" if by["bob@here.test"]["reply"].startswith("4") else by["bob@here.test"]["status"])
                self.assertIn("uota", by["bob@here.test"]["reply"])
                self.assertTrue(by["lists@here.test"]["reply"].startswith("550 5.1.1"), by)
                (mail,) = dovecot.mails("alice")
                self.assertIn(b"Subject: x\n", mail)
                large = b"Subject: large\r\n\r\n" + b".dots\r\n" + b"q" * 60 + b"\r\n" + b"w" * 700 + b"\r\n" + (b"e" * 76 + b"\r\n") * 9000
                for body in (b"Subject: again\r\n\r\n.\r\n..\r\n", large):
                    m.send("alice@here.test", body=body)
                m.sent(3)
                mails = dovecot.mails("alice")
                self.assertTrue([x for x in mails if x.endswith(large.replace(b"\r\n", b"\n").split(b"\n\n", 1)[1])])
                self.assertTrue([x for x in mails if x.endswith(b"\n\n.\n..\n")])
        except BaseException:
            print(dovecot.log_text()[-3000:], file=sys.stderr)
            raise
        finally:
            dovecot.stop()
            shutil.rmtree(folder, ignore_errors=True)

    def test_over_a_unix_socket(self):
        self.run_over(lambda d: d.socket)

    def test_over_tcp(self):
        self.run_over(lambda d: f"127.0.0.1:{d.port}")

    def test_a_server_that_is_down_loses_nothing(self):
        folder = tempfile.mkdtemp(prefix="sidegate-lmtp-")
        os.chmod(folder, 0o755)
        dovecot = DovecotLmtp(folder)
        try:
            with Machine(f'delivery = "lmtp"\nlmtp = "{dovecot.socket}"\n') as m:
                m.send("alice@here.test")
                wait_for(lambda: m.server.events("way_down"), what="the way down")
                self.assertEqual(m.deliveries("bounced"), [])
                listed = [json.loads(line) for line in m.server.command("queue", "list", "--json", check=0).stdout.splitlines()]
                self.assertEqual(len(listed), 1)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    unittest.main()
