"""A milter in a thread of the test, to be told what to do: it speaks the protocol itself (no libmilter), keeps what it hears, and
fails in every way that a real one does."""
import os
import socket
import struct
import threading

SILENT = b"DAQK"   # commands without an answer


def packet(code, data=b""):
    return struct.pack(">I", len(data) + 1) + code.encode() + data


def strings(*values):
    return b"".join(value.encode() + b"\0" for value in values)


class Milter:
    """answers: command letter -> octets to send instead of "go on"; hangs_at, closes_at, garbage_at: a command letter."""

    def __init__(self, path=None, port=0, **how):
        self.path, self.port = path, port
        self.answers = {}
        self.protocol = 0
        self.hangs_at = self.closes_at = self.garbage_at = ""
        self.heard = []        # (letter, data) of all connections
        self.links = 0         # made
        self.open = 0
        self.lock = threading.Lock()
        self.sockets = set()
        self.set(**how)
        self.listener = None

    def set(self, **how):
        for name, value in how.items():
            assert hasattr(self, name), name
            setattr(self, name, value)
        return self

    def usual(self):
        """As it is when it is made, and nothing heard yet."""
        with self.lock:
            self.heard.clear()
        return self.set(answers={}, hangs_at="", closes_at="", garbage_at="")

    @property
    def address(self):
        return f"unix:{self.path}" if self.path else f"inet:127.0.0.1:{self.port}"

    def start(self):
        if self.path:
            if os.path.exists(self.path):
                os.unlink(self.path)
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.path)
            os.chmod(self.path, 0o666)
        else:
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(("127.0.0.1", self.port))
            self.port = self.listener.getsockname()[1]
        self.listener.listen(64)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()
        return self

    def stop(self):
        """Nobody listens any more, and what was open is closed."""
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        with self.lock:
            for one in self.sockets:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def commands(self):
        with self.lock:
            return "".join(letter for letter, _ in self.heard if letter not in "DO")

    def macros(self):
        """The value of each macro that was told last."""
        found = {}
        with self.lock:
            for letter, data in self.heard:
                if letter == "D":
                    words = data[1:].decode("utf-8", "replace").split("\0")
                    found.update({name.strip("{}"): value for name, value in zip(words[0::2], words[1::2])})
        return found

    def body(self):
        with self.lock:
            return b"".join(data for letter, data in self.heard if letter == "B")

    def _accept(self, listener):
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link):
        with self.lock:
            self.links += 1
            self.open += 1
            self.sockets.add(link)
        try:
            self._talk(link)
        except OSError:
            pass
        finally:
            with self.lock:
                self.open -= 1
                self.sockets.discard(link)
            link.close()

    def _talk(self, link):
        file = link.makefile("rb")
        while True:
            head = file.read(4)
            if len(head) < 4:
                return
            whole = file.read(struct.unpack(">I", head)[0])
            letter, data = chr(whole[0]), whole[1:]
            with self.lock:
                self.heard.append((letter, data))
            if letter == "Q" or letter == self.closes_at:
                return
            if letter == self.garbage_at:
                link.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                continue
            if letter == self.hangs_at or letter.encode() in SILENT:
                continue
            if letter == "O":
                version, actions, _ = struct.unpack(">III", data[:12])
                link.sendall(packet("O", struct.pack(">III", version, actions, self.protocol)))
            else:
                link.sendall(self.answers.get(letter, packet("c")))
