"""The classic how-tos about ways out, each by its name: accounts by sender, ports that close one after the other, a relay that
is renamed, dead IPv6, relays at port 25 inside the ISP."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, gate, plan                   # noqa: E402
from lab.case import LabCase                              # noqa: E402
from support.server import wait_for                       # noqa: E402


class WaysCase(LabCase):
    def gate(self, relay, extra=""):
        server = gate.Gate(self.lab, relay, extra)
        self.addCleanup(server.discard)
        self.addCleanup(server.end)
        return server.start()

    def delivers(self, server, sender, recipient, seconds=90):
        server.send(sender, [recipient])
        try:
            self.lab.wait_for_mail(recipient, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\nSidegate's log:\n{server.log_text()[-4000:]}") from None

    def hosts(self, server, recipient):
        return wait_for(lambda: [e["relay"] for e in server.events("delivery") if e["to"] == recipient], what="the log's line")


def ladder(ports, more=""):
    return (f'[[relay]]\nname = "provider"\nhost = "{plan.PROVIDER.name}"\nports = {ports}\n'
            f'user = "{plan.ME.user}"\npassword = "{plan.ME.password}"\nconnect_timeout = "5s"\nmessages_per_connection = 1\n{more}')


class TwoProvidersBySender(WaysCase):
    def test_each_by_its_own(self):
        server = self.gate(gate.isp() + gate.provider() +
                           f'[[route]]\nsender = "{plan.TARO.user}"\nways = ["isp"]\n[[route]]\nsender = "@home.example"\nways = ["provider"]\n')
        self.delivers(server, plan.TARO.user, "by-isp@dane.example")
        self.delivers(server, "someone@home.example", "by-provider@dane.example")
        self.assertIn(plan.RELAY.name, self.hosts(server, "by-isp@dane.example")[0])
        self.assertIn(plan.PROVIDER.name, self.hosts(server, "by-provider@dane.example")[0])
        server.stop()


class PerUserMap(WaysCase):
    def test_two_accounts_at_one_relay(self):
        """The relay takes each customer's own address from his own login alone."""
        relays = "".join(gate.relay(name, plan.RELAY, account, 587) for name, account in (("taro", plan.TARO), ("hanako", plan.HANAKO)))
        server = self.gate(relays + "".join(f'[[route]]\nsender = "{name}@isp.example"\nways = ["{name}"]\n' for name in ("taro", "hanako")))
        for name in ("taro", "hanako"):
            self.delivers(server, f"{name}@isp.example", f"from-{name}@plain.example")
        self.assertRegex(self.lab.isp.log(), r"sasl_username=hanako@isp.example")
        server.stop()


class PortsThatClose(WaysCase):
    def test_587_closed_465_open_then_only_2525(self):
        server = self.gate(ladder([587, 465, 2525]))
        self.delivers(server, "me@provider.example", "p587@plain.example")
        self.lab.close_port(587)
        self.delivers(server, "me@provider.example", "p465@plain.example")
        self.lab.close_port(465)
        self.delivers(server, "me@provider.example", "p2525@plain.example")
        self.assertEqual([e["port"] for e in server.events("connected")][:3], [587, 465, 2525])
        before = time.monotonic()
        self.delivers(server, "me@provider.example", "again@plain.example")   # what works is remembered
        print(f"with two ports closed, by a new connection: {time.monotonic() - before:.2f} s", flush=True)
        self.assertEqual(server.events("way_down"), [])
        self.assertEqual([e["at"].rsplit(":", 1)[1] for e in server.events("relay_place")], ["465", "2525"])
        server.stop()

    def test_by_srv(self):
        server = self.gate(f'[[relay]]\nname = "srv"\nhost = "provider.example"\nsrv = true\nuser = "{plan.ME.user}"\n'
                           f'password = "{plan.ME.password}"\n')
        self.delivers(server, "me@provider.example", "srv@plain.example")
        self.assertEqual(server.events("connected")[0]["port"], 465)
        server.stop()


class TheRelayIsRenamed(WaysCase):
    def test_nxdomain_holds_the_mail(self):
        server = self.gate(gate.isp(more='retry_after = "1s"\n').replace(plan.RELAY.name, "gone.isp.example"))
        server.send(plan.TARO.user, ["renamed@plain.example"])
        down = wait_for(lambda: server.events("way_down"), what="the way to be down")[0]
        self.assertIn("there is no name gone.isp.example", str(down))
        self.assertEqual([e for e in server.events("delivery") if e["status"] == "bounced"], [])
        server.relay = gate.isp()
        server.write_config()
        server.command("reload", check=0)
        self.lab.wait_for_mail("renamed@plain.example")
        server.stop()


class Ipv6ResolvesAndIsDead(WaysCase):
    def test_the_first_connection_costs_a_moment(self):
        self.lab.set(ipv6="dead")
        server = self.gate(gate.isp(more="messages_per_connection = 1\n"))
        before = time.monotonic()
        self.delivers(server, plan.TARO.user, "dead@plain.example")
        took = time.monotonic() - before
        print(f"dead IPv6, first message: {took:.2f} s", flush=True)
        self.assertLess(took, 25)   # connect_timeout is 30 s
        server.stop()


class Port25InsideTheIsp(WaysCase):
    def test_with_auth(self):
        server = self.gate(gate.isp(25))
        self.delivers(server, plan.TARO.user, "auth25@plain.example")
        self.assertTrue(server.events("authenticated"))
        server.stop()

    def test_without_auth(self):
        self.lab.relay.change(mynetworks=f"{plan.HOME_NET} [{plan.HOME_NET6.split('/')[0]}]/64",
                              smtpd_relay_restrictions="permit_mynetworks, reject_unauth_destination", smtpd_sender_restrictions="")
        try:
            server = self.gate(f'[[relay]]\nname = "isp"\nhost = "{plan.RELAY.name}"\nport = 25\ntls = "opportunistic"\n')
            self.delivers(server, "someone@home.example", "open25@plain.example")
            self.assertEqual(server.events("authenticated"), [])
            server.stop()
        finally:
            self.lab.relay.change(mynetworks="127.0.0.0/8", smtpd_relay_restrictions="permit_sasl_authenticated, reject_unauth_destination",
                                  smtpd_sender_restrictions="reject_sender_login_mismatch")


if __name__ == "__main__":
    become_able()
    unittest.main()
