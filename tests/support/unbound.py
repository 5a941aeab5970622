"""A real name server (unbound) on loopback that knows what a test says, and that nothing else exists."""
import os
import shutil
import socket
import subprocess

from .server import free_port, wait_for

PROGRAM = shutil.which("unbound") or shutil.which("unbound", path="/usr/sbin:/sbin")


def free_dns_port():
    while True:
        port = free_port()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Unbound:
    """records: lines such as '1.2.0.192.in-addr.arpa. PTR mx.far.test.'. dead: zones whose servers are not there."""

    def __init__(self, folder, records, dead=()):
        self.port = free_dns_port()
        self.config = os.path.join(folder, "unbound.conf")
        closed = free_dns_port()
        with open(self.config, "w") as out:
            out.write(f"""server:
  interface: 127.0.0.1@{self.port}
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  logfile: "{folder}/unbound.log"
  num-threads: 1
  module-config: "iterator"
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  local-zone: "." static
""")
            for zone in dead:
                out.write(f'  local-zone: "{zone}" transparent\n')
            for line in records:
                name, kind, data = line.split(" ", 2)
                out.write(f"  local-data: '{name} 300 IN {kind} {data}'\n")
            for zone in dead:
                out.write(f'forward-zone:\n  name: "{zone}"\n  forward-addr: 127.0.0.1@{closed}\n')
        self.process = None

    def start(self):
        self.process = subprocess.Popen([PROGRAM, "-c", self.config], stdin=subprocess.DEVNULL)
        wait_for(self._answers, what="unbound")
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"unbound ended with {self.process.returncode}")
        question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04none\x04test\x00\x00\x01\x00\x01"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(1)
            try:
                probe.sendto(question, ("127.0.0.1", self.port))
                return probe.recv(512)[:2] == b"\x12\x34"
            except OSError:
                return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
