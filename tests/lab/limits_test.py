"""Limits of providers in the lab: the day's quota reached at noon, a relay that closes its port 25 with the queue full."""
import os
import socketserver
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, gate, plan                   # noqa: E402
from lab.case import LabCase                              # noqa: E402
from support.server import wait_for                       # noqa: E402

SENDER = plan.TARO.user
QUOTA = "550 5.4.5 Daily user sending quota exceeded."


class Case(LabCase):
    def gate(self, relay, extra=""):
        server = gate.Gate(self.lab, relay, extra)
        self.addCleanup(server.discard)
        self.addCleanup(server.end)
        return server.start()

    def no_bounces(self, server):
        self.assertEqual([event for event in server.events("delivery") if event["status"] == "bounced"], [])


class Quota(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """What the provider's Postfix asks about each message (check_policy_service), on standing connections too."""
    daemon_threads = True

    def __init__(self):
        folder = tempfile.mkdtemp(prefix="sidegate-quota-")
        os.chmod(folder, 0o755)
        self.used_up = False
        super().__init__(os.path.join(folder, "policy"), Asked)
        os.chmod(self.server_address, 0o666)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def discard(self):
        self.shutdown()
        self.server_close()
        os.unlink(self.server_address)
        os.rmdir(os.path.dirname(self.server_address))


class Asked(socketserver.StreamRequestHandler):
    def handle(self):
        request = {}
        for line in self.rfile:
            name, _, value = line.decode().rstrip("\n").partition("=")
            request[name] = value
            if name:
                continue
            over = self.server.used_up and request.get("sender") == SENDER
            self.wfile.write(f"action={QUOTA if over else 'DUNNO'}\n\n".encode())
            request = {}


class QuotaAtNoon(Case):
    def setUp(self):
        super().setUp()
        self.quota = Quota()
        self.addCleanup(self.quota.discard)
        self.lab.relay.change(smtpd_end_of_data_restrictions=f"check_policy_service unix:{self.quota.server_address}")
        self.addCleanup(self.lab.relay.change, smtpd_end_of_data_restrictions="")

    def test_overflows_to_the_second_provider(self):
        server = self.gate(gate.isp() + gate.provider(more='identity = "account"\n'))
        server.send(SENDER, ["morning@plain.example"])
        self.lab.wait_for_mail("morning@plain.example")
        self.quota.used_up = True
        for number in range(5):
            server.send(SENDER, [f"noon{number}@plain.example"])
        for number in range(5):
            self.lab.wait_for_mail(f"noon{number}@plain.example")
        (down,) = wait_for(lambda: server.events("way_down"), what="the account to be held")[:1]
        self.assertEqual((down["relay"], down["scope"], down["meaning"]), ("isp", "account", "quota-exceeded"))
        self.no_bounces(server)
        server.stop()

    def test_waits_where_there_is_no_other(self):
        """Nothing bounces, one message has asked; `queue retry` asks again when the quota is new."""
        server = self.gate(gate.isp())
        self.quota.used_up = True
        server.send(SENDER, ["held@plain.example"])
        wait_for(lambda: server.events("way_down"), what="the account to be held")
        self.no_bounces(server)
        self.quota.used_up = False
        wait_for(lambda: "under_way" not in server.command("queue", "retry", "--all", "--json", check=0).stdout, what="the attempt to end")
        self.lab.wait_for_mail("held@plain.example")
        server.stop()

    def test_our_own_count_goes_by_the_next(self):
        server = self.gate(gate.isp(more="messages_per_day = 2\n") + gate.provider(more='identity = "account"\n'))
        for number in range(5):
            server.send(SENDER, [f"own{number}@plain.example"])
        for number in range(5):
            self.lab.wait_for_mail(f"own{number}@plain.example")
        sent = wait_for(lambda: (found := [e for e in server.events("delivery") if e["status"] == "sent"]) and len(found) == 5 and found, what="the log")
        self.assertEqual(sorted(event["way"] for event in sent), ["isp"] * 2 + ["provider"] * 3)
        server.stop()


class Port25Shuts(Case):
    """The relay took mail on 25 from its customers' lines without a login; from today it wants 587 and AUTH."""

    def test_with_the_queue_full(self):
        open_25 = "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination"
        closed = "permit_sasl_authenticated, reject_unauth_destination"
        networks = f"{plan.HOME_NET},[{plan.HOME_NET6.split('/')[0]}]/64"
        self.lab.relay.change(mynetworks=networks, smtpd_relay_restrictions=open_25)
        self.addCleanup(self.lab.relay.change, mynetworks="", smtpd_relay_restrictions=closed)
        old = f'[[relay]]\nname = "isp"\nhost = "{plan.RELAY.name}"\nport = 25\ntls = "opportunistic"\nretry_after = "1s"\n'
        server = self.gate(old, '[queue]\nretry_first = "1s"\nretry_max = "1s"\n')
        server.send("someone@home.example", ["first@plain.example"])
        self.lab.wait_for_mail("first@plain.example")
        self.lab.relay.change(mynetworks="", smtpd_relay_restrictions=closed)
        self.lab.relay.stop()   # and with it the sessions that stand, which would go on as before
        self.lab.relay.start()
        for number in range(12):
            server.send("someone@home.example", [f"full{number}@plain.example"])
        wait_for(lambda: any(e["meaning"] == "relay-denied" for e in server.events("delivery")), what="the relay to refuse")
        self.no_bounces(server)
        server.relay = gate.isp(more='identity = "account"\nmessages_per_second = 5\n')
        server.write_config()
        server.command("reload", check=0)
        for number in range(12):
            self.lab.wait_for_mail(f"full{number}@plain.example")
        self.no_bounces(server)
        server.stop()


if __name__ == "__main__":
    become_able()
    unittest.main()
