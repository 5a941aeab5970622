"""The shims of tests/faults: file-system calls that fail when told to, and a message that kills its server."""
import errno
import mmap
import os
import struct

from support.server import BUILD

FAULT_SHIM = os.path.join(BUILD, "tests", "faults", "libsidegate_fault.so")
MEMORY_SHIM = os.path.join(BUILD, "tests", "faults", "libsidegate_memory.so")
CRASH_SHIM = os.path.join(BUILD, "tests", "faults", "libsidegate_crash.so")


def skip_without(path, what):
    """Ends the test, and says so, where `path` is missing."""
    if not os.path.exists(path):
        print(f"skipped: {what} is not here ({path})")
        raise SystemExit(0)


class Faults:
    """The control file of the fault shim (fault.h): set attributes, see the program under test fail."""
    FIELDS = {"sync_errno": 1088, "write_errno": 1092, "open_errno": 1096, "sync_stall_ms": 1100,
              "write_stall_ms": 1104, "count": 1108}
    COUNTERS = {"syncs": 1112, "writes": 1120, "failed": 1128, "syncs_after_failure": 1136}

    def __init__(self, control, prefix, contains=""):
        with open(control, "wb") as out:
            out.write(bytes(4096))
        self._file = open(control, "r+b")
        self._map = mmap.mmap(self._file.fileno(), 4096)
        self._map[0:len(prefix)] = prefix.encode()
        self._map[1024:1024 + len(contains)] = contains.encode()
        self.environment = {"FAULT_CONTROL": control}

    def set(self, **values):
        for name, value in values.items():
            struct.pack_into("i", self._map, self.FIELDS[name], value)

    def clear(self):
        self.set(**dict.fromkeys(self.FIELDS, 0))

    def count(self, name):
        return struct.unpack_from("q", self._map, self.COUNTERS[name])[0]


class Memory:
    """The control file of the memory shim: requests of `least` octets or more fail, every `every`th of them."""

    def __init__(self, control):
        with open(control, "wb") as out:
            out.write(bytes(4096))
        self._file = open(control, "r+b")
        self._map = mmap.mmap(self._file.fileno(), 4096)
        self.environment = {"MEMORY_CONTROL": control}

    def set(self, least, every):
        struct.pack_into("qq", self._map, 0, least, every)

    def failed(self):
        return struct.unpack_from("q", self._map, 16)[0]


EIO, ENOSPC = errno.EIO, errno.ENOSPC
