"""A SOCKS5 proxy on loopback (RFC 1928, RFC 1929), in threads of the test: connects to what `names` says a name is."""
import socket
import struct
import threading


class Socks5:
    def __init__(self, names=None, login=None):
        self.names, self.login = names or {}, login
        self.requests = []   # (host as it was asked for, port)
        self.refused = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            with client:
                self._dialogue(client)
        except (OSError, EOFError):
            pass

    @staticmethod
    def _take(client, count):
        data = b""
        while len(data) < count:
            more = client.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def _dialogue(self, client):
        _, count = self._take(client, 2)
        methods = self._take(client, count)
        wanted = 2 if self.login else 0
        if wanted not in methods:
            self.refused += 1
            client.sendall(b"\x05\xff")
            return
        client.sendall(bytes((5, wanted)))
        if self.login:
            self._take(client, 1)
            user = self._take(client, self._take(client, 1)[0]).decode()
            password = self._take(client, self._take(client, 1)[0]).decode()
            good = (user, password) == self.login
            self.refused += not good
            client.sendall(b"\x01\x00" if good else b"\x01\x01")
            if not good:
                return
        _, _, _, kind = self._take(client, 4)
        host = {1: lambda: socket.inet_ntoa(self._take(client, 4)), 4: lambda: socket.inet_ntop(socket.AF_INET6, self._take(client, 16)),
                3: lambda: self._take(client, self._take(client, 1)[0]).decode()}[kind]()
        (port,) = struct.unpack("!H", self._take(client, 2))
        self.requests.append((host, port))
        target = self.names.get(host)
        if target is None:
            client.sendall(b"\x05\x04\x00\x01" + bytes(6))
            return
        with socket.create_connection((target, port), 20) as server:
            client.sendall(b"\x05\x00\x00\x01" + bytes(6))
            back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            back.start()
            self._pump(client, server)
            back.join(20)

    @staticmethod
    def _pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
