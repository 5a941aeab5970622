"""The classic how-tos about one relay: it takes everything, is at port 25, is renamed, moves to 587, or has a dead IPv6 address."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, plan                         # noqa: E402
from lab.howto import ALL_OVER, ISP, TRY_SOON, HowTo      # noqa: E402
from support.server import wait_for                       # noqa: E402


class OneRelay(HowTo):
    def test_smart_host_on_587_with_auth_for_everything(self):
        """Programs by sendmail and by SMTP, to all the world: everything leaves by 587 with a login, nothing by 25."""
        server = self.serve(ISP)
        server.sendmail("Subject: Cron\n\nout\n", ["cron@dane.example"], user="root", arguments=("-i", "-FCronDaemon", "-oem"))
        server.sendmail("From: Shop <shop@shop.example>\nTo: buyer@sts.example\nBcc: books@plain.example\nSubject: order\n\nthanks\n",
                        user="www-data", arguments=("-t", "-i"))
        server.send("scanner@home.example", [f"all@{domain}" for domain in (*ALL_OVER, "provider.example", "isp.example")])
        for recipient in ("cron@dane.example", "buyer@sts.example", "books@plain.example"):
            self.is_from(self.arrives(server, recipient), plan.TARO.user)
        shop = self.arrives(server, "buyer@sts.example")
        self.assertEqual((shop["Reply-To"], shop["Bcc"]), ("Shop <shop@shop.example>", None))
        for domain in (*ALL_OVER, "provider.example", "isp.example"):
            mail = self.arrives(server, f"all@{domain}")
            self.is_from(mail, plan.TARO.user)
            self.assertRegex(" ".join(mail.get_all("Received")), rf"by {plan.RELAY.name} \(Postfix\) with ESMTPSA")
        self.all_is_well(server)
        self.assertEqual({event["port"] for event in server.events("connected")}, {587})
        self.assertEqual(self.lab.attempts_on_port25(), [])

    def test_relay_without_auth_on_25_inside_the_isp(self):
        self.customers_need_no_login()
        server = self.serve(f'[[relay]]\nname = "isp"\nhost = "{plan.RELAY.name}"\nport = 25\ntls = "opportunistic"\n')
        server.sendmail("From: someone@home.example\nSubject: x\n\nx\n", ["open25@plain.example"], arguments=("-i", "-f", "someone@home.example"))
        self.is_from(self.arrives(server, "open25@plain.example"), "someone@home.example")
        self.all_is_well(server)
        self.assertEqual(server.events("authenticated"), [])

    def test_relay_with_auth_on_25_inside_the_isp(self):
        server = self.serve(ISP.replace("port = 587", "port = 25"))
        server.sendmail("Subject: x\n\nx\n", ["auth25@plain.example"])
        mail = self.arrives(server, "auth25@plain.example")
        self.is_from(mail, plan.TARO.user)
        self.assertIn("with ESMTPSA", " ".join(mail.get_all("Received")))
        self.all_is_well(server)
        self.assertEqual({event["port"] for event in server.events("connected")}, {25})

    def test_ipv6_resolves_but_is_unreachable(self):
        """It costs the first connection a moment, each one after it nothing, and is no trouble of the relay's."""
        self.lab.set(ipv6="dead")
        server = self.serve(ISP + "messages_per_connection = 1\n")
        for number in range(3):
            server.sendmail("Subject: x\n\nx\n", [f"dead{number}@plain.example"])
            self.is_from(self.arrives(server, f"dead{number}@plain.example"), plan.TARO.user)
        self.assertEqual({event["address"] for event in server.events("connected")}, {plan.RELAY.v4})
        self.assertEqual(server.events("way_down"), [])
        self.all_is_well(server)

    def test_provider_renames_its_relay_nxdomain(self):
        """Mail waits for the relay, which is said with the name that is gone; with the new name it flows."""
        server = self.serve(ISP + 'retry_after = "1s"\n' + TRY_SOON)
        server.sendmail("Subject: x\n\nx\n", ["before@plain.example"])
        self.arrives(server, "before@plain.example")
        self.lab.change_zone("isp.example.", "smtp A ", "smtp2 A ")
        self.addCleanup(self.lab.change_zone, "isp.example.", "smtp2 A ", "smtp A ")
        self.lab.change_zone("isp.example.", "smtp AAAA ", "smtp2 AAAA ")
        self.addCleanup(self.lab.change_zone, "isp.example.", "smtp2 AAAA ", "smtp AAAA ")
        server.stop()   # what it has looked up is good for a minute
        server.start()
        server.sendmail("Subject: x\n\nx\n", ["renamed@plain.example"])
        down = self.event(server, "way_down")
        self.assertIn(f"there is no name {plan.RELAY.name}", str(down))
        self.assertIn(plan.RELAY.name, server.command("status").stdout)
        self.assertIn(plan.RELAY.name, self.waiting(server)["renamed@plain.example"])
        self.nothing_returned(server)
        self.change(server, ISP.replace(plan.RELAY.name, "smtp2.isp.example") + f'tls_name = "{plan.RELAY.name}"\n')
        self.is_from(self.arrives(server, "renamed@plain.example"), plan.TARO.user)
        self.all_is_well(server)

    def test_relay_shuts_down_authless_25_and_moves_to_587_with_the_queue_full(self):
        """The relay took mail on 25 from its customers' lines; from today it wants 587 and AUTH."""
        self.customers_need_no_login()
        server = self.serve(f'[[relay]]\nname = "isp"\nhost = "{plan.RELAY.name}"\nport = 25\ntls = "opportunistic"\nretry_after = "1s"\n' + TRY_SOON)
        server.sendmail("Subject: x\n\nx\n", ["first@plain.example"])
        self.arrives(server, "first@plain.example")
        self.customers_need_no_login(False)
        self.lab.relay.stop()   # and with it the sessions that stand, which would go on as before
        self.lab.relay.start()
        full = [f"full{number}@plain.example" for number in range(12)]
        for recipient in full:
            server.sendmail("Subject: x\n\nx\n", [recipient])
        wait_for(lambda: any(e["meaning"] == "relay-denied" for e in server.events("delivery")), what="the relay to refuse")
        self.nothing_returned(server)
        self.assertEqual(set(self.waiting(server)), set(full))
        self.change(server, ISP + "messages_per_second = 5\n" + TRY_SOON)
        for recipient in full:
            self.is_from(self.arrives(server, recipient), plan.TARO.user)
        self.all_is_well(server)


if __name__ == "__main__":
    become_able()
    unittest.main()
