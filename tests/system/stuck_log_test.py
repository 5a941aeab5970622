"""Whoever reads the log may stop reading: mail goes on, and what was not written is counted and told when it reads again."""
import os
import re
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient                     # noqa: E402
from support.server import BINARY, Server, wait_for      # noqa: E402
from support.sink import Sink                            # noqa: E402

MESSAGES = 6000   # two long lines each: more than the pipe and the log's buffer hold


class StuckLog(unittest.TestCase):
    def test_mail_goes_on(self):
        sink = Sink().start()
        server = Server(relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\n')
        self.addCleanup(server.discard)
        reading, writing = os.pipe()
        server.process = subprocess.Popen([BINARY, "run", "--config", server.config_path], stdin=subprocess.DEVNULL, stdout=writing, stderr=writing,
                                          env=server.child_environment())
        os.close(writing)   # nobody reads
        server.wait_ready()
        sender = "s" * 60 + "@" + "d" * 60 + ".test"
        longest, begun = 0, time.monotonic()

        def submit():
            nonlocal longest
            client = RawClient(server.port, timeout=60)
            client.command("EHLO " + "h" * 60 + ".test")
            for number in range(MESSAGES // 4):
                at = time.monotonic()
                client.send(f"MAIL FROM:<{sender}>\r\nRCPT TO:<{'r' * 60}@{'t' * 60}.test>\r\nDATA\r\n")
                self.assertEqual([client.reply()[0] for _ in range(3)], [250, 250, 354])
                client.send(f"Message-ID: <{'m' * 300}{number}@test>\r\n\r\n.\r\n")
                self.assertEqual(client.reply()[0], 250)
                longest = max(longest, time.monotonic() - at)
            client.close()
        threads = [threading.Thread(target=submit) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_for(lambda: len(sink.messages) >= MESSAGES, 60, 0.1, "all messages")
        print(f"{MESSAGES} messages through in {time.monotonic() - begun:.1f} s while nobody read the log; longest wait {longest:.1f} s")
        self.assertLess(longest, 10)
        self.assertEqual(len(sink.messages), MESSAGES)
        text = []

        def read():
            with os.fdopen(reading, "rb") as log:
                text.append(log.read())
        reader = threading.Thread(target=read)
        reader.start()
        self.assertEqual(server.stop(), 0)
        reader.join()
        log = text[0].decode()
        dropped = sum(int(n) for n in re.findall(r'"event":"log_lines_dropped","count":(\d+)', log))
        accepted, sent = log.count('"event":"accepted"'), log.count('"status":"sent"')
        print(f"lines: {accepted} accepted, {sent} sent, {dropped} dropped and counted")
        self.assertGreater(dropped, 0)
        self.assertGreaterEqual(accepted + sent + dropped, 2 * MESSAGES)
        self.assertIn('"event":"stopped"', log)
        for line in log.splitlines():
            self.assertTrue(line.startswith("{") and line.endswith("}"), line)
        sink.stop()


if __name__ == "__main__":
    unittest.main()
