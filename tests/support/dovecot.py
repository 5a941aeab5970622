"""A real Dovecot submission server as the provider, in a folder of its own. Needs root."""
import os
import pwd
import shutil
import subprocess

from .server import free_port, greets, wait_for


def available():
    return os.geteuid() == 0 and os.path.exists("/usr/sbin/dovecot") and os.path.exists("/usr/lib/dovecot/submission-login")


class Dovecot:
    """enter: a command line that starts it elsewhere, where it listens at these addresses; tls_ports: TLS from the first octet."""

    def __init__(self, folder, cert, key, next_hop_port, user="me@test", password="s3cret word", addresses=("127.0.0.1",), ports=None, tls_ports=(),
                 hostname="localhost", enter=(), extra=""):
        self.folder, self.port, self.enter = folder, ports[0] if ports else free_port(), list(enter)
        self.log = os.path.join(folder, "dovecot.log")
        os.makedirs(os.path.join(folder, "run"), exist_ok=True)
        os.makedirs(os.path.join(folder, "home"), exist_ok=True)
        shutil.chown(os.path.join(folder, "home"), "nobody", "nogroup")
        nobody = pwd.getpwnam("nobody")
        with open(os.path.join(folder, "users"), "w") as out:
            out.write(f"{user}:{{PLAIN}}{password}:{nobody.pw_uid}:{nobody.pw_gid}::{folder}/home::\n")
        os.chmod(os.path.join(folder, "users"), 0o644)
        self.config = os.path.join(folder, "dovecot.conf")
        listeners = "".join(f"""  inet_listener submission{port} {{
    address = {", ".join(addresses)}
    port = {port}
    ssl = {"yes" if port in tls_ports else "no"}
  }}
""" for port in [*(ports or (self.port,)), *tls_ports])
        with open(self.config, "w") as out:
            out.write(f"""base_dir = {folder}/run
state_dir = {folder}/run
log_path = {self.log}
protocols = submission
hostname = {hostname}
ssl = required
ssl_cert = <{cert}
ssl_key = <{key}
auth_mechanisms = plain login cram-md5 scram-sha-256
mail_location = maildir:{folder}/home/mail
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
submission_relay_host = 127.0.0.1
submission_relay_port = {next_hop_port}
submission_relay_trusted = no
service submission-login {{
  inet_listener submission {{
    port = 0
  }}
  inet_listener submissions {{
    port = 0
  }}
{listeners}  chroot =
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
{extra}""")
        self.process = None

    def start(self, ready=None):
        self.process = subprocess.Popen([*self.enter, "/usr/sbin/dovecot", "-F", "-c", self.config], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(ready or (lambda: greets(self.port)), 30, what="Dovecot's greeting")
        return self

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log_text(self):
        with open(self.log, errors="replace") as log:
            return log.read()


class DovecotLmtp:
    """A real Dovecot that takes mail by LMTP over a Unix socket and over TCP, for the given users; others are unknown to it."""

    def __init__(self, folder, quota_for=None, users=("alice", "bob")):
        self.folder, self.port = folder, free_port()
        self.socket, self.log = os.path.join(folder, "lmtp"), os.path.join(folder, "dovecot.log")
        nobody = pwd.getpwnam("nobody")
        os.makedirs(os.path.join(folder, "run"), exist_ok=True)
        with open(os.path.join(folder, "users"), "w") as out:
            for user in users:
                home = os.path.join(folder, "mail-" + user)
                os.makedirs(home, exist_ok=True)
                os.chown(home, nobody.pw_uid, nobody.pw_gid)
                extra = "userdb_quota_rule=*:bytes=1" if user == quota_for else ""
                out.write(f"{user}:{{PLAIN}}x:{nobody.pw_uid}:{nobody.pw_gid}::{home}::{extra}\n")
        os.chmod(os.path.join(folder, "users"), 0o644)
        self.config = os.path.join(folder, "dovecot.conf")
        with open(self.config, "w") as out:
            out.write(f"""base_dir = {folder}/run
state_dir = {folder}/run
log_path = {self.log}
protocols = lmtp
hostname = mda.test
ssl = no
postmaster_address = postmaster@mda.test
auth_username_format = %n
mail_location = maildir:~/Maildir
mail_plugins = quota
plugin {{
  quota = maildir:User quota
}}
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%n {folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {folder}/users
}}
service lmtp {{
  unix_listener {self.socket} {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.port}
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
""")
        self.process = None

    enter = ()
    start = Dovecot.start
    stop = Dovecot.stop
    log_text = Dovecot.log_text

    def mails(self, user):
        folder = os.path.join(self.folder, "mail-" + user, "Maildir", "new")
        found = []
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, name), "rb") as mail:
                found.append(mail.read())
        return found


def lmtp_available():
    return os.geteuid() == 0 and os.path.exists("/usr/sbin/dovecot") and os.path.exists("/usr/lib/dovecot/lmtp")
