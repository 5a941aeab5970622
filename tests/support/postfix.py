"""A real Postfix with Cyrus SASL as the provider, with a configuration, queue and accounts of its own. Needs root."""
import os
import shutil
import subprocess

from .server import free_port, greets, wait_for

DAEMONS = "/usr/lib/postfix/sbin"


def available():
    return os.geteuid() == 0 and os.path.exists(os.path.join(DAEMONS, "master")) and shutil.which("saslpasswd2", path="/usr/sbin:/usr/bin")


MASTER = """pickup unix n - n 60 1 pickup
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
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Instance:
    """One Postfix in a folder of its own: what it listens at, main.cf as {name: value}, and users of its own sasldb."""

    def __init__(self, folder, services, settings, enter=()):
        self.folder, self.enter = folder, list(enter)   # enter: a command line that starts it elsewhere
        self.config = os.path.join(folder, "etc")
        self.log = os.path.join(folder, "postfix.log")
        self.sasldb = os.path.join(folder, "sasldb2")
        queue, data = os.path.join(folder, "queue"), os.path.join(folder, "data")
        for path in (self.config, queue, data, os.path.join(self.config, "sasl")):   # where Debian's Postfix looks
            os.makedirs(path, exist_ok=True)
        os.chmod(folder, 0o755)
        shutil.chown(data, "postfix")
        self.settings = {"compatibility_level": "3.6", "queue_directory": queue, "data_directory": data, "daemon_directory": DAEMONS,
                         "command_directory": "/usr/sbin", "mail_owner": "postfix", "setgid_group": "postdrop", "mydestination": "",
                         "alias_maps": "", "mynetworks": "", "maillog_file": self.log, "maillog_file_prefixes": folder,
                         "smtpd_client_connection_count_limit": "0", **settings}
        self._write_settings()
        with open(os.path.join(self.config, "master.cf"), "w") as out:
            out.write("\n".join([*services, MASTER]))

    def _write_settings(self):
        with open(os.path.join(self.config, "main.cf"), "w") as out:
            out.writelines(f"{name} = {value}\n" for name, value in self.settings.items())

    def offer(self, mechanisms):
        with open(os.path.join(self.config, "sasl", "smtpd.conf"), "w") as out:
            out.write(f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {self.sasldb}\nmech_list: {mechanisms}\n")

    def add_user(self, name, password, realm="test"):
        subprocess.run(["/usr/sbin/saslpasswd2", "-p", "-c", "-f", self.sasldb, "-u", realm, name], input=password.encode(), check=True)
        os.chmod(self.sasldb, 0o644)

    def _postfix(self, command, check):
        subprocess.run([*self.enter, "/usr/sbin/postfix", "-c", self.config, command], check=check, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)

    def start(self):
        self._postfix("start", check=True)
        return self

    def change(self, **settings):
        """Other settings in main.cf, for sessions that begin from now on."""
        self.settings.update(settings)
        self._write_settings()
        self._postfix("reload", check=True)

    def stop(self):
        self._postfix("stop", check=False)

    def log_text(self):
        try:
            with open(self.log, errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""


class Postfix(Instance):
    """On loopback, with SASL, relaying all to `next_hop_port`."""

    def __init__(self, folder, cert, key, next_hop_port, mechanisms="PLAIN LOGIN", extra=""):
        self.port, self.implicit_port = free_port(), free_port()
        lines = (line.partition("=") for line in extra.splitlines() if line.strip())
        more = {name.strip(): value.strip() for name, _, value in lines}
        super().__init__(folder, [f"127.0.0.1:{self.port} inet n - n - - smtpd",
                                  f"127.0.0.1:{self.implicit_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes"], {
            "myhostname": "localhost", "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "relayhost": f"[127.0.0.1]:{next_hop_port}",
            "smtpd_tls_cert_file": cert, "smtpd_tls_key_file": key, "smtpd_tls_security_level": "encrypt",
            "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_local_domain": "test",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
            "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject", "smtpd_discard_ehlo_keywords": "", **more})
        self.offer(mechanisms)

    def start(self):
        super().start()
        wait_for(lambda: greets(self.port), 30, what="Postfix's greeting")
        return self
