"""A real Postfix with Cyrus SASL as the provider, with a configuration, queue and accounts of its own. Needs root."""
import os
import shutil
import subprocess

from .server import free_port, greets, wait_for

DAEMONS = "/usr/lib/postfix/sbin"


def available():
    return os.geteuid() == 0 and os.path.exists(os.path.join(DAEMONS, "master")) and shutil.which("saslpasswd2", path="/usr/sbin:/usr/bin")


class Postfix:
    def __init__(self, folder, cert, key, next_hop_port, mechanisms="PLAIN LOGIN", extra=""):
        self.folder, self.port = folder, free_port()
        self.implicit_port = free_port()
        self.config = os.path.join(folder, "etc")
        self.log = os.path.join(folder, "postfix.log")
        queue, data = os.path.join(folder, "queue"), os.path.join(folder, "data")
        for path in (self.config, queue, data, os.path.join(self.config, "sasl")):   # where Debian's Postfix looks
            os.makedirs(path, exist_ok=True)
        os.chmod(folder, 0o755)
        shutil.chown(data, "postfix")
        with open(os.path.join(self.config, "sasl", "smtpd.conf"), "w") as out:
            out.write(f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {folder}/sasldb2\nmech_list: {mechanisms}\n")
        with open(os.path.join(self.config, "main.cf"), "w") as out:
            out.write(f"""compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
daemon_directory = {DAEMONS}
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = localhost
mydestination =
alias_maps =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:{next_hop_port}
maillog_file = {self.log}
maillog_file_prefixes = {folder}
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = encrypt
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = test
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_client_connection_count_limit = 0
smtpd_discard_ehlo_keywords =
{extra}
""")
        with open(os.path.join(self.config, "master.cf"), "w") as out:
            out.write(f"""127.0.0.1:{self.port} inet n - n - - smtpd
127.0.0.1:{self.implicit_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
""")

    def add_user(self, name, password):
        subprocess.run(["/usr/sbin/saslpasswd2", "-p", "-c", "-f", f"{self.folder}/sasldb2", "-u", "test", name], input=password.encode(), check=True)
        os.chmod(f"{self.folder}/sasldb2", 0o644)

    def start(self):
        subprocess.run(["/usr/sbin/postfix", "-c", self.config, "start"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        wait_for(lambda: greets(self.port), 30, what="Postfix's greeting")
        return self

    def stop(self):
        subprocess.run(["/usr/sbin/postfix", "-c", self.config, "stop"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)

    def log_text(self):
        try:
            with open(self.log, errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""
