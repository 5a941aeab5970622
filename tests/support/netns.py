"""Two private network namespaces with a cable between them: `near` has 192.0.2.1, `far` 192.0.2.2. Needs root and ip."""
import ctypes
import os
import shutil
import socket
import subprocess
import threading

NEAR, FAR = "192.0.2.1", "192.0.2.2"
CLONE_NEWNET = 0x40000000


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], check=check, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Namespaces:
    def __init__(self):
        mark = f"{os.getpid() % 100000}"
        self.near, self.far = f"sg-n{mark}", f"sg-f{mark}"

    @staticmethod
    def available():
        if os.geteuid() != 0 or not shutil.which("ip"):
            return False
        name = f"sg-t{os.getpid() % 100000}"
        made = ip("netns", "add", name, check=False).returncode == 0
        ip("netns", "del", name, check=False)
        return made

    def __enter__(self):
        for name in (self.near, self.far):
            ip("netns", "add", name)
        ip("link", "add", "sg0", "netns", self.near, "type", "veth", "peer", "name", "sg0", "netns", self.far)
        for name, address, address6 in ((self.near, NEAR, "2001:db8::1"), (self.far, FAR, "2001:db8::2")):
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "address", "add", address + "/24", "dev", "sg0")
            ip("-n", name, "address", "add", address6 + "/64", "dev", "sg0", "nodad")
            ip("-n", name, "link", "set", "sg0", "up")
        return self

    def __exit__(self, *_):
        for name in (self.near, self.far):
            ip("netns", "del", name, check=False)

    def prefix(self):
        """Starts a program in `near`."""
        return ["ip", "netns", "exec", self.near]

    def connect(self, where, address, port, timeout=10):
        """A socket connected inside the namespace `where`; usable by any thread afterwards."""
        result = []

        def work():   # setns(2) moves one thread
            try:
                with open(f"/run/netns/{where}") as handle:
                    if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                result.append(socket.create_connection((address, port), timeout))
            except OSError as error:
                result.append(error)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if isinstance(result[0], OSError):
            raise result[0]
        return result[0]
