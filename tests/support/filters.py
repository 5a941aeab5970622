"""Real filters (opendkim, rspamd, clamav-milter with clamd) with configurations of the test's own: no network, no downloads."""
import json
import os
import re
import shutil
import socket
import subprocess
import urllib.request

from support.server import free_port, wait_for

SIGNATURE = "SIDEGATE-TEST-SIGNATURE-1234567890"   # what the test's own virus database knows
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


def listens(address):
    try:
        with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as probe:
            probe.settimeout(5)
            probe.connect(address)
        return True
    except OSError:
        return False


class Filter:
    """A program in the foreground until end()."""

    def __init__(self, folder, name):
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        self.processes = []

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.folder, name)
        with open(path, "w") as out:
            out.write(text)
        os.chmod(path, mode)
        return path

    def run(self, *command, ready):
        log = open(os.path.join(self.folder, os.path.basename(command[0]) + ".out"), "wb")
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        self.processes.append(process)

        def up():
            assert process.poll() is None, f"{command} ended: {self.output()}"
            return listens(ready)
        wait_for(up, 60, what=f"{command[0]}")

    def output(self):
        text = ""
        for name in sorted(os.listdir(self.folder)):
            if name.endswith(".out"):
                with open(os.path.join(self.folder, name), errors="replace") as log:
                    text += log.read()[-2000:]
        return text

    def end(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class OpenDkim(Filter):
    """Signs for example.org with a key of its own (mode "s"), or verifies with the public key of `signer` (mode "v")."""

    def __init__(self, folder, name, signer=None):
        super().__init__(folder, name)
        self.socket = os.path.join(self.folder, "socket")
        hosts = self.write("hosts", "127.0.0.1\n")
        common = f"Background no\nSyslog no\nRequireSafeKeys no\nSocket local:{self.socket}\nUMask 000\nInternalHosts {hosts}\n"
        if signer is None:
            key = os.path.join(self.folder, "key.pem")
            subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
            public = subprocess.run(["openssl", "rsa", "-in", key, "-pubout"], check=True, capture_output=True, text=True).stdout
            self.record = "s1._domainkey.example.org v=DKIM1; k=rsa; p=" + re.sub(r"-----[^-]*-----|\s", "", public) + "\n"
            own = (f"Mode s\nKeyTable {self.write('keys', f's1._domainkey.example.org example.org:s1:{key}' + chr(10))}\n"
                   f"SigningTable {self.write('signing', 'example.org s1._domainkey.example.org' + chr(10))}\n")
        else:
            own = f"Mode v\nAuthservID gate.test\nTestPublicKeys {self.write('public', signer.record)}\n"
        self.config = self.write("conf", common + own)

    def start(self):
        self.run("/usr/sbin/opendkim", "-f", "-x", self.config, ready=self.socket)
        return self

    @property
    def address(self):
        return f"local:{self.socket}"   # as opendkim's own configuration writes it


class Rspamd(Filter):
    """Its proxy worker scans by itself; of its modules only the one that writes header fields."""

    def __init__(self, folder):
        super().__init__(folder, "rspamd")
        self.port = free_port()
        self.config = self.write("conf", f"""
options {{ pidfile = "{self.folder}/pid"; temp_dir = "{self.folder}"; hs_cache_dir = "{self.folder}";
  history_file = "{self.folder}/history"; control_socket = "{self.folder}/control mode=0600"; filters = "regexp";
  url_tld = "{self.write('tld', 'com' + chr(10) + 'org' + chr(10))}"; local_addrs = ["127.0.0.0/8"]; map_watch_interval = 1h;
  dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }} }}
logging {{ type = "console"; level = "info"; }}
actions {{ reject = 15; add_header = 6; }}
modules {{ path = "/usr/share/rspamd/plugins/milter_headers.lua"; }}
milter_headers {{ use = ["x-spamd-result"]; skip_local = false; skip_authenticated = false; }}
worker "rspamd_proxy" {{ bind_socket = "127.0.0.1:{self.port}"; milter = yes; timeout = 20s; count = 1;
  upstream "local" {{ default = yes; self_scan = yes; }} }}
""")

    def start(self):
        self.run("/usr/bin/rspamd", "-f", "-i", "-c", self.config, ready=("127.0.0.1", self.port))
        return self

    @property
    def address(self):
        return f"inet:127.0.0.1:{self.port}"


class RspamdDkim(Filter):
    """A scanner that verifies signatures and does nothing else; the records come from a DNS server on this port."""

    def __init__(self, folder, dns_port):
        super().__init__(folder, "rspamd-dkim")
        self.port = free_port()
        self.config = self.write("conf", f"""
options {{ pidfile = "{self.folder}/pid"; temp_dir = "{self.folder}"; hs_cache_dir = "{self.folder}";
  history_file = "{self.folder}/history"; control_socket = "{self.folder}/control mode=0600"; filters = "dkim";
  url_tld = "{self.write('tld', 'com' + chr(10) + 'org' + chr(10))}"; local_addrs = ["192.0.2.0/24"]; map_watch_interval = 1h;
  dns {{ nameserver = ["127.0.0.1:{dns_port}"]; timeout = 2s; retransmits = 5; }} }}
logging {{ type = "console"; level = "info"; }}
dkim {{ }}
worker "normal" {{ bind_socket = "127.0.0.1:{self.port}"; count = 1; }}
""")

    def start(self):
        self.run("/usr/bin/rspamd", "-f", "-i", "-c", self.config, ready=("127.0.0.1", self.port))
        return self

    def symbols(self, message):
        """{symbol: what it says}"""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/checkv2", message, {"IP": "203.0.113.1"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return {name: found.get("options", []) for name, found in json.load(answer)["symbols"].items()}


class Clamav(Filter):
    """clamd with one signature, and clamav-milter in front of it."""

    def __init__(self, folder, on_infected="Reject"):
        super().__init__(folder, "clamav")
        os.makedirs(os.path.join(self.folder, "db"))
        self.write("db/test.ndb", f"Sidegate.Test:0:*:{SIGNATURE.encode().hex()}\n")
        self.daemon_socket, self.socket = (os.path.join(self.folder, name) for name in ("clamd.sock", "milter.sock"))
        self.daemon = self.write("clamd.conf", f"DatabaseDirectory {self.folder}/db\nLocalSocket {self.daemon_socket}\n"
                                               f"Foreground yes\nUser root\nMaxThreads 2\nPidFile {self.folder}/pid\n")
        self.config = self.write("milter.conf", f"MilterSocket unix:{self.socket}\nMilterSocketMode 666\nForeground yes\nUser root\n"
                                                f"ClamdSocket unix:{self.daemon_socket}\nOnInfected {on_infected}\n"
                                                "AddHeader Replace\n" + ("RejectMsg Infected with %v\n" if on_infected == "Reject" else ""))

    def start(self):
        self.run("/usr/sbin/clamd", "-c", self.daemon, ready=self.daemon_socket)
        self.run("/usr/sbin/clamav-milter", "-c", self.config, ready=self.socket)
        return self

    @property
    def address(self):
        return f"unix:{self.socket}"


def installed(*programs):
    return all(shutil.which(program, path="/usr/sbin:/usr/bin") for program in programs)
