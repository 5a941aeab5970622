"""A small ext4 file system on a loop device, whose power can be cut; root only."""
import fcntl
import os
import shutil
import struct
import subprocess
import time

EXT4_IOC_SHUTDOWN = 0x8004587D   # _IOR('X', 125, __u32)
NO_LOG_FLUSH = 2


class Unavailable(Exception):
    """This machine does not let us: no root, no loop devices, no mount."""


class Disk:
    """megabytes of ext4 mounted at `where`; image: the file behind it."""

    def __init__(self, where, image, megabytes):
        if os.geteuid() != 0:
            raise Unavailable("not root")
        if not shutil.which("mkfs.ext4"):
            raise Unavailable("mkfs.ext4 is missing")
        self.where, self.image, self.loop, self.mounted = where, image, None, False
        os.makedirs(where, exist_ok=True)
        with open(image, "wb") as out:
            out.truncate(megabytes << 20)
        self._run("mkfs.ext4", "-q", "-F", "-m", "0", image)
        for _ in range(20):   # another process may take the number we got
            found = subprocess.run(["losetup", "--show", "-f", image], capture_output=True, text=True)
            if found.returncode == 0:
                self.loop = found.stdout.strip()
                break
            time.sleep(0.1)
        if not self.loop:
            raise Unavailable("no loop device: " + found.stderr.strip())
        try:
            self.mount()
        except Unavailable:
            self.remove()
            raise

    @staticmethod
    def _run(*command):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Unavailable(f"{command[0]}: {done.stderr.strip()}")

    def mount(self):
        self._run("mount", "-t", "ext4", self.loop, self.where)
        self.mounted = True

    def cut(self):
        """What was not synced is gone; everything fails from here on."""
        fd = os.open(self.where, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def restore(self):
        """Unmount, mount: the journal is replayed."""
        for _ in range(100):
            if subprocess.run(["umount", self.where], capture_output=True).returncode == 0:
                self.mounted = False
                self._wait_until_let_go()
                return self.mount()
            time.sleep(0.05)
        raise AssertionError("cannot unmount " + self.where)

    def _wait_until_let_go(self, seconds=300):
        """A mount namespace that began meanwhile (another test's) has a copy of the mount, and as long as it lives a new
        mount of the device would be the old file system, without its power."""
        known = "/sys/fs/ext4/" + os.path.basename(self.loop)
        end = time.monotonic() + seconds
        while os.path.exists(known):
            if time.monotonic() > end:
                raise AssertionError(f"another mount namespace still has {self.where}: find it in /proc/*/mounts")
            time.sleep(0.02)

    def free(self):
        info = os.statvfs(self.where)
        return info.f_bavail * info.f_frsize

    def fill(self, leave):
        """A file `filler` takes all but `leave` octets."""
        with open(os.path.join(self.where, "filler"), "ab", buffering=0) as out:
            step = 1 << 20
            while self.free() > leave and step >= 4096:
                try:
                    out.write(b"\0" * min(step, max(4096, self.free() - leave)))
                except OSError:
                    step //= 2
            os.fsync(out.fileno())

    def empty(self):
        os.unlink(os.path.join(self.where, "filler"))

    def remove(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.where], capture_output=True)
            self.mounted = False
        if self.loop:
            subprocess.run(["losetup", "-d", self.loop], capture_output=True)
            self.loop = None
        if os.path.exists(self.image):
            os.unlink(self.image)
