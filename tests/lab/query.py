"""One DNS question from a place, as a test needs it: with or without EDNS, by UDP or TCP, and what the answer's header says."""
import secrets
import socket
from dataclasses import dataclass, field

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "DS": 43, "RRSIG": 46, "DNSKEY": 48, "TLSA": 52}
NAMES = {number: name for name, number in TYPES.items()}
CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


@dataclass
class Reply:
    code: str = "SILENT"            # nobody answered
    authentic: bool = False         # AD (RFC 4035 section 3.2.3)
    truncated: bool = False
    edns: bool = False              # the answer has an OPT record (RFC 6891)
    answers: list = field(default_factory=list)   # (name, type, text)

    def texts(self, kind):
        return sorted(text for _, type_, text in self.answers if type_ == kind)


def make(name, kind, edns=True, dnssec=True):
    labels = [label.encode() for label in name.rstrip(".").split(".") if label]
    question = b"".join(bytes([len(label)]) + label for label in labels) + b"\0" + TYPES[kind].to_bytes(2, "big") + b"\0\1"
    flags = 0x0100 | (0x0020 if dnssec else 0)   # AD in a question: tell me (RFC 6840 section 5.7)
    opt = b"\0" + (41).to_bytes(2, "big") + (1232).to_bytes(2, "big") + (b"\0\0\x80\0" if dnssec else b"\0\0\0\0") + b"\0\0" if edns else b""
    return secrets.token_bytes(2) + flags.to_bytes(2, "big") + b"\0\1\0\0\0\0" + (b"\0\1" if edns else b"\0\0") + question + opt


def read_name(message, at):
    labels, end = [], None
    for _ in range(128):
        size = message[at]
        if size >= 0xC0:
            end = end or at + 2
            at = (size & 0x3F) << 8 | message[at + 1]
        elif size == 0:
            return ".".join(labels) + ".", end or at + 1
        else:
            labels.append(message[at + 1:at + 1 + size].decode())
            at += 1 + size
    raise ValueError("a name without end")


def read_data(message, kind, at, size):
    data = message[at:at + size]
    if kind == 1:
        return socket.inet_ntop(socket.AF_INET, data)
    if kind == 28:
        return socket.inet_ntop(socket.AF_INET6, data)
    if kind in (2, 5, 12):
        return read_name(message, at)[0]
    if kind == 15:
        return f"{int.from_bytes(data[:2], 'big')} {read_name(message, at + 2)[0]}"
    if kind == 33:
        return " ".join(str(int.from_bytes(data[i:i + 2], "big")) for i in (0, 2, 4)) + " " + read_name(message, at + 6)[0]
    if kind == 16:
        return data[1:1 + data[0]].decode()
    if kind == 52:
        return f"{data[0]} {data[1]} {data[2]} {data[3:].hex()}"
    return data.hex()


def read(message):
    flags = int.from_bytes(message[2:4], "big")
    counts = [int.from_bytes(message[i:i + 2], "big") for i in (4, 6, 8, 10)]
    reply = Reply(CODES.get(flags & 15, str(flags & 15)), bool(flags & 0x0020), bool(flags & 0x0200))
    at = 12
    for _ in range(counts[0]):
        at = read_name(message, at)[1] + 4
    for number in range(sum(counts[1:])):
        name, at = read_name(message, at)
        kind, size = int.from_bytes(message[at:at + 2], "big"), int.from_bytes(message[at + 8:at + 10], "big")
        at += 10
        if kind == 41:
            reply.edns = True
        elif number < counts[1]:
            reply.answers.append((name, NAMES.get(kind, str(kind)), read_data(message, kind, at, size)))
        at += size
    return reply


def ask(place, server, name, kind, edns=True, dnssec=True, timeout=60, tcp=False):
    """A Reply; code "SILENT" when nobody answers within `timeout`, "REFUSED CONNECTION" when nobody listens (TCP)."""
    question = make(name, kind, edns, dnssec)

    def talk():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as sock:
            sock.settimeout(timeout)
            sock.connect((server, 53))
            if not tcp:
                sock.send(question)
                return sock.recv(65535)
            sock.sendall(len(question).to_bytes(2, "big") + question)
            stream = sock.makefile("rb")
            return stream.read(int.from_bytes(stream.read(2), "big"))
    try:
        return read(place.within(talk))
    except ConnectionRefusedError:
        return Reply("REFUSED CONNECTION")
    except OSError:
        return Reply()
