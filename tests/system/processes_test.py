"""Parent and server: who may do what, and what happens when one of them dies."""
import os
import pwd
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient              # noqa: E402
from support.server import Server, wait_for       # noqa: E402
from support.sink import Sink                     # noqa: E402


def status_of(pid):
    with open(f"/proc/{pid}/status") as status:
        return dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)


def submit(server, sender):
    client = RawClient(server.port)
    client.open_transaction(sender=sender)
    code, _ = client.data(b"Subject: x\r\n\r\nx\r\n")
    client.close()
    return code


class Processes(unittest.TestCase):
    def setUp(self):
        self.sink = Sink().start()
        self.addCleanup(self.sink.stop)
        self.server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {self.sink.port}\ntls = "none"\n')
        self.addCleanup(self.server.discard)

    def arrived(self, sender):
        wait_for(lambda: any(f"<{sender}>" in from_ for _, from_, _, _ in list(self.sink.messages)), 20, what=sender)

    def as_user(self, name):
        with open(self.server.config_path) as config:
            text = config.read().replace('user = "root"', f'user = "{name}"')
        os.chmod(self.server.folder, 0o755)
        with open(self.server.config_path, "w") as config:
            config.write(text)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_the_server_is_not_root_and_cannot_become_it(self):
        self.as_user("nobody")
        self.server.start()
        serving = status_of(self.server.serving_pid())
        nobody = pwd.getpwnam("nobody")
        self.assertEqual(serving["Uid"].split(), [str(nobody.pw_uid)] * 4)
        self.assertEqual(serving["Gid"].split(), [str(nobody.pw_gid)] * 4)
        self.assertEqual(int(serving["CapEff"], 16) | int(serving["CapPrm"], 16), 0)
        self.assertEqual(serving["NoNewPrivs"], "1")
        self.assertEqual(submit(self.server, "one@test"), 250)
        self.arrived("one@test")
        self.assertEqual(self.server.stop(), 0)

    def test_the_sandbox_is_on_and_told(self):
        self.server.start()
        started = wait_for(lambda: self.server.events("started"), 10, what="the line that it has started")[0]
        self.assertRegex(started["sandbox"], r"^(no )?Landlock")
        if status_of(self.server.serving_pid())["Seccomp"] == "2":
            self.assertIn(", seccomp", started["sandbox"])
        else:
            self.assertIn("no seccomp", started["sandbox"])
        self.assertIn("sandbox: ", self.server.command("status").stdout)

    def test_the_resolvers_files_may_lie_anywhere(self):
        """They are named in the configuration, so the sandbox leaves them to be read, also when they are replaced."""
        hosts = os.path.join(self.server.folder, "names", "hosts")
        os.mkdir(os.path.dirname(hosts))
        with open(hosts, "w") as out:
            out.write("127.0.0.1 relay.test\n")
        self.server.relay = self.server.relay.replace('"127.0.0.1"', '"relay.test"')
        self.server.extra = f'[dns]\nhosts = "{hosts}"\n'
        self.server.write_config()
        self.server.start()
        self.assertEqual(submit(self.server, "named@test"), 250)
        self.arrived("named@test")

    def test_a_server_that_dies_is_started_again_and_nobody_is_refused(self):
        self.server.start()
        first = self.server.serving_pid()
        for n in range(3):
            self.assertEqual(submit(self.server, f"before{n}@test"), 250)
            serving = self.server.serving_pid()
            os.kill(serving, signal.SIGSEGV)
            # The parent holds the ports: a client that comes now waits in the backlog and is served.
            wait_for(lambda: serving not in self.server.pids(), 10, 0.002, "the server to be gone")
            self.assertEqual(submit(self.server, f"after{n}@test"), 250)
            self.arrived(f"before{n}@test")
            self.arrived(f"after{n}@test")
        self.assertNotEqual(self.server.serving_pid(), first)
        died = wait_for(lambda: (lambda d: d if len(d) >= 3 else None)(self.server.events("server_died")), what="three deaths in the log")
        self.assertEqual(len(died), 3)
        self.assertIn("signal 11", died[0]["how"])
        self.assertEqual(self.server.stop(), 0)

    def test_the_server_does_not_outlive_its_parent(self):
        self.server.start()
        pids = self.server.pids()
        self.assertGreater(len(pids), 1)
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), 10, what="all of them to be gone")
        self.server.start()
        self.assertEqual(submit(self.server, "one@test"), 250)

    def test_it_goes_on_with_the_configuration_last_loaded(self):
        self.server.start()
        other = Sink().start()
        self.addCleanup(other.stop)
        self.server.relay = self.server.relay.replace(str(self.sink.port), str(other.port))
        self.server.write_config()
        self.server.command("reload", check=0)
        os.kill(self.server.serving_pid(), signal.SIGKILL)
        wait_for(lambda: self.server.events("server_died"), 10, what="the death to be told")
        self.assertEqual(submit(self.server, "one@test"), 250)
        wait_for(lambda: other.messages, 20, what="the message at the new relay")
        self.assertFalse(self.sink.messages)

    def test_a_server_that_cannot_start_ends_it(self):
        self.server.start()
        second = Server(relay=self.server.relay, folder=None)
        self.addCleanup(second.discard)
        with open(second.config_path, "a") as config:
            pass
        text = second.config_text().replace(f'{second.folder}/queue', f'{self.server.folder}/queue')
        with open(second.config_path, "w") as config:
            config.write(text)
        second.start(wait=False)
        self.assertNotEqual(second.process.wait(60), 0)
        self.assertTrue(second.events("start_failed"), second.log_text())


if __name__ == "__main__":
    unittest.main()
