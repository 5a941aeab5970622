"""SIGHUP, SIGTERM, and what the server says of a configuration it will not take."""
import json
import os
import signal
import smtplib
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient                    # noqa: E402
from support.server import Server, free_port, wait_for  # noqa: E402
from support.sink import Sink                           # noqa: E402


def relay(port, name="isp", extra=""):
    return f'[[relay]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n{extra}'


class Running(unittest.TestCase):
    def setUp(self):
        self.sinks = [Sink().start(), Sink().start()]
        self.server = Server(relay=relay(self.sinks[0].port))
        self.server.start()

    def tearDown(self):
        self.server.stop()
        self.server.discard()
        for sink in self.sinks:
            sink.stop()

    def submit(self, sender="a@test"):
        with smtplib.SMTP("127.0.0.1", self.server.port, timeout=60) as client:
            client.sendmail(sender, ["b@test"], "Subject: x\r\n\r\nbody\r\n")

    def arrives(self, sink, sender):
        wait_for(lambda: [m for m in list(sink.messages) if m[1].startswith(f"<{sender}>")], 20, what=f"mail of {sender}")

    def reload(self, event, count=1):
        self.server.write_config()
        self.server.process.send_signal(signal.SIGHUP)
        return wait_for(lambda: self.server.events(event) if len(self.server.events(event)) >= count else None, 20, what=event)[-1]

    def test_bad_file(self):
        """The old configuration stays in force; the log says file, line and what was meant."""
        client = RawClient(self.server.port)
        client.open_transaction(sender="begun@test")
        good = self.server.relay
        for bad, words in ((relay(self.sinks[1].port, extra='hots = "x"\n'), ("hots", "host")),
                           (relay(self.sinks[1].port, extra="tls = 7 7\n"), ("toml:",)),
                           (relay(self.sinks[1].port, extra='eight_bit = "convrt"\n'), ("convert",)),
                           (relay(self.sinks[1].port, extra='connections = 5000\n'), ("connections",)),
                           (relay(self.sinks[1].port, extra='password_file = "/nowhere"\nuser = "u"\n'), ("/nowhere",))):
            with self.subTest(bad=bad):
                refused = len(self.server.events("reload_refused"))
                self.server.relay = bad
                event = self.reload("reload_refused", refused + 1)
                for word in words:
                    self.assertIn(word, event["problems"])
                with open(self.server.config_path) as file:
                    last = len(file.readlines())   # where the mistake is, or the line before
                self.assertRegex(event["problems"], rf"sidegate\.toml:({last}|{last - 1}):")
                result = self.server.command("reload")
                self.assertEqual(result.returncode, 78, result.stderr)
                self.assertRegex(result.stderr, r"sidegate\.toml:\d+:")
        self.submit("after@test")
        self.arrives(self.sinks[0], "after@test")
        self.assertEqual(client.data(b"Subject: x\r\n\r\nbody\r\n")[0], 250)
        client.close()
        self.arrives(self.sinks[0], "begun@test")
        self.assertEqual(self.sinks[1].messages, [])
        self.server.relay = good

    def test_good_file(self):
        """Another relay and another limit; a session in a transaction keeps what it began with and loses nothing."""
        client = RawClient(self.server.port)
        client.open_transaction(sender="begun@test")
        self.server.relay = relay(self.sinks[1].port)
        self.server.extra = (f'[[listener]]\nname = "in"\naddress = "127.0.0.1"\nport = {self.server.port}\nmax_message_size = "64KiB"\n')
        self.reload("reloaded")
        self.submit("after@test")
        self.arrives(self.sinks[1], "after@test")
        fresh = RawClient(self.server.port)
        self.assertIn("250-SIZE 65536", [line.replace("250 ", "250-") for line in fresh.command("EHLO x")[1]])
        self.assertEqual(fresh.command("MAIL FROM:<a@test> SIZE=70000")[0], 552)
        fresh.close()
        self.assertEqual(client.data(b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n" * 50000)[0], 250)   # by the old limit
        client.close()
        self.arrives(self.sinks[1], "begun@test")
        # back, by the command instead of the signal; what needs a restart is named
        self.server.relay = relay(self.sinks[0].port)
        self.server.extra = '[queue]\nretry_first = "2min"\n'
        self.server.write_config()
        result = self.server.command("reload", check=0)
        self.assertIn("retry_first", result.stdout)
        self.submit("last@test")
        self.arrives(self.sinks[0], "last@test")

    def test_rules_for_addresses_reach_a_standing_connection(self):
        """The relay's block is as it was, so its connections stay; what goes over them from now on is rewritten anew."""
        def leaves_as(sender):
            count = len(self.sinks[0].messages)
            self.submit("a@nas.home")
            wait_for(lambda: len(self.sinks[0].messages) > count, what="the message")
            self.assertEqual(self.sinks[0].messages[-1][1].split()[0], f"<{sender}>")
        leaves_as("a@nas.home")
        for number, name in enumerate(("n@example.org", "other@example.org", "a@nas.home"), 1):
            self.server.extra = f'[rewrite]\ngeneric = {{ "a@nas.home" = "{name}" }}\n'
            self.reload("reloaded", number)
            leaves_as(name)
        self.assertEqual(self.sinks[0].connections, 1)

    def test_what_waits_for_a_restart(self):
        """Named at each reload and in `status` for as long as it differs from what runs, and no longer."""
        def reload_says():
            self.server.write_config()
            said = self.server.command("reload", check=0).stdout
            warnings = json.loads(self.server.command("status", "--json", check=0).stdout)["warnings"]
            self.assertEqual([w for w in warnings if "restart" in w], said.splitlines()[1:])
            return said.splitlines()[1:]
        self.server.extra = '[queue]\nretry_first = "2min"\n'
        for _ in range(3):
            self.assertEqual(reload_says(), ["queue.retry_first takes effect after a restart"])
        self.server.extra = '[queue]\nretry_max = "2h"\n'
        self.assertEqual(reload_says(), ["queue.retry_max takes effect after a restart"])
        self.server.extra = ""
        self.assertEqual(reload_says(), [])

    def test_relay_added_while_mail_waits(self):
        self.server.relay = relay(free_port(), extra='retry_after = "10min"\n')
        self.reload("reloaded")
        self.submit("waits@test")
        wait_for(lambda: self.server.events("way_down"), 20, what="the way's trouble")
        self.server.relay = relay(free_port(), extra='retry_after = "10min"\n') + relay(self.sinks[1].port, name="second")
        self.reload("reloaded", 2)
        self.arrives(self.sinks[1], "waits@test")

    def test_mended_relay(self):
        """What waits for a relay goes at once when the mistake in its block is mended."""
        self.server.relay = relay(free_port(), extra='retry_after = "10min"\n')
        self.reload("reloaded")
        self.submit("mended@test")
        wait_for(lambda: self.server.events("way_down"), 20, what="the way's trouble")
        self.server.relay = relay(self.sinks[1].port, extra='retry_after = "10min"\n')
        self.reload("reloaded", 2)
        self.arrives(self.sinks[1], "mended@test")

    def test_term_drains(self):
        """A message under way is taken to its 250 and is there after the restart; no new connection, exit 0."""
        client, idle = RawClient(self.server.port), RawClient(self.server.port)
        client.open_transaction(sender="drained@test")
        self.assertEqual(client.command("DATA")[0], 354)
        client.send("Subject: x\r\n\r\nfirst half\r\n")
        self.sinks[0].reply = lambda stage, text: "421 4.3.2 not now" if stage == "mail" else None   # it stays queued
        self.server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: self.server.events("stopping"), 10, what="the drain")
        self.assertIn(idle.reply()[0], (421, 0))
        self.assertIsNone(self.server.process.poll())
        client.send("second half\r\n.\r\n")
        code, lines = client.reply()
        self.assertEqual(code, 250, lines)
        client.close()
        idle.close()
        self.assertEqual(self.server.process.wait(60), 0)
        self.assertTrue(self.server.events("stopped")[-1]["clean"])
        self.sinks[0].reply = lambda stage, text: None
        if not self.sinks[0].messages:
            self.server.start()
        self.arrives(self.sinks[0], "drained@test")
        self.assertIn(b"first half\r\nsecond half\r\n", self.sinks[0].messages[0][3])

    def test_interrupt(self):
        self.server.process.send_signal(signal.SIGINT)
        self.assertEqual(self.server.process.wait(60), 0)


class Start(unittest.TestCase):
    """(file, words): refused with 78, each problem with file, line and what to do."""
    BAD = (
        ('hostnam = "x"\n', (":1: ", "hostname")),
        ('[queue]\nretry_frist = "1s"\n', (":2: ", "retry_first")),
        ('[qeue]\n', (":1: ", "queue")),
        ('[queue]\nlifetime = "five days"\n', (":2: ", "lifetime", "30s")),
        ('[[relay]]\nname = "x"\n', (":1: ", "host")),
        ('[[relay]]\nhost = "mx.test"\nuser = "u"\n', (":3: ", "password_file")),
        ('[[relay]]\nhost = "mx.test"\nport = "submision"\n', (":3: ", "submission")),
        ('[[relay]]\nhost = "mx.test"\ntls = "startls"\n', (":3: ", "starttls")),
        ('hostname = "x\n', (":1:",)),
        ('hostname = "x"\nhostname = "y"\n', (":2:", "hostname")),
    )

    def start(self, text, files=()):
        server = Server()
        try:
            for name, content, mode in files:
                path = os.path.join(server.folder, name)
                with open(path, "w") as out:
                    out.write(content)
                os.chmod(path, mode)
            with open(server.config_path, "w") as out:
                out.write(text.replace("FOLDER", server.folder))
            run, check = server.command("run"), server.command("config", "check")
            self.assertEqual((run.returncode, check.returncode), (78, 78), (text, run.stderr, check.stdout, check.stderr))
            return run.stderr.replace(server.folder, "FOLDER"), (check.stdout + check.stderr).replace(server.folder, "FOLDER")
        finally:
            server.discard()

    def test_bad_files(self):
        for text, words in self.BAD:
            with self.subTest(text=text):
                for said in self.start(text):
                    self.assertIn("FOLDER/sidegate.toml:", said)
                    for word in words:
                        self.assertIn(word, said)

    def test_missing_file(self):
        server = Server()
        try:
            os.remove(server.config_path)
            result = server.command("run")
            self.assertEqual(result.returncode, 78)
            self.assertIn(server.config_path, result.stderr)
        finally:
            server.discard()

    def test_password_file_modes(self):
        block = '[[relay]]\nhost = "mx.test"\nuser = "u"\npassword_file = "FOLDER/secret"\n'
        for mode in (0o644, 0o604, 0o666):
            with self.subTest(mode=oct(mode)):
                for said in self.start(block, (("secret", "s3cret word\n", mode),)):
                    self.assertIn("chmod 600 FOLDER/secret", said)
                    self.assertIn(":4: ", said)
                    self.assertNotIn("s3cret", said)

    def test_environment(self):
        server = Server(environment={"SIDEGATE_RELAY_0_HOST": "mx.test", "SIDEGATE_QUEUE_LIFETIME": "never"})
        try:
            result = server.command("run")
            self.assertEqual(result.returncode, 78)
            self.assertIn("SIDEGATE_QUEUE_LIFETIME", result.stderr)
        finally:
            server.discard()

    def test_port_taken(self):
        first = Server().start()
        second = Server()
        try:
            second.port = first.port
            second.write_config()
            result = second.command("run")
            self.assertEqual(result.returncode, 69)
            self.assertIn(str(first.port), result.stderr)
        finally:
            first.stop()
            first.discard()
            second.discard()


if __name__ == "__main__":
    unittest.main()
