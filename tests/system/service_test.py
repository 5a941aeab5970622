"""As a service: what the service manager is told, sockets that it hands over, and a new version that takes over."""
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import server as support             # noqa: E402
from support.client import RawClient              # noqa: E402
from support.server import Server, free_port, wait_for       # noqa: E402
from support.sink import Sink                     # noqa: E402

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
# Starts a program as systemd would: the sockets from descriptor 3 on, and the variables about them.
ACTIVATE = """
import os, sys
fds, names, command = [int(n) for n in sys.argv[1].split(",")], sys.argv[2], sys.argv[3:]
for i, fd in enumerate(fds):
    os.dup2(fd, 100 + i)
for i in range(len(fds)):
    os.dup2(100 + i, 3 + i)
os.closerange(3 + len(fds), 256)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""


class Manager:
    """systemd's end of NOTIFY_SOCKET."""

    def __init__(self, folder, abstract=False):
        self.name = f"@sidegate-test-{os.getpid()}-{free_port()}" if abstract else os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + self.name[1:] if abstract else self.name)
        self.socket.settimeout(0.1)
        self.told = []

    def look(self):
        try:
            while True:
                text = self.socket.recv(65536).decode()
                self.told.append(dict(line.split("=", 1) for line in text.split("\n")))
        except TimeoutError:
            return self.told

    def wait(self, key, after=0, what=None):
        """The first datagram with that key from the one with index `after` on; its index and itself."""
        def found():
            return [(n, one) for n, one in enumerate(self.look()) if n >= after and key in one]
        return wait_for(found, what=what or f"{key} in what the manager is told")[0]

    def close(self):
        self.socket.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.sink = Sink().start()
        self.addCleanup(self.sink.stop)
        self.server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {self.sink.port}\ntls = "none"\n')
        self.addCleanup(self.server.discard)

    def submit(self, sender, port=None):
        client = RawClient(port or self.server.port)
        client.open_transaction(sender=sender)
        code, _ = client.data(b"Subject: x\r\n\r\nx\r\n")
        client.close()
        return code


class Told(Case):
    def manager(self, abstract=False, **environment):
        manager = Manager(self.server.folder, abstract)
        self.addCleanup(manager.close)
        self.server.environment = dict(environment, NOTIFY_SOCKET=manager.name)
        return manager

    def test_ready_reload_and_stop(self):
        for abstract in (False, True):
            manager = self.manager(abstract)
            self.server.start()
            first, ready = manager.wait("READY")
            self.assertEqual(ready["READY"], "1")
            self.assertIn("in the queue", ready["STATUS"])
            before = time.monotonic_ns() // 1000
            self.server.process.send_signal(signal.SIGHUP)
            begun, reloading = manager.wait("RELOADING", first + 1)
            self.assertGreaterEqual(int(reloading["MONOTONIC_USEC"]), before)
            done, _ = manager.wait("READY", begun + 1)
            # A bad file: the reload ends too, and the status says what became of it.
            with open(self.server.config_path, "a") as config:
                config.write("nonsense = 1\n")
            self.server.process.send_signal(signal.SIGHUP)
            begun, _ = manager.wait("RELOADING", done + 1)
            done, ready = manager.wait("READY", begun + 1)
            self.assertIn("refused", ready["STATUS"])
            self.assertEqual(self.server.stop(), 0)
            manager.wait("STOPPING", done + 1)
            self.server.write_config()

    def test_the_watchdog_is_fed_while_the_server_answers_and_only_then(self):
        manager = self.manager(WATCHDOG_USEC="600000")
        self.server.start()
        ready, _ = manager.wait("READY")
        seen, _ = manager.wait("WATCHDOG", ready + 1)
        manager.wait("WATCHDOG", seen + 1)
        serving = self.server.serving_pid()
        os.kill(serving, signal.SIGSTOP)
        try:
            manager.look()
            # One answer may have been on its way; however slow the machine is, a stopped server gives no other.
            stopped = len(manager.told)
            time.sleep(2)
            manager.look()
            self.assertLessEqual(len([one for one in manager.told[stopped:] if "WATCHDOG" in one]), 1)
        finally:
            os.kill(serving, signal.SIGCONT)
        manager.wait("WATCHDOG", len(manager.told))

    def test_a_server_that_dies_is_told_and_ready_again(self):
        manager = self.manager()
        self.server.start()
        first, _ = manager.wait("READY")
        os.kill(self.server.serving_pid(), signal.SIGSEGV)
        manager.wait("READY", first + 1)
        self.assertTrue(any("died" in one.get("STATUS", "") for one in manager.told))


class Activated(Case):
    def activate(self, sockets, names):
        fds = [one.fileno() for one in sockets]
        for fd in fds:
            os.set_inheritable(fd, True)
        self.server.prefix = [sys.executable, "-c", ACTIVATE, ",".join(map(str, fds)), names]
        log = open(self.server.log_path, "a")
        self.server.process = subprocess.Popen(
            [*self.server.prefix, support.BINARY, "run", "--config", self.server.config_path], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, env=self.server.child_environment(), close_fds=False)
        log.close()
        for one in sockets:
            one.close()

    @staticmethod
    def listening(port):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", port))
        one.listen(100)
        return one

    def test_a_socket_is_matched_by_its_address(self):
        waiting = self.listening(self.server.port)
        early = socket.create_connection(("127.0.0.1", self.server.port))   # before anybody accepts
        self.addCleanup(early.close)
        self.activate([waiting], "unknown")
        self.server.wait_ready()
        early.settimeout(60)
        self.assertTrue(early.recv(100).startswith(b"220"))
        self.assertEqual(self.submit("one@test"), 250)
        self.assertEqual(self.server.stop(), 0)

    def test_a_socket_is_matched_by_its_name_and_the_difference_told(self):
        port = free_port()
        self.activate([self.listening(port)], "in")
        wait_for(lambda: support.greets(port), what="the greeting")
        self.assertFalse(support.greets(self.server.port))
        self.assertEqual(self.submit("one@test", port), 250)
        wait_for(lambda: any("systemd's socket" in e.get("warning", "") for e in self.server.events("start")), what="a warning")
        self.assertEqual(self.server.stop(), 0)

    def test_one_that_no_listener_is_configured_for_is_an_error(self):
        port = free_port()
        self.activate([self.listening(port)], "odd")
        self.assertNotEqual(self.server.process.wait(60), 0)
        self.assertIn(f"127.0.0.1:{port} (\"odd\") and no listener is configured", self.server.log_text())

    def test_one_that_does_not_listen_is_an_error(self):
        self.activate([socket.socket(socket.AF_INET, socket.SOCK_DGRAM)], "log")
        self.assertNotEqual(self.server.process.wait(60), 0)
        self.assertIn("no listening stream socket", self.server.log_text())


class Upgrade(Case):
    def setUp(self):
        super().setUp()
        self.binary = os.path.join(self.server.folder, "sidegate")
        shutil.copy(support.BINARY, self.binary)
        original, support.BINARY = support.BINARY, self.binary
        self.addCleanup(setattr, support, "BINARY", original)
        self.original = original

    def serving_pid(self):
        """Asked of the binary that works."""
        with unittest.mock.patch.object(support, "BINARY", self.original):
            return self.server.serving_pid()

    def new_version(self, text=None):
        fresh = self.binary + ".new"
        if text is None:
            shutil.copy(self.original, fresh)
        else:
            with open(fresh, "w") as out:
                out.write(text)
            os.chmod(fresh, 0o755)
        os.rename(fresh, self.binary)

    def test_nobody_is_refused_while_a_new_version_takes_over(self):
        self.server.start()
        stop, trouble, taken = threading.Event(), [], []

        def load(n):
            count = 0
            while not stop.is_set():
                sender, count = f"c{n}-{count}@test", count + 1
                try:
                    with socket.create_connection(("127.0.0.1", self.server.port), 60) as one:
                        one.settimeout(60)
                        reader = one.makefile("rb")
                        if not reader.readline().startswith(b"220"):
                            trouble.append("no greeting")
                            continue
                        codes = []
                        for line in (b"HELO x", f"MAIL FROM:<{sender}>".encode(), b"RCPT TO:<a@elsewhere.test>", b"DATA",
                                     b"Subject: x\r\n\r\nx\r\n."):
                            one.sendall(line + b"\r\n")
                            codes.append(reader.readline()[:3])
                            if codes[-1][:1] not in b"23" or codes[-1] in (b"", b"421"):
                                break
                        if codes[-1] == b"250" and len(codes) == 5:
                            taken.append(sender)
                        elif codes[-1] != b"421":   # what a server says that goes; the client tries again
                            trouble.append(codes)
                except OSError as error:
                    trouble.append(repr(error))

        threads = [threading.Thread(target=load, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        try:
            for round_ in range(2):
                wait_for(lambda: len(taken) > 20 * (round_ + 1), what="some messages")
                parent, before = self.server.process.pid, len(self.server.events("started"))
                self.new_version()
                os.kill(parent, signal.SIGUSR2)
                wait_for(lambda: os.stat(f"/proc/{parent}/exe").st_ino == os.stat(self.binary).st_ino, what="the new version")
                wait_for(lambda: len(self.server.events("started")) > before, what="its start")
                self.assertIsNone(self.server.process.poll())
                with socket.socket(socket.AF_UNIX) as programs:   # theirs was handed over too
                    programs.settimeout(60)
                    programs.connect(os.path.join(self.server.folder, "submit"))
                    self.assertTrue(programs.recv(100).startswith(b"220"))
                so_far = len(taken)
                wait_for(lambda: len(taken) > so_far + 20, what="messages for the new version")
        finally:
            stop.set()
            for thread in threads:
                thread.join(120)
        self.assertEqual(trouble, [])
        wanted = set(taken)
        wait_for(lambda: wanted <= {from_.split("<")[1].split(">")[0] for _, from_, _, _ in list(self.sink.messages)}, 60,
                 what="all that was taken to be delivered")
        self.assertEqual(self.server.stop(), 0)

    def test_a_new_version_that_does_not_work_changes_nothing(self):
        self.server.start()
        serving = self.serving_pid()
        self.new_version("#!/bin/sh\nexit 78\n")
        self.server.process.send_signal(signal.SIGUSR2)
        refused = wait_for(lambda: self.server.events("upgrade_refused"), what="the refusal in the log")
        self.assertIn("exit code 78", refused[0]["error"])
        self.assertEqual(self.serving_pid(), serving)
        self.assertEqual(self.submit("one@test"), 250)

    def test_systemd_is_told_of_the_takeover(self):
        manager = Manager(self.server.folder)
        self.addCleanup(manager.close)
        self.server.environment = {"NOTIFY_SOCKET": manager.name}
        self.server.start()
        first, _ = manager.wait("READY")
        self.server.process.send_signal(signal.SIGUSR2)
        begun, _ = manager.wait("RELOADING", first + 1)
        manager.wait("READY", begun + 1)
        self.assertFalse(any("STOPPING" in one for one in manager.told))
        self.assertEqual(self.submit("one@test"), 250)


class Credentials(Case):
    def test_a_password_comes_from_systemd_and_is_read_again_when_it_changes(self):
        folder = os.path.join(self.server.folder, "credentials")
        os.mkdir(folder, 0o700)
        path = os.path.join(folder, "isp")
        self.server.environment = {"CREDENTIALS_DIRECTORY": folder}
        self.server.relay = self.server.relay.replace('tls = "none"', 'user = "me"\npassword_file = "credential:isp"')
        self.server.write_config()
        refused = self.server.command("config", "check")
        self.assertEqual(refused.returncode, 78)
        self.assertIn("LoadCredential=isp:", refused.stdout + refused.stderr)
        with open(path, "w") as out:
            out.write("s3cret\n")
        os.chmod(path, 0o400)
        self.server.start()
        with open(path + ".new", "w") as out:
            out.write("another\n")
        os.chmod(path + ".new", 0o400)
        os.rename(path + ".new", path)
        wait_for(lambda: self.server.events("files_renewed"), what="the new password to be in force")
        self.assertNotIn("another", self.server.log_text())
        self.assertEqual(self.server.stop(), 0)


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root and setpriv")
class Bounded(Case):
    """With no more rights than the unit leaves."""

    def test_a_root_that_may_only_become_others_runs_all_of_it(self):
        with open(os.path.join(ROOT, "packaging", "sidegate.service")) as unit:
            line = next(one for one in unit if one.startswith("CapabilityBoundingSet="))
        bounds = ",".join("+" + name.removeprefix("CAP_").lower() for name in line.split("=")[1].split())
        self.server.prefix = ["setpriv", "--bounding-set=-all," + bounds]
        self.server.user = "nobody"
        self.server.write_config()
        os.chmod(self.server.folder, 0o755)
        nobody = pwd.getpwnam("nobody")
        # As sidegate.tmpfiles does it.
        for name, mode in (("queue", 0o700), ("drop", 0o1730)):
            os.mkdir(os.path.join(self.server.folder, name))
            os.chown(os.path.join(self.server.folder, name), nobody.pw_uid, nobody.pw_gid)
            os.chmod(os.path.join(self.server.folder, name), mode)
        self.server.start()
        serving = self.server.serving_pid()
        with open(f"/proc/{serving}/status") as status:
            self.assertIn(f"Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}", status.read())
        with open(f"/proc/{self.server.process.pid}/status") as status:
            bits = int(next(one for one in status if one.startswith("CapEff")).split()[1], 16)
        self.assertEqual(bits, 1 << 6 | 1 << 7)   # CAP_SETGID, CAP_SETUID
        self.assertEqual(self.submit("one@test"), 250)
        wait_for(lambda: self.sink.messages, what="the message at the relay")
        # The parent may not signal the server, which is somebody else; it ends all the same, and again after an upgrade.
        started = len(wait_for(lambda: self.server.events("started"), what="the first start in the log"))
        self.server.process.send_signal(signal.SIGUSR2)
        wait_for(lambda: len(self.server.events("started")) > started, what="the start after an upgrade")
        self.assertEqual(self.submit("two@test"), 250)
        self.assertEqual(self.server.stop(), 0)
        self.assertTrue(self.server.events("stopped")[-1]["clean"])


class Packaging(unittest.TestCase):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "needs systemd-analyze")
    def test_the_unit_is_closed_as_far_as_local_delivery_allows(self):
        self.assertEqual(*self.exposure("", 20))
        # The drop-in for machines whose users get no mail here closes more.
        with open(os.path.join(ROOT, "packaging", "relay-only.conf")) as conf:
            self.assertEqual(*self.exposure(conf.read(), 20))

    def exposure(self, more, threshold):
        """(0, 0) where the unit with those lines behind it is not over the threshold (tenths), else the exit code and why."""
        with open(os.path.join(ROOT, "packaging", "sidegate.service")) as unit:
            text = unit.read()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "sidegate.service")
            with open(path, "w") as out:
                out.write(text + more)
            done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={threshold}", path],
                                  capture_output=True, text=True, timeout=60)
        if "unrecognized option" in done.stderr:
            self.skipTest("systemd-analyze is too old")
        self.assertNotIn("ignoring", done.stderr)
        return (0, 0) if done.returncode == 0 else (done.returncode, done.stdout[-300:] + done.stderr)


if __name__ == "__main__":
    unittest.main()
