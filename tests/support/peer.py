"""tools/scripted-peer as a provider that misbehaves, in a process of its own."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

from .server import free_port, wait_for

TOOL = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "scripted-peer")


class Peer:
    """Peer("--reply", "mail:1=451 4.3.0 later").start(); events are the lines it writes, in order."""

    def __init__(self, *arguments, port=0):
        self.arguments, self.port = arguments, port or free_port()   # one that it may be started at again
        self.out = tempfile.mkdtemp(prefix="sidegate-peer-")
        self.events, self.process = [], None

    def start(self):
        self.process = subprocess.Popen([sys.executable, TOOL, "--port", str(self.port), "--out", self.out, *self.arguments],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        (listening,) = wait_for(lambda: self.of("listening"), 20, what="the peer")
        self.port = listening["port"]
        return self

    def _read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def of(self, step):
        return [event for event in list(self.events) if event["step"] == step]

    def messages(self):
        """[(sender, recipients, octets)], addresses without brackets and parameters"""
        found = []
        for event in self.of("message"):
            with open(event["file"], "rb") as file:
                found.append((bare(event["sender"]), [bare(r) for r in event["recipients"]], file.read()))
        return found

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.thread.join(30)
        self.process.stdout.close()

    def discard(self):
        if self.process and self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.out, ignore_errors=True)


def bare(path):
    return path[path.index("<") + 1:path.rindex(">")] if "<" in path else path
