"""What ./run shows after its build, run to its end: the message arrives byte for byte and the steps are told."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BINARY = os.path.join(os.environ.get("SIDEGATE_BUILD", os.path.join(TOP, "build", "release")), "src", "daemon", "sidegate")


def taken(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


class Demo(unittest.TestCase):
    def setUp(self):
        if taken(2525) or taken(2587):
            self.skipTest("skipped: port 2525 or 2587 is taken")
        # A tree of its own, so that a demonstration that runs beside this test keeps its ./var.
        self.top = tempfile.mkdtemp(prefix="sidegate-demo-")
        shutil.copytree(os.path.join(TOP, "tools"), os.path.join(self.top, "tools"))
        place = os.path.join(self.top, "build", "run", "src", "daemon")
        os.makedirs(place)
        os.symlink(os.path.abspath(BINARY), os.path.join(place, "sidegate"))

    def tearDown(self):
        shutil.rmtree(self.top, ignore_errors=True)

    def run_demo(self, *arguments):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SIDEGATE_")}
        return subprocess.run([sys.executable, os.path.join(self.top, "tools", "demo"), *arguments], capture_output=True, text=True,
                              timeout=100, env=dict(environment, NO_COLOR="1"), stdin=subprocess.DEVNULL)

    def test_practice(self):
        result = self.run_demo()
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        steps = [step for step in ("accepted and durable", "connected to", "TLS verified", "authenticated with SCRAM-SHA-256", "sent to",
                                   "byte for byte what was submitted") if step in result.stdout]
        self.assertEqual(len(steps), 6, result.stdout)
        order = [result.stdout.index(step) for step in steps]
        self.assertEqual(order, sorted(order), result.stdout)

    def test_bad_arguments(self):
        for arguments, expected in ((("--relay", "nonsense"), "HOST:PORT"), (("--relay", "host:587"), "--user")):
            result = self.run_demo(*arguments)
            self.assertEqual(result.returncode, 64)
            self.assertIn(expected, result.stderr)


if __name__ == "__main__":
    unittest.main()
