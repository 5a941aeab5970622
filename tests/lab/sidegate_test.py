"""Sidegate at home, behind every kind of line: what leaves by the ISP's relay arrives, and port 25 is left alone."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, firewall, gate, plan         # noqa: E402
from lab.case import LabCase                              # noqa: E402
from support.server import wait_for                       # noqa: E402

DOMAINS = ("dane.example", "sts.example", "plain.example")
SENDER = plan.TARO.user


class GateCase(LabCase):
    def gate(self, relay):
        server = gate.Gate(self.lab, relay)
        self.addCleanup(server.discard)
        self.addCleanup(server.end)
        return server.start()

    def delivers(self, server, name, domains=DOMAINS, sender=SENDER, seconds=60):
        """One message with a recipient in each domain; all of them arrive, whole."""
        recipients = [f"{name}@{domain}" for domain in domains]
        server.send(sender, recipients, body=b"..a dot\r\nbody of " + name.encode() + b"\r\n")
        for recipient in recipients:
            try:
                (mail,) = self.lab.wait_for_mail(recipient, seconds=seconds)
            except AssertionError as error:
                raise AssertionError(f"{error}\nSidegate's log:\n{server.log_text()[-3000:]}") from None
            self.assertIn(b"body of " + name.encode() + b"\n", mail)

    def finished(self, server, name):
        """The events of the deliveries of a message sent by `delivers`."""
        return wait_for(lambda: (found := [event for event in server.events("delivery") if event["to"].startswith(name + "@")]) and
                        len(found) >= len(DOMAINS) and found, what=f"the log of {name}'s deliveries")


class Variants(GateCase):
    def test_each_port_of_the_relay(self):
        for port in (587, 465):
            with self.subTest(port=port):
                server = self.gate(gate.isp(port))
                self.delivers(server, f"p{port}")
                self.finished(server, f"p{port}")
                tls = wait_for(lambda: server.events("tls"), what="the log line about TLS")[0]
                self.assertTrue(tls["verified"], tls)
                server.stop()
                self.assertRegex(self.lab.isp.log(), rf"sasl_username={SENDER}")
        self.assertEqual(self.lab.attempts_on_port25(), [])

    def test_each_state_of_port_25(self):
        for state in firewall.PORT25:
            with self.subTest(port25=state):
                self.lab.set(port25=state)
                server = self.gate(gate.isp())
                self.delivers(server, f"state-{state}")
                server.stop()
        self.assertEqual(self.lab.attempts_on_port25(), [])

    def test_router(self):
        """A DNS proxy without EDNS, DNSSEC and TCP is enough, and costs no time."""
        self.lab.set(dns="router")
        server = self.gate(gate.isp())
        before = time.monotonic()
        self.delivers(server, "router")
        self.assertLess(time.monotonic() - before, 30, server.log_text()[-3000:])
        server.stop()

    def test_without_ipv6(self):
        self.lab.set(ipv6="absent")
        server = self.gate(gate.isp())
        self.delivers(server, "four")
        server.stop()

    def test_with_ipv6(self):
        server = self.gate(gate.isp())
        self.delivers(server, "six")
        server.stop()

    def test_second_provider(self):
        server = self.gate(gate.provider(465))
        self.delivers(server, "second", sender="someone@home.example")
        server.stop()

    def test_by_srv(self):
        server = self.gate(f'[[relay]]\nname = "srv"\nhost = "provider.example"\nsrv = true\nuser = "{plan.ME.user}"\npassword = "{plan.ME.password}"\n')
        self.delivers(server, "srv", sender=plan.ME.user)
        self.assertEqual(server.events("connected")[0]["port"], 465)
        server.stop()

    def test_a_stranger_as_sender(self):
        """The relay takes its customer's own address alone: what is from another is kept, or leaves as the account's."""
        server = self.gate(gate.isp())
        server.send("someone@home.example", ["stranger@dane.example"])
        event = wait_for(lambda: [e for e in server.events("delivery") if e["to"] == "stranger@dane.example"], what="the delivery's log line")[0]
        self.assertEqual((event["status"], event["meaning"]), ("deferred", "sender-not-allowed"), event)
        self.assertIn("not owned by user", event["reply"])
        server.stop()
        server = self.gate(gate.isp(more='identity = "account"\n'))
        self.delivers(server, "guest", sender="someone@home.example")
        self.assertIn(b"Return-Path: <taro@isp.example>", self.lab.mailbox("guest@plain.example")[0])
        server.stop()


class Failover(GateCase):
    def test_to_the_second_provider(self):
        server = self.gate(gate.isp(more='retry_after = "1s"\n') + gate.provider())
        self.delivers(server, "before")
        self.lab.relay.stop()
        try:
            self.delivers(server, "while")
            for event in self.finished(server, "while"):
                self.assertTrue(event["relay"].startswith(plan.PROVIDER.name), event)
        finally:
            self.lab.relay.start()
        server.stop()

    def test_holds_while_both_are_away(self):
        """Nothing bounces; all of it arrives when one is back."""
        server = self.gate(gate.isp(more='retry_after = "1s"\n') + gate.provider(more='retry_after = "1s"\n'))
        self.lab.relay.stop()
        self.lab.provider.stop()
        try:
            server.send(SENDER, [f"held@{domain}" for domain in DOMAINS])
            wait_for(lambda: {event["relay"] for event in server.events("way_down")} >= {"isp", "provider"}, what="both ways to be found down")
            self.assertEqual([event for event in server.events("delivery") if event["status"] == "bounced"], [])
        finally:
            self.lab.relay.start()
            self.lab.provider.restart()
        for domain in DOMAINS:
            self.lab.wait_for_mail(f"held@{domain}")
        server.stop()


class ALineThatChanges(GateCase):
    def test_while_a_connection_waits_for_work(self):
        """The address that it has been made from is gone, and nobody says so: mail does not wait for the reply to MAIL."""
        server = self.gate(gate.isp())
        self.delivers(server, "before-change")
        self.lab.set(ipv6="absent")
        self.delivers(server, "after-change", seconds=180)   # mail_timeout is five minutes
        self.assertEqual(server.events("way_down"), [])
        server.stop()


class DeadIpv6(GateCase):
    def test_costs_no_long_delay(self):
        """The first connection may find out; each one after it knows."""
        self.lab.set(ipv6="dead")
        server = self.gate(gate.isp(more="messages_per_connection = 1\n"))
        times = []
        for number in range(5):
            before = time.monotonic()
            self.delivers(server, f"dead{number}")
            times.append(time.monotonic() - before)
        print("dead IPv6, seconds to deliver, each by a new connection:", " ".join(f"{t:.2f}" for t in times), flush=True)
        self.assertEqual(len(server.events("connected")), 5, server.log_text()[-3000:])
        self.assertLess(min(times[1:]), 10, times)
        server.stop()


if __name__ == "__main__":
    become_able()
    unittest.main()
