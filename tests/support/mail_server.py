"""A Sidegate as a mail server's users meet it: 25, submission and submissions on ports of its own, a certificate of a throw-away CA."""
import os
import shutil
import subprocess
import tempfile

from .certificates import Authority
from .server import BINARY, Server, free_port, wait_for
from .sink import Sink

USER, PASSWORD = "me@example.org", "s3cret"
PROFILES = ("smtp", "submission", "submissions")


class MailServer:
    """ports by profile; sink.messages is what went out. tests: the test case, which cleans up."""

    def __init__(self, test, auth="", tls="", listeners="", top="", backends='["file"]', known_user=True, log="json", more=None, **kwargs):
        self.test = test
        self.folder = tempfile.mkdtemp(prefix="sidegate-mail-")
        os.chmod(self.folder, 0o755)
        test.addCleanup(shutil.rmtree, self.folder, True)
        self.sink = Sink().start()
        test.addCleanup(self.sink.stop)
        self.authority = Authority(os.path.join(self.folder, "ca"))
        self.ca = self.authority.ca
        pair = self.authority.issue("gate", ["gate.test", "localhost"])
        os.chmod(pair[1], 0o600)
        self.users = os.path.join(self.folder, "users")
        with open(self.users, "w"):
            pass
        os.chmod(self.users, 0o640)
        self.ports = {name: free_port() for name in PROFILES}
        more = more or {}
        blocks = "".join(f'[[listener]]\nname = "{name}"\nprofile = "{name}"\naddress = "127.0.0.1"\nport = {port}\n{more.get(name, "")}'
                         for name, port in self.ports.items())
        self.server = Server(f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {self.sink.port}\ntls = "none"\n', **kwargs)
        test.addCleanup(self.server.discard)
        self.server.extra = (f'local_domains = ["gate.test"]\nalias_files = []\npostmaster = "root@elsewhere.test"\n{top}[log]\nstyle = "{log}"\n'
                             f'[auth]\nusers_file = "{self.users}"\nbackends = {backends}\nfailure_delay = 0\n{auth}\n'
                             f'[tls]\ncertificates = [{{ certificate = "{pair[0]}", key = "{pair[1]}" }}]\n{tls}\n'
                             f'[[listener]]\nname = "in"\naddress = "127.0.0.1"\nport = {self.server.port}\n{more.get("in", "")}'
                             f'{blocks}{listeners}')
        self.server.write_config()
        os.chmod(self.server.folder, 0o755)   # it may become another user
        if known_user:
            self.add_user(USER, PASSWORD, "--cram-md5")

    def add_user(self, name, password, *arguments):
        subprocess.run([BINARY, "user", "add", name, *arguments, "--config", self.server.config_path], input=password + "\n", text=True, check=True,
                       capture_output=True, timeout=60, env=self.server.child_environment())

    def start(self):
        self.server.start()
        return self

    def arrives(self, subject, count=1):
        """The messages with this subject that went out."""
        wanted = f"Subject: {subject}\r\n".encode()

        def found():
            mine = [m for m in list(self.sink.messages) if wanted in m[3]]
            return mine if len(mine) >= count else None
        return wait_for(found, 30, what=f"mail with subject {subject}\n{self.server.log_text()[-3000:]}")
