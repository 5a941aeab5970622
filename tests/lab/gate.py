"""Sidegate at home: the real binary in the lab's `home`, with its resolver, its trusted CA and its closed port 25."""
import json

from support.client import RawClient
from support.server import Server

from . import plan


class Gate(Server):
    def __init__(self, lab, relay="", extra="", **more):
        self.lab = lab
        # The process ids of the host: it can be watched and signalled like any other. It ends with the test.
        super().__init__(relay=relay, extra=extra, prefix=["setpriv", "--pdeathsig", "KILL", *lab.home.enter(pids=False)], **more)

    def connect(self):
        return self.lab.home.connect("127.0.0.1", self.port, 2)

    def send(self, sender, recipients, subject="x", body=b"body\r\n"):
        """One message, answered 250."""
        client = RawClient(0, connected=self.lab.home.connect("127.0.0.1", self.port, 60))
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
