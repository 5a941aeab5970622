"""A real Exim as the provider, unpacked and not installed (it cannot stand beside Postfix). Needs root.

Its compiled-in user exists only inside a mount namespace of its own, in which /etc/passwd and /etc/group are copies."""
import os
import subprocess

from .server import BUILD, free_port, greets, wait_for

USER_ID = 64999


def fetch():
    """(path of exim4, "") or (None, why not)"""
    if os.geteuid() != 0:
        return None, "needs root"
    script = os.path.join(os.path.dirname(__file__), "fetch_exim")
    result = subprocess.run([script, os.path.join(BUILD, "exim")], capture_output=True, text=True, timeout=180)
    said = (result.stdout + result.stderr).strip().splitlines() or ["fetch_exim said nothing"]
    return (said[-1], "") if result.returncode == 0 else (None, said[-1])


class Exim:
    def __init__(self, binary, folder, cert, key, next_hop_port, user="me", password="s3cret word"):
        self.binary, self.folder = binary, folder
        self.port, self.implicit_port = free_port(), free_port()
        self.spool = os.path.join(folder, "spool")
        os.makedirs(self.spool)
        os.chown(self.spool, USER_ID, USER_ID)
        self.config = os.path.join(folder, "exim.conf")
        with open(self.config, "w") as out:
            out.write(f"""primary_hostname = exim.test
exim_path = {self.binary}
spool_directory = {self.spool}
log_file_path = {self.spool}/log-%slog
log_selector = +all
local_interfaces = 127.0.0.1
daemon_smtp_ports = {self.port} : {self.implicit_port}
tls_on_connect_ports = {self.implicit_port}
tls_advertise_hosts = *
tls_certificate = {cert}
tls_privatekey = {key}
chunking_advertise_hosts = *
pipelining_advertise_hosts = *
dsn_advertise_hosts = *
acl_smtp_rcpt = check_rcpt
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
begin acl
check_rcpt:
  deny message = no TLS
       !encrypted = *
  accept authenticated = *
  deny message = relay not permitted
begin routers
all:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = {next_hop_port}
  allow_localhost
  hosts_try_chunking =
  message_linelength_limit = 100000
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
  server_advertise_condition = ${{if def:tls_in_cipher}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${{if and{{{{eq{{$auth1}}{{{user}}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
  server_set_id = $auth1
  server_advertise_condition = ${{if def:tls_in_cipher}}
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{{user}}}{{{password}}}fail}}
  server_set_id = $auth1
  server_advertise_condition = ${{if def:tls_in_cipher}}
""")
        for name, line in (("passwd", f"Debian-exim:x:{USER_ID}:{USER_ID}::{self.spool}:/usr/sbin/nologin\n"), ("group", f"Debian-exim:x:{USER_ID}:\n")):
            with open(f"/etc/{name}") as source, open(os.path.join(folder, name), "w") as out:
                out.write("".join(kept for kept in source if not kept.startswith("Debian-exim:")) + line)
        self.process = None

    def start(self):
        private = 'mount --make-rprivate / && mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/group" /etc/group && exec "$@"'
        with open(os.path.join(self.folder, "output"), "w") as output:
            self.process = subprocess.Popen(["unshare", "-m", "sh", "-c", private, self.folder, self.binary, "-C", self.config, "-bdf", "-q1m"],
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=output)

        def answers():
            if self.process.poll() is not None:
                with open(os.path.join(self.folder, "output")) as output:
                    raise AssertionError("Exim ended: " + output.read() + self.log_text())
            return greets(self.port)
        wait_for(answers, 30, what="Exim's greeting")
        return self

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log_text(self):
        text = ""
        for name in ("main", "reject", "panic"):
            try:
                with open(f"{self.spool}/log-{name}log", errors="replace") as log:
                    text += log.read()
            except FileNotFoundError:
                pass
        return text
