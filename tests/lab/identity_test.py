"""A relay that knows its customers refuses a foreign sender. Whom mail is from in the classic how-tos: howto_senders_test.py."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, gate, plan                   # noqa: E402
from lab.case import LabCase                              # noqa: E402
from support.server import wait_for                       # noqa: E402


class Senders(LabCase):
    def gate(self, relay, extra=""):
        server = gate.Gate(self.lab, relay, extra=extra)
        self.addCleanup(server.discard)
        self.addCleanup(server.end)
        return server.start()

    def arrives(self, server, sender, name):
        """A message from `sender`: its Return-Path and From as the recipient sees them."""
        recipient = f"{name}@plain.example"
        server.send(sender, [recipient])
        try:
            (mail,) = self.lab.wait_for_mail(recipient)
        except AssertionError as error:
            raise AssertionError(f"{error}\nSidegate's log:\n{server.log_text()[-3000:]}") from None
        lines = mail.split(b"\n\n")[0].splitlines()
        return tuple(next(line.split(b": ")[1].decode() for line in lines if line.startswith(field)) for field in (b"Return-Path:", b"From:"))

    def outcome(self, server, name):
        event = wait_for(lambda: [e for e in server.events("delivery") if e["to"].startswith(name + "@")], what="the delivery's log line")[0]
        return event["status"], event["meaning"]

    def test_a_relay_that_refuses_a_foreign_sender(self):
        """reject_sender_login_mismatch, by each setting."""
        foreign = "someone@home.example"
        server = self.gate(gate.isp(more='on_sender_refused = "account"\n'))
        path, author = self.arrives(server, foreign, "ref0")
        self.assertEqual(path, f"<{plan.TARO.user}>")
        self.assertIn(plan.TARO.user, author)
        (event,) = server.events("sender_refused")
        self.assertIn('identity = "account"', event["next"])
        server.stop()
        for number, (setting, status) in enumerate((("next", "deferred"), ("hold", "held"), ("fail", "bounced"), ("auto", "deferred")), 1):
            with self.subTest(setting=setting):
                server = self.gate(gate.isp(more=f'on_sender_refused = "{setting}"\n'))
                server.send(foreign, [f"ref{number}@plain.example"])
                self.assertEqual(self.outcome(server, f"ref{number}"), (status, "sender-not-allowed"))
                self.assertEqual(len(server.events("sender_refused")), 1)
                server.stop()
        server = self.gate(gate.isp())   # what this machine says itself leaves as the account, without being asked
        self.assertEqual(self.arrives(server, "root@gate.test", "ref9")[0], f"<{plan.TARO.user}>")
        server.stop()


if __name__ == "__main__":
    become_able()
    unittest.main()
