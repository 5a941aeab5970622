"""An unsteady machine, asked for by SIDEGATE_UNSTEADY=1: what a test sees comes late and out of step, so that one that counts
on how quick something is fails here and not, once in a hundred runs, elsewhere.
- The log shows a line only some time after it was written; a sink answers some time after it has a message.
- Each process of the server stands still for a moment again and again."""
import json
import os
import random
import signal
import threading
import time
from datetime import datetime, timezone

ON = os.environ.get("SIDEGATE_UNSTEADY", "") not in ("", "0")
LATE = 0.4   # seconds


def seen_by_now(text, process):
    """The log without its latest lines (JSON ones: others have no time to go by); all of it once the process has ended."""
    if not ON or not process or process.poll() is not None:
        return text
    lines = text.splitlines(keepends=True)
    while lines:
        try:
            written = datetime.fromisoformat(json.loads(lines[-1])["time"])
        except (ValueError, KeyError, TypeError):
            break
        if not 0 <= (datetime.now(timezone.utc) - written).total_seconds() < LATE:   # a clock that a test has moved: shown
            break
        lines.pop()
    return "".join(lines)


def answer_later(messages):
    """Seconds from having the latest of so many messages to saying so: not for each of a test's thousands."""
    return random.uniform(0, LATE) if ON and messages < 30 else 0


def stutter(server):
    """Stops one of the server's processes for up to 0.2 s, about three times a second, as long as it lives."""
    if ON:
        threading.Thread(target=_stutter, args=(server, server.process), daemon=True).start()


def _stutter(server, process):
    while process.poll() is None and server.process is process:
        time.sleep(random.uniform(0.02, 0.5))
        try:
            pid = random.choice(server.pids())
            with open(f"/proc/{pid}/stat") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "T":
                    continue   # by the test
            os.kill(pid, signal.SIGSTOP)
        except (OSError, IndexError):
            continue
        try:
            time.sleep(random.uniform(0.005, 0.2))
        finally:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
