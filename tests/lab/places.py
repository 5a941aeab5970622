"""Network namespaces as places with programs in them. All of a lab lives in one PID namespace whose first process ends
with the process that made the lab: a lab that is killed leaves no program, no namespace and no cable behind."""
import ctypes
import fcntl
import functools
import glob
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

PREFIX = "sidegate-lab-"
CLONE_NEWNET = 0x40000000
PROGRAMS = {"ip": "iproute2", "nft": "nftables", "nsenter": "util-linux", "unshare": "util-linux", "setpriv": "util-linux", "openssl": "openssl",
            "knotd": "knot", "keymgr": "knot", "knotc": "knot", "unbound": "unbound", "unbound-control": "unbound", "postfix": "postfix",
            "saslpasswd2": "sasl2-bin", "policyd-spf": "postfix-policyd-spf-python", "opendkim-testmsg": "opendkim-tools", "dkimverify": "python3-dkim",
            "dovecot": "dovecot-core", "/usr/lib/dovecot/submission-login": "dovecot-submissiond"}
PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
OWN_USERS = ["unshare", "--user", "--map-root-user", "--map-auto"]


class Unavailable(Exception):
    """Why there can be no lab here, and what helps."""


@functools.cache
def unavailable():
    """None, or why there can be no lab here."""
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program, path=PATH)})
    if missing:
        return f"the lab needs packages that are not here: {' '.join(missing)}; `tools/dependencies --tests` installs them"
    if os.geteuid() != 0:
        return "the lab needs root, or user namespaces with subordinate ids (package uidmap, a line in /etc/subuid)"
    for command, what in ((["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "true"], "namespaces (CAP_SYS_ADMIN)"),
                          (["unshare", "--net", "nft", "add table inet t"], "nftables in the kernel (nf_tables)"),
                          (["unshare", "--net", "ip", "link", "add", "name", "sg0", "type", "veth", "peer", "name", "sg1"], "veth pairs in the kernel"),
                          (["unshare", "--net", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.disable_ipv6=0"],
                           "settings of its own networks (IPv6, and a /proc/sys that can be written)")):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment())
        if done.returncode != 0:
            return f"the lab needs {what}, which this machine does not give: {done.stderr.strip()}"
    return None


def become_able():
    """Who is not root: runs this program again as root of a user namespace, where that can be. To be called first."""
    if os.geteuid() == 0 or subprocess.run([*OWN_USERS, "true"], stdin=subprocess.DEVNULL, capture_output=True).returncode != 0:
        return
    os.execvp(OWN_USERS[0], [*OWN_USERS, "--", sys.executable, *sys.argv])


def environment():
    """For the lab's own programs: nothing that would be read as somebody's configuration."""
    return {"PATH": PATH, "LC_ALL": "C", "HOME": "/", "TZ": "UTC"}


def make_folder():
    """A folder that sweep() leaves alone while this process lives: (path, the lock to keep)."""
    folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
    os.chmod(folder, 0o755)
    lock = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return folder, lock


def sweep():
    """Removes what killed labs have left: folders that nobody holds. A process that still holds one keeps it."""
    removed = []
    for folder in glob.glob(os.path.join(tempfile.gettempdir(), PREFIX + "*")):
        try:
            if os.lstat(folder).st_uid != os.geteuid():
                continue
            lock = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            if time.time() - os.lstat(folder).st_mtime < 60:   # being made
                continue
            lock = None
        except OSError:
            continue
        try:
            if lock is not None:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
        except OSError:
            pass
        finally:
            if lock is not None:
                os.close(lock)
    return removed


def child_of(process, seconds=60):
    """The process id of the one child of `process` (a program that forks to enter a PID namespace)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
            found = children.read().split()
        if found:
            return int(found[0])
        time.sleep(0.005)
    raise Unavailable(f"{process.args[0]} did not start its program")


SLEEPER = ["sh", "-c", 'trap "" CHLD; echo ready; exec sleep infinity']   # CHLD ignored: the dead are not waited for


class Machine:
    """The PID namespace of a lab. To be made by the main thread: it ends with the thread that has made it."""

    def __init__(self):
        self._outer = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child=SIGKILL", *SLEEPER],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())
        if self._outer.stdout.readline() != b"ready\n":
            raise Unavailable("no PID namespace could be made")
        self.pid = child_of(self._outer)
        self.places = []

    def place(self, name, resolver, certificates):
        place = Place(self, name, resolver, certificates)
        self.places.append(place)
        return place

    def end(self):
        for place in self.places:
            place.end()
        if self._outer.poll() is None:
            os.kill(self.pid, signal.SIGKILL)   # and with it all that is in the namespace
        self._outer.wait()
        self._outer.stdout.close()


class Program:
    """A program in the foreground in a place; `pid` is its own."""

    def __init__(self, place, command, log):
        self.command = command
        with open(log, "ab") as out:
            self._entering = subprocess.Popen([*place.enter(), *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment())
        self.pid = child_of(self._entering)

    def running(self):
        return self._entering.poll() is None

    def stop(self, seconds=60):
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.running():
                try:
                    os.kill(self.pid, number)
                except ProcessLookupError:
                    pass
                try:
                    self._entering.wait(seconds)
                except subprocess.TimeoutExpired:
                    pass


class Place:
    """One network namespace with its own resolv.conf, hosts, trusted CA and host name."""

    def __init__(self, machine, name, resolver, folder):
        self.machine, self.name, self.folder = machine, name, folder
        self.logs, self.programs = {}, []
        os.makedirs(folder, exist_ok=True)
        self._holder = subprocess.Popen(["nsenter", f"--pid=/proc/{machine.pid}/ns/pid", "--", "unshare", "--net", "--mount", "--uts",
                                         "--propagation", "private", "--", *SLEEPER], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment())
        if self._holder.stdout.readline() != b"ready\n":
            raise Unavailable(f"no network namespace could be made for {name}")
        self.pid = child_of(self._holder)
        self.resolve_by(resolver)
        self._write("hosts", "127.0.0.1 localhost\n::1 localhost\n")
        self._write("nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n")

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as out:   # the same inode: it is mounted
            out.write(text)

    def furnish(self, ca):
        """Its own files over the system's, in its mount namespace alone."""
        lines = ["set -e", f"hostname {self.name}", "ip link set lo up"]
        for name in ("resolv.conf", "hosts", "nsswitch.conf"):
            target = os.path.realpath(f"/etc/{name}")
            if not os.path.exists(target):
                raise Unavailable(f"/etc/{name} is missing or leads nowhere: the lab mounts its own over it; make an empty one")
            lines.append(f"mount --bind {shlex.quote(os.path.join(self.folder, name))} {shlex.quote(target)}")
        # The lab's CA is the only one anybody trusts here.
        lines += ["mkdir -p /etc/ssl/certs", "mount -t tmpfs -o mode=755 tmpfs /etc/ssl/certs",
                  f"cp {shlex.quote(ca)} /etc/ssl/certs/ca-certificates.crt", "chmod 644 /etc/ssl/certs/ca-certificates.crt",
                  "if [ -d /run/nscd ]; then mount -t tmpfs tmpfs /run/nscd; fi"]   # the host's name cache knows other answers
        self.run("sh", "-c", "\n".join(lines))

    def resolve_by(self, *servers):
        self._write("resolv.conf", "".join(f"nameserver {server}\n" for server in servers) + "options timeout:2 attempts:2\n")

    def enter(self, pids=True):
        """The command line that starts a program here. Without `pids` it keeps the process id that it was started with."""
        parts = [f"--{kind}=/proc/{self.pid}/ns/{file}" for kind, file in (("net", "net"), ("mount", "mnt"), ("uts", "uts"))]
        return ["nsenter", *parts, *([f"--pid=/proc/{self.machine.pid}/ns/pid"] if pids else []), "--"]

    def run(self, *command, text=None, check=True, pids=False):
        done = subprocess.run([*self.enter(pids), *command], input=text, stdin=None if text is not None else subprocess.DEVNULL,
                              capture_output=True, text=True, env=environment(), timeout=120)
        if check and done.returncode != 0:
            raise AssertionError(f"{shlex.join(command)[:300]} in {self.name}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self, name, *command):
        """A program in the foreground, with its log in the place's folder; it ends with the lab at the latest."""
        log = os.path.join(self.folder, name + ".log")
        program = Program(self, command, log)
        self.programs.append(program)
        self.logs.setdefault(name, log)
        return program

    def log(self, name=None):
        """What its programs have written: of all of them, or of one."""
        text = []
        for path in [self.logs[name]] if name else self.logs.values():
            if os.path.exists(path):
                with open(path, errors="replace") as log:
                    text.append(log.read())
        return "".join(text)

    def within(self, work):
        """What `work` returns, called by a thread that is in this network. A socket made there stays there."""
        result = []

        def enter():   # setns(2) moves one thread
            try:
                with open(f"/proc/{self.pid}/ns/net") as handle:
                    if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                result.append((work(), None))
            except BaseException as error:   # noqa: B902: raised again by the caller
                result.append((None, error))
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        value, error = result[0]
        if error is not None:
            raise error
        return value

    def connect(self, address, port, timeout=60, source=None):
        return self.within(lambda: socket.create_connection((address, port), timeout, (source, 0) if source else None))

    def greeting(self, address, port, timeout=60):
        """The first line an SMTP server says, or None."""
        try:
            with self.connect(address, port, timeout) as probe:
                return probe.makefile("rb").readline().decode("ascii", "replace").rstrip() or None
        except OSError:
            return None

    def end(self):
        for program in self.programs:
            program.stop(5)
        if self._holder.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self._holder.wait()
        self._holder.stdout.close()
