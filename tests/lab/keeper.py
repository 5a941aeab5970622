#!/usr/bin/env python3
"""Keeps a lab up for tools/lab: keeper.py FOLDER PORT25 DNS IPV6. FOLDER/state.json is there while it stands; on FOLDER/control
it takes one question a connection, a JSON object, and answers with another."""
import json
import os
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import Lab, Unavailable, become_able, gate      # noqa: E402

EXAMPLE = """# Sidegate at home in the lab, with both providers; written anew by each `tools/lab up`.
hostname = "home.example"
control_socket = "{folder}/sidegate.control"
submit_socket = ""
drop_directory = ""
local_domains = []
{user}
[queue]
path = "{folder}/queue"

[[listener]]
name = "in"
address = "127.0.0.1"
port = 2525

{isp}identity = "account"   # the ISP takes no other sender

{provider}"""


def start_time(pid):
    """What tells a process from a later one with its number; None: it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return fields[19] if fields[0] != "Z" else None   # dead, and nobody has asked
    except FileNotFoundError:
        return None


def write(path, text, mode=0o644):
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as out:
        out.write(text)
    os.replace(path + ".new", path)


def line(lab):
    return {"port25": lab.port25, "dns": lab.dns, "ipv6": lab.ipv6}


def answer(lab, question):
    if "set" in question:
        lab.set(**question["set"])
    if "close" in question:
        lab.close_port(*question["close"])
    if "mail" in question:
        return {"mail": [mail.decode("utf-8", "replace") for mail in lab.mailbox(question["mail"])]}
    return {"line": line(lab), "closed": lab.firewall.closed, "attempts_on_port25": lab.attempts_on_port25()}


def serve(lab, listener):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                connection.settimeout(10)
                stream = connection.makefile("rw")
                try:
                    reply = answer(lab, json.loads(stream.readline()))
                except Exception as error:   # noqa: B902: whoever asked is told
                    reply = {"error": str(error)}
                stream.write(json.dumps(reply) + "\n")
                stream.flush()
            except OSError:
                pass


def main():
    folder, port25, dns, ipv6 = sys.argv[1:]
    become_able()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: over.set())
    path, state = os.path.join(folder, "control"), os.path.join(folder, "state.json")
    try:
        with Lab(port25, dns, ipv6) as lab, socket.socket(socket.AF_UNIX) as listener:
            if os.path.exists(path):
                os.unlink(path)
            listener.bind(path)
            listener.listen()
            threading.Thread(target=serve, args=(lab, listener), daemon=True).start()
            user = 'user = "root"\n' if os.geteuid() == 0 else ""
            write(os.path.join(folder, "sidegate.toml"), EXAMPLE.format(folder=folder, user=user, isp=gate.isp(), provider=gate.provider()), 0o600)
            write(state, json.dumps({"pid": os.getpid(), "started": start_time(os.getpid()), "folder": lab.folder, "ca": lab.authority.ca,
                                     "places": {place.name: place.pid for place in lab.machine.places}}))
            over.wait()
            os.unlink(state)
    except (Unavailable, ValueError) as error:
        print(error, file=sys.stderr)
        return 69
    return 0


if __name__ == "__main__":
    sys.exit(main())
