"""The drop directory, with real users: what is kept while the server is down, who may do what, and what attacks come to."""
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import programs   # noqa: E402
from support.programs import ALICE, BOB, GROUP, SERVER, as_user, environment_for   # noqa: E402
from support.disk import Disk, Unavailable   # noqa: E402
from support.server import Server, wait_for   # noqa: E402
from support.sink import Sink   # noqa: E402

MESSAGE = b"Subject: hi\n\nbody\n"
GOOD = b"sidegate-drop 1\nfrom a@x.example\nto b@x.example\nmessage 16\nSubject: x\r\n\r\n\r\n"
NAME = "0123456789abcdef-%016x"


class DropCase(unittest.TestCase):
    extra = ""

    def setUp(self):
        self.sink = Sink().start()
        self.addCleanup(self.sink.stop)
        relay = f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {self.sink.port}\ntls = "none"\n'
        self.server = Server(relay=relay, user="sg-server", extra=self.extra)
        self.addCleanup(self.server.discard)
        self.programs = programs.Installed()
        self.addCleanup(self.programs.discard)
        os.chmod(self.server.folder, 0o755)
        os.chown(self.server.config_path, SERVER, SERVER)
        self.drop = f"{self.server.folder}/drop"
        self.server.start()

    def send(self, uid, *arguments, text=MESSAGE, no_new_privs=False, **more):
        return subprocess.run(as_user(uid, self.programs.sendmail, *arguments, no_new_privs=no_new_privs), input=text,
                              capture_output=True, env=environment_for(self.server), timeout=60, **more)

    def helper(self, request=GOOD, uid=ALICE, directory=None, **more):
        return subprocess.run(as_user(uid, self.programs.drop, directory or self.drop), input=request, capture_output=True,
                              timeout=30, **more)

    def dropped(self):
        return sorted(name for name in os.listdir(self.drop) if name != "bad")

    def arrived(self, count=1):
        return wait_for(lambda: list(self.sink.messages) if len(self.sink.messages) >= count else None, 30, what="mail")


class DownTest(DropCase):
    def test_up_then_down_then_back(self):
        self.assertEqual(self.send(ALICE, "up@x.example").returncode, 0)
        self.assertIn(f"(from user sg-alice, uid {ALICE}) with ESMTP id".encode(), b" ".join(self.arrived()[0][3].split()))
        self.server.stop()
        for uid, to in ((ALICE, "a@x.example"), (BOB, "b@x.example"), (0, "r@x.example"), (64399, "n@x.example")):
            done = self.send(uid, "-i", to)
            self.assertEqual((done.returncode, done.stderr), (0, b""), uid)
        folder = os.stat(self.drop)
        self.assertEqual((folder.st_uid, folder.st_gid, stat.S_IMODE(folder.st_mode)), (SERVER, GROUP, 0o1730))
        files = [os.stat(f"{self.drop}/{name}") for name in self.dropped()]
        self.assertEqual([f.st_uid for f in files], [ALICE, BOB, 0, 64399])
        self.assertEqual({(f.st_gid, stat.S_IMODE(f.st_mode)) for f in files}, {(GROUP, 0o640)})
        self.server.start()
        found = {m[2][0]: m for m in self.arrived(5)}
        self.assertIn(b"(from user sg-bob, uid %d) id " % BOB, b" ".join(found["<b@x.example>"][3].split()))
        self.assertIn(b"(from user uid64399, uid 64399)", found["<n@x.example>"][3])
        self.assertIn("=?utf-8?B?".encode(), found["<a@x.example>"][3])   # Alice's name from the password file
        wait_for(lambda: not self.dropped(), 20, what="an empty directory")
        wait_for(lambda: ("sg-bob", str(BOB)) in {(e["user"], e["uid"]) for e in self.server.events("accepted")}, 20, what="the uid in the log")

    def test_users_are_kept_apart(self):
        self.server.stop()
        self.assertEqual(self.send(ALICE, "a@x.example").returncode, 0)
        path = f"{self.drop}/{self.dropped()[0]}"
        for uid in (ALICE, BOB):
            for command in (["cat", path], ["rm", "-f", path], ["ls", self.drop], ["ln", path, f"{self.drop}/{NAME % 1}"],
                            ["touch", f"{self.drop}/{NAME % 2}"], ["cat", self.server.config_path], ["ls", f"{self.server.folder}/queue"]):
                done = subprocess.run(as_user(uid, *command), capture_output=True)
                self.assertNotEqual(done.returncode, 0, command)
        self.assertTrue(os.path.exists(path))

    def test_without_set_gid(self):
        done = self.send(ALICE, "up@x.example", no_new_privs=True)   # the socket needs no rights
        self.assertEqual(done.returncode, 0, done.stderr)
        self.server.stop()
        done = self.send(ALICE, "a@x.example", no_new_privs=True)
        self.assertEqual(done.returncode, 75)
        self.assertIn(b"no_new_privs", done.stderr)
        self.assertIn(b"next:", done.stderr)
        self.assertEqual(self.dropped(), [])

    def test_dialogue_while_down(self):
        self.server.stop()
        text = (b"EHLO app\r\nMAIL FROM:<web@x.example>\r\nRCPT TO:<one@x.example>\r\nDATA\r\nSubject: 1\r\n\r\n..x\r\n.\r\n"
                b"MAIL FROM:<web@x.example>\r\nRCPT TO:<two@x.example>\r\nDATA\r\nSubject: 2\r\n\r\ny\r\n.\r\nQUIT\r\n")
        done = self.send(ALICE, "-bs", text=text)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count(b"kept until the server is back"), 2, done.stdout)
        self.server.start()
        found = {m[2][0]: m[3] for m in self.arrived(2)}
        self.assertTrue(found["<one@x.example>"].endswith(b"\r\n\r\n..x\r\n") or found["<one@x.example>"].endswith(b"\r\n\r\n.x\r\n"))

    def test_refused_at_pickup_is_reported(self):
        self.server.stop()
        self.assertEqual(self.send(ALICE, "-f", "me@x.example", "bad@@x", "good@x.example").returncode, 0)
        self.assertEqual(self.send(ALICE, "-f", "<>", "bad@@x").returncode, 0)   # nobody to tell
        self.server.start()
        found = self.arrived(2)
        report = [m for m in found if m[1].startswith("<>")][0]
        self.assertEqual(report[2], ["<me@x.example>"])
        self.assertIn(b"bad@@x", report[3])
        wait_for(lambda: self.server.events("drop_set_aside"), 20, what="the second one set aside")
        wait_for(lambda: not self.dropped(), what="an empty directory")
        self.assertEqual(len(os.listdir(f"{self.drop}/bad")), 1)

    def test_killed_while_picking_up(self):
        self.server.stop()
        count = 40
        for n in range(count):
            self.assertEqual(self.send(ALICE, f"u{n}@x.example").returncode, 0)
        for pause in (0.0, 0.02, 0.05, 0.1, 0.2, 0.01):
            self.server.start(wait=False)
            wait_for(lambda: "queue_loaded" in self.server.log_text() or self.server.process.poll() is not None, 20)
            time.sleep(pause)
            self.server.kill()
        self.server.start()
        wait_for(lambda: {to for m in list(self.sink.messages) for to in m[2]} >= {f"<u{n}@x.example>" for n in range(count)}, 60,
                 what="every dropped message")
        wait_for(lambda: not self.dropped(), 20, what="an empty directory")
        self.assertFalse(os.path.exists(f"{self.drop}/bad"))


class BusyTest(DropCase):
    extra = "max_messages_per_minute_per_user = 3\nmax_connections_per_user = 2\n"

    def test_4yz_goes_to_the_drop_directory(self):
        for n in range(5):
            self.assertEqual(self.send(ALICE, f"u{n}@x.example").returncode, 0)
        self.assertEqual(self.send(BOB, "bob@x.example").returncode, 0)
        self.arrived(4)
        self.assertEqual(len(self.dropped()), 2)
        wait_for(lambda: [e for e in self.server.events("refused") if "4.7.1" in e["reply"]], what="the log line")
        with open(self.server.config_path) as old:
            text = old.read().replace("per_user = 3", "per_user = 0")
        with open(self.server.config_path, "w") as new:
            new.write(text)
        self.server.process.send_signal(signal.SIGHUP)
        self.arrived(6)

    def test_connections_of_one_user(self):
        code = "import socket,sys,time\nfor _ in range(2):\n s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(100)[:3].decode(),flush=True); globals()['k%d'%_]=s\ntime.sleep(30)"
        held = subprocess.Popen(as_user(ALICE, sys.executable, "-c", code, f"{self.server.folder}/submit"), stdout=subprocess.PIPE, text=True)
        self.addCleanup(held.stdout.close)
        self.addCleanup(held.wait)
        self.addCleanup(held.kill)
        self.assertEqual([held.stdout.readline().strip() for _ in range(2)], ["220", "220"])
        self.assertEqual(self.send(ALICE, "third@x.example").returncode, 0)
        self.assertEqual(self.send(BOB, "bob@x.example").returncode, 0)
        self.arrived(2)   # the third one by way of the drop directory
        wait_for(lambda: [e for e in self.server.events("refused") if e["reply"].startswith("421 4.7.0")], what="the log line")


class PowerTest(DropCase):
    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="sidegate-power-")
        os.chmod(self.base, 0o755)
        try:
            self.disk = Disk(f"{self.base}/disk", f"{self.base}/image", 96)
        except Unavailable as why:
            self.skipTest(str(why))
        self.addCleanup(self.disk.remove)
        self.extra = f'drop_directory = "{self.base}/disk/drop"\n'
        super().setUp()
        self.drop = f"{self.base}/disk/drop"

    def test_what_was_kept_survives_a_power_cut(self):
        self.server.stop()
        os.sync()
        environment = dict(environment_for(self.server), SIDEGATE_DROP_DIRECTORY=self.drop)
        for n in range(5):
            done = subprocess.run(as_user(ALICE, self.programs.sendmail, "-i", f"u{n}@x.example"), input=MESSAGE, env=environment, capture_output=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        with open(f"{self.drop}/{NAME % 1}", "w"):   # not synced: gone, or the cut was none
            pass
        self.disk.cut()
        self.disk.restore()
        self.assertEqual(len(self.dropped()), 5)
        self.server.start()
        self.assertEqual({to for m in self.arrived(5) for to in m[2]}, {f"<u{n}@x.example>" for n in range(5)})
        self.server.stop()

    def test_a_full_disk(self):
        self.server.stop()
        self.disk.fill(1 << 20)
        environment = dict(environment_for(self.server), SIDEGATE_DROP_DIRECTORY=self.drop)
        done = subprocess.run(as_user(ALICE, self.programs.sendmail, "u@x.example"), input=MESSAGE, env=environment, capture_output=True)
        self.assertEqual(done.returncode, 75)
        self.assertIn(b"space", done.stderr)
        self.assertEqual(self.dropped(), [])


class AttackTest(DropCase):
    def setUp(self):
        super().setUp()
        self.server.stop()

    def test_good_request(self):
        done = self.helper()
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(len(self.dropped()), 1)

    def test_bad_requests(self):
        for request in (b"", GOOD[:-1], GOOD + b"x", GOOD.replace(b"message 16", b"message 17"), GOOD.replace(b"from", b"uid 0\nfrom"),
                        GOOD.replace(b"to b", b"to \x01"), b"\xff" * 5000, b"sidegate-drop 1\nfrom a\n" + b"to b\n" * 300_000,
                        GOOD.replace(b"16", b"999999999"), GOOD.replace(b"b@x", b"b" * 2000)):
            done = self.helper(request)
            self.assertEqual(done.returncode, 65, (request[:60], done.stderr))
            self.assertEqual(self.dropped(), [])

    def test_other_directories(self):
        other = f"{self.server.folder}/other"
        os.mkdir(other)
        os.chown(other, ALICE, GROUP)   # as a user could make it in a set-gid folder
        os.chmod(other, 0o1730)
        os.symlink(self.drop, f"{self.server.folder}/link")
        for directory in ("/tmp", "/etc", other, f"{self.server.folder}/link", "drop", "", "/nonexistent", f"{self.drop}/../other"):
            done = self.helper(directory=directory) if directory else subprocess.run(as_user(ALICE, self.programs.drop), input=GOOD, capture_output=True)
            self.assertNotEqual(done.returncode, 0, directory)
        self.assertEqual(os.listdir(other), [])
        self.assertEqual(self.dropped(), [])

    def test_prepared_processes(self):
        def limited():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        done = self.helper(preexec_fn=limited)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.dropped(), [])   # nothing half
        closed = f'exec 1>&- 2>&-; exec {self.programs.drop} {self.drop}'
        self.assertEqual(subprocess.run(as_user(ALICE, "sh", "-c", closed), input=GOOD).returncode, 0)
        nothing = f'exec 0<&- 1>&- 2>&-; exec {self.programs.drop} {self.drop}'
        self.assertIn(subprocess.run(as_user(ALICE, "sh", "-c", nothing)).returncode, (65, 74))   # the loader may give it /dev/full
        wild = dict(os.environ, LD_PRELOAD="/nonexistent.so", TMPDIR="/x", IFS="/", MALLOC_PERTURB_="1")
        self.assertEqual(self.helper(env=wild).returncode, 0)
        ignoring = "import signal,os,sys\nfor n in (1,2,15,25,13,14): signal.signal(n, signal.SIG_IGN)\nos.umask(0)\nos.execv(sys.argv[1], sys.argv[1:])"
        self.assertEqual(subprocess.run(as_user(ALICE, sys.executable, "-c", ignoring, self.programs.drop, self.drop), input=GOOD).returncode, 0)
        modes = {stat.S_IMODE(os.stat(f"{self.drop}/{name}").st_mode) for name in self.dropped()}
        self.assertEqual(modes, {0o640})

    def test_killed_in_the_middle_leaves_nothing_to_deliver(self):
        child = subprocess.Popen(as_user(ALICE, self.programs.drop, self.drop), stdin=subprocess.PIPE)
        child.stdin.write(GOOD.replace(b"message 16", b"message 200000") + b"x" * 100_000)
        child.stdin.flush()
        wait_for(self.dropped, 10, what="the unfinished file")
        child.terminate()
        child.wait()
        child.stdin.close()
        self.assertEqual(self.dropped(), [])
        child = subprocess.Popen(as_user(ALICE, self.programs.drop, self.drop), stdin=subprocess.PIPE)
        child.stdin.write(GOOD.replace(b"message 16", b"message 200000") + b"x" * 100_000)
        child.stdin.flush()
        unfinished = wait_for(self.dropped, 10, what="the unfinished file")
        child.kill()
        child.wait()
        child.stdin.close()
        self.assertTrue(unfinished[0].startswith("tmp-"))
        os.utime(f"{self.drop}/{unfinished[0]}", (1, 1))
        self.server.start()
        wait_for(lambda: not self.dropped(), 20, what="the unfinished file removed")
        self.assertEqual(self.server.events("drop_set_aside"), [])

    def test_what_is_no_dropped_message_is_set_aside(self):
        def put(name, content=GOOD, uid=ALICE, mode=0o640, says=None):
            path = f"{self.drop}/{name}"
            with open(path, "wb") as out:
                out.write(content.replace(b"\n", b"\nuid %d\ntime 1700000000\n" % (uid if says is None else says), 1))
            os.chown(path, uid, GROUP)
            os.chmod(path, mode)
        secret = f"{self.server.folder}/secret"
        with open(secret, "w") as out:
            out.write("password")
        put(NAME % 1, says=0)                      # another's uid
        put(NAME % 2, content=GOOD[:-3])           # cut short
        put(NAME % 3, mode=0o666)
        put("hello")
        os.symlink(secret, f"{self.drop}/{NAME % 4}")
        os.mkfifo(f"{self.drop}/{NAME % 5}")
        os.mkdir(f"{self.drop}/{NAME % 6}")
        put(NAME % 7)
        os.link(f"{self.drop}/{NAME % 7}", f"{self.server.folder}/second")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(f"{self.drop}/{NAME % 8}")
        put(NAME % 9 + ".9")                       # crashed the server nine times
        put(NAME % 10, content=GOOD.replace(b"\r\n\r\n\r\n", b"\n\n\n\r\n\n"))   # bare LF: refused, and reported to its sender
        put(NAME % 11)
        self.server.start()
        found = self.arrived(2)
        self.assertEqual(sorted(m[2][0] for m in found), ["<a@x.example>", "<b@x.example>"])
        wait_for(lambda: self.dropped() == [NAME % 6], 20, what="only root's folder, which cannot be moved")
        wait_for(lambda: len(self.server.events("drop_set_aside")) >= 10, what="the log lines")
        time.sleep(1.5)   # two more looks
        self.assertEqual(len(self.server.events("drop_set_aside")), 10)
        self.assertIn(len(os.listdir(f"{self.drop}/bad")), (8, 9))   # a sandboxed server removes the symbolic link
        self.assertTrue(os.path.exists(secret))
        self.assertEqual(stat.S_IMODE(os.stat(f"{self.drop}/bad").st_mode), 0o700)
        self.assertEqual(len(self.sink.messages), 2)


if __name__ == "__main__":
    programs.own_users()
    programs.make_users()
    unittest.main()
