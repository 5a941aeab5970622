"""tools/lab as a person uses it, word by word as `up` prints it."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, places, plan                # noqa: E402
from support.server import BINARY, wait_for               # noqa: E402

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "lab")


def own_environment():
    """Without what Sidegate would read as configuration."""
    return {key: value for key, value in os.environ.items() if not key.startswith("SIDEGATE_")}


class Tool(unittest.TestCase):
    def setUp(self):
        if places.unavailable():
            print("skipped: " + places.unavailable())   # ctest looks for it
            self.skipTest("skipped: " + places.unavailable())
        self.folder = tempfile.mkdtemp(prefix="sidegate-tool-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.addCleanup(self.tool, "down", expected=None)

    def tool(self, *words, expected=0):
        done = subprocess.run([sys.executable, "-B", TOOL, "--dir", self.folder, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        if expected is not None:
            self.assertEqual(done.returncode, expected, (words, done.stdout, done.stderr))
        return done.stdout + done.stderr

    def test_without_one(self):
        for words in (["show"], ["set", "--port25", "open"], ["mail", "a@dane.example"], ["shell", "home", "true"]):
            self.assertEqual(self.tool(*words, expected=1), "tools/lab: no lab is up; `tools/lab up` makes one\n")
        self.assertIn("No lab was up.", self.tool("down"))
        for words in (["up", "--port25", "closed"], ["shell", "garden"], ["set", "--close", "70000"], [], ["leave"]):
            self.assertIn("usage: ", self.tool(*words, expected=2))

    def test_a_walk(self):
        self.assertIn("The lab is up.", self.tool("up", "--port25", "reject", "--dns", "router"))
        self.assertIn("a lab is up already", self.tool("up", expected=1))
        shown = self.tool("show")
        for text in (plan.DANE.v4, plan.TARO.password, "bogus.example", "is closed: rejected", plan.GATEWAY.v4):
            self.assertIn(text, shown)
        told = json.loads(self.tool("show", "--json"))
        self.assertEqual(told["line"], {"port25": "reject", "dns": "router", "ipv6": "present"})
        self.assertEqual(self.tool("shell", "home", "--", "hostname"), "home\n")
        self.assertEqual(self.tool("shell", "home", "cat", "/etc/resolv.conf").split()[1], plan.GATEWAY.v4)
        self.assertEqual(self.tool("shell", "isp", "sh", "-c", "exit 7", expected=7), "")
        self.assertIn("say what to change", self.tool("set", expected=64))
        self.assertIn("port 25 to the world is open", self.tool("set", "--port25", "open", "--ipv6", "dead", "--close", "2525"))
        self.assertIn("nothing has been delivered", self.tool("mail", "alice@dane.example", expected=1))
        self.sidegate_at_home()
        self.assertIn("The lab is down.", self.tool("down"))
        self.assertIn("no lab is up", self.tool("show", expected=1))
        self.assertFalse(os.path.exists(told["folder"]))
        self.assertFalse(os.path.exists(f"/proc/{told['places']['home']}"))

    def sidegate_at_home(self):
        self.tool("set", "--ipv6", "present")
        command = [sys.executable, "-B", TOOL, "--dir", self.folder, "shell", "home", "--", os.path.abspath(BINARY), "run", "--config", f"{self.folder}/sidegate.toml"]
        with open(f"{self.folder}/sidegate.log", "w") as log:
            gate = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=own_environment())
        try:
            swaks = ("shell", "home", "swaks", "--server", "127.0.0.1:2525", "--from", "me@home.example", "--to", "alice@dane.example", "--body", "well met")
            wait_for(lambda: gate.poll() is not None or "250 2." in self.tool(*swaks, expected=None), what="Sidegate at home to take a message")
            with open(f"{self.folder}/sidegate.log") as log:
                self.assertIsNone(gate.poll(), log.read()[-2000:])
            wait_for(lambda: "well met" in self.tool("mail", "alice@dane.example", expected=None), what="the message")
        finally:
            gate.send_signal(signal.SIGTERM)
            gate.wait(60)

    def test_killed(self):
        """A lab whose keeper is killed is no lab; the next one is made in its place."""
        self.tool("up")
        with open(f"{self.folder}/state.json") as state:
            told = json.load(state)
        os.kill(told["pid"], signal.SIGKILL)
        wait_for(lambda: not os.path.exists(f"/proc/{told['places']['home']}"), what="its places to be gone")
        self.assertIn("no lab is up", self.tool("show", expected=1))
        self.assertTrue(os.path.exists(told["folder"]))
        self.tool("up")
        self.assertFalse(os.path.exists(told["folder"]), "what the killed one had left")
        self.tool("down")


if __name__ == "__main__":
    become_able()
    unittest.main()
