"""Straight to MX hosts of every kind, and a dead relay. Lines that close, as the classic how-tos have them: howto_blocks_test.py."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, gate, plan                   # noqa: E402
from lab.case import LabCase                              # noqa: E402
from support.server import wait_for                       # noqa: E402

SENDER = plan.TARO.user
DIRECT = '[direct]\nconnect_timeout = "2s"\nretry_after = "1s"\n'
UNRELATED = ("dane.example", "sts.example", "plain.example")


class DirectCase(LabCase):
    def gate(self, relay="", extra="", queue=""):
        server = gate.Gate(self.lab, relay + DIRECT + extra, queue)
        self.addCleanup(server.discard)
        self.addCleanup(server.end)
        return server.start()

    def arrives(self, server, recipient, seconds=90):
        try:
            return self.lab.wait_for_mail(recipient, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\nSidegate's log:\n{server.log_text()[-4000:]}") from None

    def status(self, server):
        return json.loads(server.command("status", "--json").stdout)


class WhileItIsOpen(DirectCase):
    def test_every_kind_of_domain(self):
        self.lab.set(port25="open")
        server = self.gate()
        good = [*UNRELATED, "equal.example", "implicit.example", "fallback.example", "news.chain.example", "mxalias.example", "v6only.example"]
        for domain in good:
            server.send(SENDER, [f"kinds@{domain}"])
        for domain in good:
            self.arrives(server, f"kinds@{domain}")
        server.send(SENDER, ["a@null.example"])
        failed = wait_for(lambda: [e for e in server.events("delivery") if e["to"] == "a@null.example"], what="the null MX")[0]
        self.assertEqual((failed["status"], failed["dsn"]), ("bounced", "5.1.10"))
        server.send(SENDER, ["a@nowhere.example"])
        failed = wait_for(lambda: [e for e in server.events("delivery") if e["to"] == "a@nowhere.example"], what="no such domain")[0]
        self.assertEqual((failed["status"], failed["dsn"]), ("bounced", "5.1.2"))
        server.send(SENDER, ["a@self.example"])
        failed = wait_for(lambda: [e for e in server.events("delivery") if e["to"] == "a@self.example"], what="the loop")[0]
        self.assertEqual((failed["status"], failed["dsn"]), ("bounced", "5.4.6"))
        for number in range(4):   # whichever of the two stands first in an answer
            server.send(SENDER, [f"{number}@twins.example"])
            failed = wait_for(lambda: [e for e in server.events("delivery") if e["to"] == f"{number}@twins.example"], what="the loop")[0]
            self.assertEqual((failed["status"], failed["dsn"]), ("bounced", "5.4.6"))
        server.send(SENDER, ["a@doubtful.example"])   # the better one may be there in a while
        (down,) = wait_for(lambda: [e for e in server.events("way_down") if e.get("destination") == "doubtful.example"], what="DNS trouble")
        self.assertEqual(down["meaning"], "dns-trouble")
        self.assertEqual([e for e in server.events("delivery") if e["to"] == "a@doubtful.example" and e["status"] == "bounced"], [])
        server.send(SENDER, ["a@private.example"])
        wait_for(lambda: [e for e in server.events("way_down") if e.get("destination") == "private.example"], what="private space")
        server.stop()

    def test_the_next_exchanger_is_asked_when_the_first_one_takes_nothing(self):
        """RFC 5321 section 5.1: one that puts mail off after RCPT, and one that refuses our address there."""
        self.lab.set(port25="open")
        first = self.lab.exchangers["dane"]
        self.addCleanup(first.change, smtpd_client_restrictions="")
        for how in ("defer", "reject_rbl_client lines.example"):
            with self.subTest(how=how):
                first.change(smtpd_client_restrictions=how)
                server = self.gate(queue='[queue]\nretry_first = "2s"\nretry_max = "2s"\n')
                recipient = f"{how.split('_')[0]}@second.example"
                server.send(SENDER, [recipient])
                self.arrives(server, recipient)
                sent = wait_for(lambda: [e for e in server.events("delivery") if e["to"] == recipient and e["status"] == "sent"], what="it in the log")
                self.assertIn(plan.PLAIN.name, sent[0]["relay"])
                server.stop()

    def test_dead_ipv6_costs_nothing_per_message(self):
        self.lab.set(port25="open", ipv6="dead")
        server = self.gate()
        for n in range(6):
            server.send(SENDER, [f"six{n}@{UNRELATED[n % 3]}"])
        for n in range(6):
            self.arrives(server, f"six{n}@{UNRELATED[n % 3]}")
        server.stop()


class ADeadRelayHoldsItsMail(DirectCase):
    def test_a_thousand_messages_wait_on_it_and_flow_when_it_is_back(self):
        many = 1000
        server = self.gate(gate.isp(more='retry_after = "1s"\nconnections = 4\n'))
        self.lab.relay.stop()
        try:
            for n in range(many):
                server.send(SENDER, ["flood@plain.example"], subject=str(n))
            wait_for(lambda: any(not way["up"] for way in self.status(server)["relays"]), what="the relay's being down")
            self.assertEqual([e for e in server.events("delivery") if e["status"] == "deferred"], [])   # nobody is tried one by one
            self.assertEqual(self.status(server)["queue"]["messages"], many)
        finally:
            self.lab.relay.start()
        wait_for(lambda: self.status(server)["queue"]["messages"] == 0, 300, what="an empty queue")
        self.assertEqual(len(self.lab.wait_for_mail("flood@plain.example", many, seconds=300)), many)
        self.assertEqual(server.events("report"), [])
        server.stop()


if __name__ == "__main__":
    become_able()
    unittest.main()
