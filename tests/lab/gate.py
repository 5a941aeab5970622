"""Sidegate at home: the real binary in the lab's `home`, with its resolver, its trusted CA and its closed port 25."""
import json
import os
import pwd
import shutil
import subprocess

from support.client import RawClient
from support.programs import SENDMAIL, as_user, environment_for
from support.server import BINARY, Server

from . import plan


class Gate(Server):
    def __init__(self, lab, relay="", extra="", place=None, **more):
        self.lab, self.place = lab, place or lab.home
        # The process ids of the host: it can be watched and signalled like any other. It ends with the test.
        super().__init__(relay=relay, extra=extra, prefix=["setpriv", "--pdeathsig", "KILL", *self.place.enter(pids=False)], **more)

    def connect(self):
        return self.place.connect("127.0.0.1", self.port, 2)

    def sidegate(self, *arguments):
        """A command as somebody on that machine gives it, with its network."""
        return subprocess.run([*self.place.enter(pids=False), os.path.abspath(BINARY), *arguments, "--config", self.config_path], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300, env=self.child_environment())

    def sendmail(self, text, recipients=(), user="root", arguments=("-i",)):
        """As a program of that user's calls it."""
        os.chmod(self.folder, 0o755)   # as /run/sidegate is
        program = os.path.join(self.folder, "sendmail")
        if not os.path.exists(program):
            shutil.copy(SENDMAIL, program)
        done = subprocess.run(as_user(pwd.getpwnam(user).pw_uid, program, *arguments, *recipients), input=text.encode(),
                              capture_output=True, env=environment_for(self), timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"sendmail of {user} ended with {done.returncode}: {done.stderr.decode()}")

    def send(self, sender, recipients, subject="x", body=b"body\r\n"):
        """One message, answered 250."""
        client = RawClient(0, connected=self.place.connect("127.0.0.1", self.port, 60))
        for line in ("EHLO client.test", f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients)):
            code, lines = client.command(line)
            if code != 250:
                raise AssertionError(f"{line}: {lines}")
        head = f"From: <{sender}>\r\nTo: <{recipients[0]}>\r\nSubject: {subject}\r\n\r\n".encode()
        code, lines = client.data(head + body)
        if code != 250:
            raise AssertionError(f"after DATA: {lines}")
        client.close()


def relay(name, host, account, port, more=""):
    """A [[relay]] as a user writes it: by name, with AUTH and a verified certificate."""
    return (f'[[relay]]\nname = "{name}"\nhost = "{host.name}"\nport = {port}\n'
            f'user = {json.dumps(account.user)}\npassword = {json.dumps(account.password)}\n{more}')


def isp(port=587, more="", account=plan.TARO):
    return relay("isp", plan.RELAY, account, port, more)


def provider(port=587, more=""):
    return relay("provider", plan.PROVIDER, plan.ME, port, more)
