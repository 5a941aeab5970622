"""A DNS server with TXT records alone, for programs that look up keys: `txt_server.py FILE COMMAND...` runs a command in a network and
a mount namespace of its own, where /etc/resolv.conf leads to it. FILE: a JSON object, {name: value}. Needs root."""
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading


def answer(query, records):
    end = 12
    labels = []
    while query[end]:
        labels.append(query[end + 1:end + 1 + query[end]].decode())
        end += 1 + query[end]
    question = query[12:end + 5]
    value = records.get(".".join(labels).lower())
    if value is None or question[-4:-2] != b"\0\x10":   # no such name, or not TXT
        return query[:2] + (b"\x85\x83" if value is None else b"\x85\x80") + b"\0\1\0\0\0\0\0\0" + question
    data = b"".join(bytes([len(part)]) + part for part in (value[at:at + 255].encode() for at in range(0, len(value), 255)))
    row = b"\xc0\x0c\0\x10\0\1\0\0\0\x3c" + len(data).to_bytes(2, "big") + data
    return query[:2] + b"\x85\x80" + b"\0\1\0\1\0\0\0\0" + question + row


def serve(records, port=53):
    """In a thread, on loopback; the port it is on (0: a free one)."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", port))

    def run():
        while True:
            query, peer = server.recvfrom(4096)
            server.sendto(answer(query, records), peer)
    threading.Thread(target=run, daemon=True).start()
    return server.getsockname()[1]


def main():
    if os.environ.get("SIDEGATE_TEST_TXT") != "inside":
        os.execvpe("unshare", ["unshare", "-mn", sys.executable, os.path.abspath(__file__), *sys.argv[1:]],
                   dict(os.environ, SIDEGATE_TEST_TXT="inside"))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as resolv:
        resolv.write("nameserver 127.0.0.1\n")
        resolv.flush()
        os.chmod(resolv.name, 0o644)
        subprocess.run(["mount", "--bind", resolv.name, os.path.realpath("/etc/resolv.conf")], check=True)
        with open(sys.argv[1]) as file:
            serve({name.lower(): value for name, value in json.load(file).items()})
        sys.exit(subprocess.run(sys.argv[2:]).returncode)


if __name__ == "__main__":
    main()
