"""A program at a terminal of its own, asked for a secret."""
import os
import pty
import select
import time


def at_terminal(command, typed, environment, cwd=None, seconds=100):
    """(exit code, all that the terminal showed) of a program that asks for one secret on its terminal"""
    pid, terminal = pty.fork()
    if pid == 0:
        if cwd:
            os.chdir(cwd)
        os.execvpe(command[0], command, environment)
    shown, answered, end = b"", False, time.monotonic() + seconds
    while time.monotonic() < end:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        if not ready:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:   # the program has ended
            break
        if not data:
            break
        shown += data
        if not answered and b"assword" in shown and shown.rstrip().endswith(b":"):
            os.write(terminal, typed.encode() + b"\n")
            answered = True
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), shown.decode("utf-8", "replace")
