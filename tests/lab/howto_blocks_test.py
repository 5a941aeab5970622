"""The classic how-tos about lines that close: port 25 falls and comes back, is closed to a few, is answered by somebody else, or our
address is refused; 587 closes too; the provider's quota is used up; and there is no relay at all."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, gate, plan, quota            # noqa: E402
from lab.howto import ALL_OVER, TRY_SOON, HowTo           # noqa: E402
from support.server import wait_for                       # noqa: E402

ANN = plan.TARO.user
DIRECT = '[direct]\nconnect_timeout = "2s"\nretry_after = "1s"\nport25_retry_after = "3s"\n'
FIRST_DIRECT = gate.isp() + '[[route]]\nways = ["direct", "isp"]\n' + DIRECT + TRY_SOON


class Blocks(HowTo):
    def direct(self, server):
        """What status says of the way as a whole."""
        found = [way for way in self.status(server)["relays"] if way["name"] == "direct" and "destination" not in way]
        return found[0] if found else {"up": True, "reason": ""}

    def leaves_by(self, server, way, name, domains=ALL_OVER, seconds=90):
        for domain in domains:
            server.send(ANN, [f"{name}@{domain}"])
        for domain in domains:
            self.is_from(self.arrives(server, f"{name}@{domain}", seconds=seconds), ANN)
            self.assertEqual(self.way_of(server, f"{name}@{domain}"), way, f"{name}@{domain}")


class Port25(Blocks):
    def test_direct_while_25_is_open_block_falls_with_mail_in_the_queue_block_is_lifted(self):
        self.lab.set(port25="open")
        busy = self.lab.exchangers["dane"]   # its mail is in the queue when the block falls
        busy.change(smtpd_recipient_restrictions="defer")
        self.addCleanup(busy.change, smtpd_recipient_restrictions="")
        # No connection stands when the path dies: that case is below, and costs a minute.
        server = self.serve(FIRST_DIRECT.replace("[direct]", "[direct]\nmessages_per_connection = 1"))
        self.leaves_by(server, "direct", "open", ("sts.example", "plain.example"))
        server.send(ANN, ["queued@dane.example"])
        wait_for(lambda: [e for e in self.deliveries(server, "queued@dane.example") if e["status"] == "deferred"], what="a deferral")
        self.lab.set(port25="drop")
        busy.change(smtpd_recipient_restrictions="")
        self.leaves_by(server, "isp", "closed", ("sts.example", "plain.example", "equal.example", "implicit.example"))
        self.arrives(server, "queued@dane.example")
        self.event(server, "port25_closed")
        self.assertIn("closed here", self.direct(server)["reason"])
        self.assertIn("closed here", server.command("status", check=None).stdout)
        self.lab.set(port25="open")
        sent = []

        def leaves_direct():
            """Mail that comes while it is closed goes by the relay, one of it tries."""
            sent.append(f"lifted{len(sent)}@plain.example")
            server.send(ANN, [sent[-1]])
            return self.way_of(server, sent[-1]) == "direct"
        wait_for(leaves_direct, 600, every=1, what="mail to leave by port 25 again")
        self.event(server, "port25_open")
        self.assertTrue(self.direct(server)["up"])
        self.leaves_by(server, "direct", "lifted")
        self.all_is_well(server)
        self.assertEqual((len(server.events("port25_closed")), len(server.events("port25_open"))), (1, 1), "each is told once")

    def test_port_25_intercepted(self):
        """Who answers is named, gets nothing, and the mail goes by the relay."""
        self.lab.set(port25="intercept")
        server = self.serve(FIRST_DIRECT)
        self.leaves_by(server, "isp", "caught")
        self.assertEqual(self.event(server, "port25_intercepted")["interceptor"], plan.FILTER.name)
        self.assertIn(plan.FILTER.name, server.command("status", check=None).stdout)
        self.all_is_well(server)
        for domain in ALL_OVER:
            self.assertNotIn(plan.FILTER.name, self.arrives(server, f"caught@{domain}").as_string())

    def test_25_closed_only_towards_two_mobile_carriers_widened_to_all_a_month_later(self):
        carriers, others = ("dane.example", "sts.example"), ("plain.example",)
        self.lab.set(port25="drop", only=[plan.DANE.v4, plan.DANE.v6, plan.STS.v4, plan.STS.v6])
        server = self.serve(FIRST_DIRECT)
        self.leaves_by(server, "isp", "carriers", carriers)
        self.leaves_by(server, "direct", "others", others)
        self.assertTrue(self.direct(server)["up"])
        self.lab.set(port25="drop")
        # A connection that was open when the path died costs a minute (TCP_USER_TIMEOUT), and a retry another one.
        self.leaves_by(server, "isp", "widened", seconds=240)
        self.all_is_well(server)

    def test_direct_open_but_refused_for_the_address_dynamic_range(self):
        """Who asks a list of lines' addresses refuses us, one after RCPT, one in its greeting; others do not."""
        listed = {"smtpd_client_restrictions": "reject_rbl_client lines.example"}
        for kind, delay in (("dane", "yes"), ("sts", "no")):
            self.lab.exchangers[kind].change(**listed, smtpd_delay_reject=delay)
            self.addCleanup(self.lab.exchangers[kind].change, smtpd_client_restrictions="", smtpd_delay_reject="yes")
        self.lab.set(port25="open")
        server = self.serve(FIRST_DIRECT)
        self.leaves_by(server, "isp", "dynamic", ("dane.example", "sts.example"))
        self.leaves_by(server, "direct", "dynamic", ("plain.example",))
        self.assertTrue(self.direct(server)["up"])
        asked = len(self.lab.attempts_on_port25())
        self.leaves_by(server, "isp", "again", ("dane.example", "sts.example"))
        self.assertEqual(len(self.lab.attempts_on_port25()), asked, "what refuses our address is not asked again for each message")
        self.all_is_well(server)

    def test_no_relay_at_all_on_a_blocked_line(self):
        """Nothing bounces, log, status, queue show and doctor say what to write, and what they say works."""
        for variant in ("drop", "reject"):
            with self.subTest(port25=variant):
                self.lab.set(port25=variant)
                mine = '[doctor]\ntargets = ["mail.dane.example:25", "mail.sts.example:25", "mail.plain.example:25", "mta-sts.sts.example:443"]\n'
                server = self.serve(DIRECT + TRY_SOON + mine)
                for domain in ALL_OVER:
                    server.sendmail("Subject: x\n\nx\n", [f"none-{variant}@{domain}"], arguments=("-i", "-f", ANN))
                cure = self.event(server, "port25_closed")["cure"]
                self.assertIn("no account at the recipient's provider", cure)
                wait_for(lambda: not self.direct(server)["up"], what="status")
                text = server.command("status", check=None).stdout
                for part in ("port 25", "[[relay]]", "no relay is set up"):
                    self.assertIn(part, text)
                waiting = self.waiting(server)
                self.assertEqual(len(waiting), len(ALL_OVER))
                row = json.loads(waiting[f"none-{variant}@dane.example"].splitlines()[0])
                self.assertIn("[[relay]]", server.command("queue", "show", row["id"], check=0).stdout)
                self.assertIn("[[relay]]", server.sidegate("doctor", "--only", "network").stdout)
                self.assertEqual(len(server.events("port25_closed")), 1)
                self.nothing_returned(server)
                self.change(server, DIRECT + TRY_SOON + mine + gate.isp())
                for domain in ALL_OVER:
                    self.arrives(server, f"none-{variant}@{domain}")
                self.all_is_well(server)


class OtherPorts(Blocks):
    def test_587_closed_too_465_open_then_only_2525(self):
        server = self.serve(f'[[relay]]\nname = "provider"\nhost = "{plan.PROVIDER.name}"\nports = [587, 465, 2525]\nuser = "{plan.ME.user}"\n'
                            f'password = "{plan.ME.password}"\nconnect_timeout = "5s"\nmessages_per_connection = 1\n')
        for port in (587, 465, 2525):
            server.sendmail("Subject: x\n\nx\n", [f"port{port}@plain.example"], arguments=("-i", "-f", plan.ME.user))
            self.is_from(self.arrives(server, f"port{port}@plain.example"), plan.ME.user)
            self.assertEqual(server.events("connected")[-1]["port"], port)
            if port != 2525:
                self.lab.close_port(port)
        server.sendmail("Subject: x\n\nx\n", ["remembered@plain.example"], arguments=("-i", "-f", plan.ME.user))
        self.arrives(server, "remembered@plain.example")
        self.assertEqual([e["at"].rsplit(":", 1)[1] for e in server.events("relay_place")], ["465", "2525"])
        self.assertEqual(server.events("way_down"), [])
        self.assertEqual(len(self.lab.attempts(2525)), 2, "what works is remembered")
        self.all_is_well(server)


class QuotaAtNoon(Blocks):
    def setUp(self):
        super().setUp()
        self.quota = quota.Quota()
        self.addCleanup(self.quota.discard)
        self.lab.relay.change(smtpd_end_of_data_restrictions=f"check_policy_service unix:{self.quota.server_address}")
        self.addCleanup(self.lab.relay.change, smtpd_end_of_data_restrictions="")

    def test_providers_day_quota_reached_at_noon(self):
        """What is beyond it goes by the second provider."""
        server = self.serve(gate.isp() + gate.provider(more='identity = "account"\n'))
        self.leaves_by(server, "isp", "morning")
        self.quota.used_up = True
        for number in range(5):
            server.send(ANN, [f"noon{number}@plain.example"])
        for number in range(5):
            self.is_from(self.arrives(server, f"noon{number}@plain.example"), plan.ME.user)
        down = self.event(server, "way_down")
        self.assertEqual((down["relay"], down["scope"], down["meaning"]), ("isp", "account", "quota-exceeded"))
        self.all_is_well(server)

    def test_providers_day_quota_reached_at_noon_and_there_is_no_other(self):
        """It waits for the account, one message has asked; `queue retry` asks again when the quota is new."""
        server = self.serve(gate.isp())
        self.quota.used_up = True
        for number in range(5):
            server.send(ANN, [f"held{number}@plain.example"])
        down = self.event(server, "way_down")
        self.assertEqual((down["scope"], down["meaning"]), ("account", "quota-exceeded"))
        self.assertIn("quota", server.command("status", check=None).stdout)
        self.nothing_returned(server)
        self.quota.used_up = False
        wait_for(lambda: "under_way" not in server.command("queue", "retry", "--all", "--json", check=0).stdout, what="the attempt to end")
        for number in range(5):
            self.is_from(self.arrives(server, f"held{number}@plain.example"), ANN)
        self.all_is_well(server)


if __name__ == "__main__":
    become_able()
    unittest.main()
