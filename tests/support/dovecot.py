"""A real Dovecot submission server as the provider, in a folder of its own. Needs root."""
import os
import pwd
import shutil
import subprocess

from .server import free_port, greets, wait_for


def available():
    return os.geteuid() == 0 and os.path.exists("/usr/sbin/dovecot") and os.path.exists("/usr/lib/dovecot/submission-login")


class Dovecot:
    def __init__(self, folder, cert, key, next_hop_port, user="me@test", password="s3cret word"):
        self.folder, self.port = folder, free_port()
        self.log = os.path.join(folder, "dovecot.log")
        os.makedirs(os.path.join(folder, "run"), exist_ok=True)
        os.makedirs(os.path.join(folder, "home"), exist_ok=True)
        shutil.chown(os.path.join(folder, "home"), "nobody", "nogroup")
        nobody = pwd.getpwnam("nobody")
        with open(os.path.join(folder, "users"), "w") as out:
            out.write(f"{user}:{{PLAIN}}{password}:{nobody.pw_uid}:{nobody.pw_gid}::{folder}/home::\n")
        os.chmod(os.path.join(folder, "users"), 0o644)
        self.config = os.path.join(folder, "dovecot.conf")
        with open(self.config, "w") as out:
            out.write(f"""base_dir = {folder}/run
state_dir = {folder}/run
log_path = {self.log}
protocols = submission
hostname = localhost
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
    address = 127.0.0.1
    port = {self.port}
  }}
  chroot =
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
""")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", self.config], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: greets(self.port), 30, what="Dovecot's greeting")
        return self

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log_text(self):
        with open(self.log, errors="replace") as log:
            return log.read()
