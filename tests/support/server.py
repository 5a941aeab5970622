"""Starts and stops the real binary on loopback for a test, with a configuration and a queue of its own."""
import fcntl
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from . import unsteady

BUILD = os.environ.get("SIDEGATE_BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build", "release"))
BINARY = os.path.join(BUILD, "src", "daemon", "sidegate")


PATIENCE = 60   # seconds: the least that a condition is waited for, however short the test takes it to be
_given_ports = set()
_ports_taken = open(os.path.join(tempfile.gettempdir(), f"sidegate-test-ports-{os.geteuid()}"), "w")   # an octet locked for each, while we live
_logs = []   # of the servers that this process has started, for whoever must find out why a test failed


class TellingResult(unittest.TextTestResult):
    """A test that fails shows the ends of its servers' logs, which are removed soon after."""

    def addError(self, test, err):
        super().addError(test, err)
        self.tell(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.tell(test)

    def tell(self, test):
        for path in dict.fromkeys(_logs):
            try:
                with open(path, errors="replace") as log:
                    lines = log.read().splitlines()
            except OSError:
                continue   # discarded before the failure
            self.stream.write(f"\n-- {test.id()}: {os.path.basename(os.path.dirname(path))}, the last of {len(lines)} lines\n")
            self.stream.write("".join(f"{line[:600]}\n" for line in lines[-60:]))


unittest.TextTestRunner.resultclass = TellingResult


def free_port():
    """A port that nothing listens at and that no other test which runs beside this one is given. Not one of those that the
    kernel gives to connections: one of another test's could take it before our server does."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as ports:
        first_given = int(ports.read().split()[0])
    while True:
        port = random.SystemRandom().randrange(10_000, max(first_given, 20_000))
        if port in _given_ports:
            continue
        try:
            fcntl.lockf(_ports_taken, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        _given_ports.add(port)
        return port


def wait_for(condition, seconds=30, every=0.02, what="condition"):
    """Polls until condition() is true; bounded, so that a test that cannot succeed ends. How quick something is depends on
    what else the machine does: no test may count on `seconds` as a limit."""
    seconds = max(seconds, PATIENCE)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"timed out after {seconds} s waiting for {what}")


def wait_until_none(left, stuck=120, every=0.5, what="things left"):
    """Polls until left() is 0. However many there are: it ends when there were not fewer for `stuck` seconds."""
    fewest, since = left(), time.monotonic()
    while fewest:
        time.sleep(every)
        now = left()
        if now < fewest:
            fewest, since = now, time.monotonic()
        elif time.monotonic() - since > stuck:
            raise AssertionError(f"{now} {what}, not fewer for {stuck} s")


def greets(port):
    """Whether an SMTP server on this port of 127.0.0.1 says 220."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as probe:
            probe.settimeout(20)
            return probe.recv(200).startswith(b"220")
    except OSError:
        return False


class Server:
    """One Sidegate in a folder of its own. The folder survives kill() and start(), so that restarts can be tested."""

    def __init__(self, relay="", extra="", folder=None, environment=None, prefix=(), user="root"):
        self.user = user   # whom it becomes when it is started as root
        self.prefix = list(prefix)   # a program that starts it: prlimit, ip netns exec
        self.folder = folder or tempfile.mkdtemp(prefix="sidegate-test-")
        self.port = free_port()
        self.relay, self.extra = relay, extra
        self.environment = environment or {}
        self.process = None
        self.log_path = os.path.join(self.folder, "log")
        self.config_path = os.path.join(self.folder, "sidegate.toml")
        self.write_config()

    def write_config(self):
        with open(self.config_path, "w") as out:
            out.write(self.config_text())
        os.chmod(self.config_path, 0o600)

    def config_text(self):
        user = self.user if os.geteuid() == 0 else ""
        lines = [
            'hostname = "gate.test"' if not re.search(r"^hostname\b", self.extra, re.M) else "",
            f'control_socket = "{self.folder}/control"',
            *(f'{key} = "{self.folder}/{name}"' for key, name in (("submit_socket", "submit"), ("drop_directory", "drop"))
              if key not in self.extra),
            f'user = "{user}"' if user else "",
        ]
        text = "\n".join(lines) + "\n"
        # extra may begin with top-level keys, up to its first table
        top, bracket, tables = re.match(r"(?s)(.*?)(?:^(\[)(.*))?\Z", self.extra, re.M).group(1, 2, 3)
        bracket, tables = bracket or "", tables or ""
        text += top
        if "[queue]" not in self.extra:
            text += f'[queue]\npath = "{self.folder}/queue"\n'
        else:
            tables = tables.replace("queue]\n", f'queue]\npath = "{self.folder}/queue"\n', 1)
        text += bracket + tables
        if "[[listener]]" not in self.extra:
            text += f'[[listener]]\nname = "in"\naddress = "127.0.0.1"\nport = {self.port}\n'
        # Nothing goes out by itself: a test that wants direct delivery says where its servers are.
        if not any(block in self.extra + self.relay for block in ("[[relay]]", "[direct]")):
            text += "[direct]\nenabled = false\n"
        return text + self.relay

    def child_environment(self):
        """This process's, without what would be read as configuration."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SIDEGATE_")}
        return dict(clean, LC_ALL="C", **self.environment)

    def start(self, wait=True, preload=None):
        environment = self.child_environment()
        if preload:
            environment["LD_PRELOAD"] = preload
        _logs.append(self.log_path)
        log = open(self.log_path, "a")
        self.process = subprocess.Popen([*self.prefix, BINARY, "run", "--config", self.config_path], stdin=subprocess.DEVNULL,
                                        stdout=log, stderr=log, env=environment)
        log.close()
        unsteady.stutter(self)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=30):
        def answers():
            if self.process.poll() is not None:
                raise AssertionError(f"sidegate ended with {self.process.returncode}:\n{self.log_text()[-2000:]}")
            try:
                with self.connect() as probe:
                    probe.settimeout(20)
                    return probe.recv(200).startswith(b"220")
            except OSError:
                return False
        wait_for(answers, seconds, what="the greeting")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), 2)

    def pids(self):
        """The parent's process id, then those of its children (the server, the helper)."""
        parent = self.process.pid
        try:
            with open(f"/proc/{parent}/task/{parent}/children") as children:
                return [parent] + [int(pid) for pid in children.read().split()]
        except FileNotFoundError:
            return [parent]

    def serving_pid(self):
        """The process that serves, as it says itself on the control socket."""
        return json.loads(self.command("status", "--json", check=0).stdout)["pid"]

    def kill(self):
        """SIGKILL to all of it at one moment, as a power cut would."""
        pids = self.pids()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), 10, 0.002, "its processes to be gone")

    def stop(self, seconds=PATIENCE):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(seconds)
        return self.process.returncode if self.process else None

    def command(self, *arguments, check=None):
        result = subprocess.run([BINARY, *arguments, "--config", self.config_path], capture_output=True, text=True,
                                timeout=60, env=self.child_environment())
        if check is not None and result.returncode != check:
            raise AssertionError(f"{arguments} ended with {result.returncode}: {result.stdout}{result.stderr}")
        return result

    def log_text(self):
        with open(self.log_path, errors="replace") as log:
            return unsteady.seen_by_now(log.read(), self.process)

    def events(self, name=None):
        found = []
        for line in self.log_text().splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if name is None or event.get("event") == name:
                found.append(event)
        return found

    def end(self):
        """Kills the process if it still runs; the folder stays, to be looked at."""
        if self.process and self.process.poll() is None:
            self.kill()

    def discard(self):
        """Ends the process if it still runs and removes the folder."""
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)
