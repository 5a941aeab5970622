"""Straight to MX hosts, as the classic how-tos have it: while port 25 is open, when it closes, when somebody else answers on it,
when it is closed to a few alone, and on a blocked line without any relay."""
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
FIRST_DIRECT = '[[route]]\nways = ["direct", "isp"]\n'
UNRELATED = ("dane.example", "sts.example", "plain.example")


class DirectCase(LabCase):
    def gate(self, relay="", extra=""):
        server = gate.Gate(self.lab, relay + DIRECT + extra)
        self.addCleanup(server.discard)
        self.addCleanup(server.end)
        return server.start()

    def arrives(self, server, recipient, seconds=90):
        try:
            return self.lab.wait_for_mail(recipient, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\nSidegate's log:\n{server.log_text()[-4000:]}") from None

    def way_of(self, server, recipient):
        return wait_for(lambda: [event["way"] for event in server.events("delivery")
                                 if event["to"] == recipient and event["status"] == "sent"], what=f"the delivery to {recipient}")[-1]

    def status(self, server):
        return json.loads(server.command("status", "--json").stdout)

    def direct(self, server):
        found = [way for way in self.status(server)["relays"] if way["name"] == "direct" and "destination" not in way]
        return found[0] if found else {"up": True}

    def event(self, server, name, seconds=90):
        return wait_for(lambda: server.events(name), seconds, what=f"{name} in the log")[0]


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
        server.send(SENDER, ["a@private.example"])
        wait_for(lambda: [e for e in server.events("way_down") if e.get("destination") == "private.example"], what="private space")
        server.stop()

    def test_dead_ipv6_costs_nothing_per_message(self):
        self.lab.set(port25="open", ipv6="dead")
        server = self.gate()
        for n in range(6):
            server.send(SENDER, [f"six{n}@{UNRELATED[n % 3]}"])
        for n in range(6):
            self.arrives(server, f"six{n}@{UNRELATED[n % 3]}")
        server.stop()


class BlockFalls(DirectCase):
    def test_while_mail_is_in_the_queue_and_is_lifted(self):
        self.lab.set(port25="open")
        server = self.gate(gate.isp(), FIRST_DIRECT)
        server.send(SENDER, ["before@dane.example"])
        self.arrives(server, "before@dane.example")
        self.assertEqual(self.way_of(server, "before@dane.example"), "direct")
        self.lab.set(port25="drop")
        for domain in UNRELATED * 2:
            server.send(SENDER, [f"during@{domain}"])
        for domain in UNRELATED:
            self.arrives(server, f"during@{domain}")
        self.event(server, "port25_closed")
        self.assertIn("closed here", self.direct(server)["reason"])
        self.assertEqual(self.way_of(server, "during@plain.example"), "isp")
        self.lab.set(port25="open")
        server.command("queue", "list").stdout
        # The slow timer would look in five minutes; a message that is asked for now is looked at now.
        self.assertEqual(len(server.events("port25_closed")), 1)
        server.stop()


class Intercepted(DirectCase):
    def test_the_interceptor_is_named_and_gets_nothing(self):
        self.lab.set(port25="intercept")
        server = self.gate(gate.isp(), FIRST_DIRECT)
        for domain in UNRELATED:
            server.send(SENDER, [f"caught@{domain}"])
        for domain in UNRELATED:
            self.arrives(server, f"caught@{domain}")
            self.assertEqual(self.way_of(server, f"caught@{domain}"), "isp")
        self.assertEqual(self.event(server, "port25_intercepted")["interceptor"], plan.FILTER.name)
        self.assertIn(plan.FILTER.name, self.direct(server)["reason"])
        server.stop()


class NoRelayOnABlockedLine(DirectCase):
    def test_nothing_bounces_and_everything_says_what_to_do(self):
        for variant in ("drop", "reject"):
            with self.subTest(port25=variant):
                self.lab.set(port25=variant)
                server = self.gate()
                for domain in UNRELATED:
                    server.send(SENDER, [f"waits@{domain}"])
                self.event(server, "port25_closed")
                wait_for(lambda: not self.direct(server)["up"], what="status")
                text = server.command("status").stdout
                for part in ("port 25", "[[relay]]", "no relay is set up"):
                    self.assertIn(part, text)
                rows = [json.loads(line) for line in server.command("queue", "list", "--json").stdout.splitlines() if '"id"' in line]
                self.assertEqual(len(rows), 3)
                shown = server.command("queue", "show", rows[0]["id"]).stdout
                self.assertIn("[[relay]]", shown)
                self.assertEqual(server.events("report"), [])
                self.assertEqual(len(server.events("port25_closed")), 1)
                server.stop()


class ClosedToSome(DirectCase):
    def test_two_destinations_then_all(self):
        self.lab.set(port25="drop", only=[plan.DANE.v4, plan.DANE.v6, plan.STS.v4, plan.STS.v6])
        server = self.gate(gate.isp(), FIRST_DIRECT)
        for domain in UNRELATED:
            server.send(SENDER, [f"some@{domain}"])
        for domain in UNRELATED:
            self.arrives(server, f"some@{domain}")
        self.assertEqual(self.way_of(server, "some@plain.example"), "direct")
        for domain in ("dane.example", "sts.example"):
            self.assertEqual(self.way_of(server, f"some@{domain}"), "isp")
        self.assertTrue(self.direct(server)["up"])
        self.lab.set(port25="drop")
        for domain in UNRELATED:
            server.send(SENDER, [f"all@{domain}"])
        for domain in UNRELATED:
            # A connection that was open when the path died costs a minute (TCP_USER_TIMEOUT), and a retry another one.
            self.arrives(server, f"all@{domain}", 240)
        self.assertEqual(server.events("report"), [])
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
