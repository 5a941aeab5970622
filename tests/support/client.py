"""A raw SMTP client for tests: says exactly what it is told, reads whole replies."""
import socket


class RawClient:
    def __init__(self, port, timeout=60, address="127.0.0.1", connected=None):
        self.socket = connected or socket.create_connection((address, port), timeout)
        self.socket.settimeout(timeout)
        self.file = self.socket.makefile("rb")
        self.greeting = self.reply()

    def reply(self):
        """One reply: (code, [lines]); code 0 when the peer has closed."""
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                return 0, lines
            lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
            if line[3:4] != b"-":
                return int(line[:3]), lines

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def command(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def open_transaction(self, sender="a@test", recipients=("b@test",), parameters=""):
        self.command("EHLO client.test")
        code, lines = self.command(f"MAIL FROM:<{sender}>{parameters}")
        assert code == 250, lines
        for recipient in recipients:
            code, lines = self.command(f"RCPT TO:<{recipient}>")
            assert code == 250, lines

    def data(self, content):
        """DATA with dots stuffed; content ends with CRLF."""
        code, lines = self.command("DATA")
        if code != 354:
            return code, lines
        stuffed = content.replace(b"\r\n.", b"\r\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        self.send(stuffed + b".\r\n")
        return self.reply()

    def close(self):
        self.file.close()
        self.socket.close()
