"""The classic how-tos about senders: whom mail is from for the world, by which account it leaves, and whether the domain admits it."""
import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, gate, plan                   # noqa: E402
from lab.howto import HowTo                               # noqa: E402

NAS = 'hostname = "nas.localdomain"\n'   # as a machine is called that has no domain
TWO_ACCOUNTS = "".join(gate.relay(name, plan.RELAY, account, 587) for name, account in (("taro", plan.TARO), ("hanako", plan.HANAKO)))


def program(server, user, recipient):
    """What a program of a Unix user sends that knows no address."""
    server.sendmail(f"From: {user} reports <{user}>\nSubject: report\n\nall is well\n", [recipient], user=user)


class Senders(HowTo):
    def test_own_domain_masqueraded_root_included(self):
        server = self.serve('hostname = "nas.home.example"\n[rewrite]\nmasquerade_domains = ["home.example"]\n' + gate.provider())
        for user in ("root", "www-data"):
            program(server, user, f"masquerade-{user}@plain.example")
            mail = self.arrives(server, f"masquerade-{user}@plain.example")
            self.is_from(mail, f"{user}@home.example")
            self.assertEqual(mail["From"].addresses[0].display_name, f"{user} reports")
        server.send("scanner@copier.home.example", ["masquerade-smtp@plain.example"])
        self.is_from(self.arrives(server, "masquerade-smtp@plain.example"), "scanner@home.example")
        server.send("friend@dane.example", ["masquerade-not@plain.example"])
        self.is_from(self.arrives(server, "masquerade-not@plain.example"), "friend@dane.example")
        told = server.command("explain", "sender", "--from", "root@nas.home.example", check=0).stdout
        self.assertIn("root@home.example", told)
        self.all_is_well(server)

    def test_no_own_domain_every_local_user_sends_as_the_isp_address(self):
        server = self.serve(NAS + f'[rewrite]\ngeneric = {{ "@nas.localdomain" = "{plan.TARO.user}" }}\n' + gate.isp())
        for user in ("root", "www-data", "backup", "nobody"):
            program(server, user, f"one-address-{user}@plain.example")
            mail = self.arrives(server, f"one-address-{user}@plain.example")
            self.is_from(mail, plan.TARO.user)
            self.assertEqual(mail["From"].addresses[0].display_name, f"{user} reports")
        self.all_is_well(server)

    def test_per_user_map(self):
        """Each local user has an address and a login at the relay, which takes an address from its owner's login alone."""
        routes = '[[route]]\nuser = "www-data"\nways = ["hanako"]\n[[route]]\nways = ["taro"]\n'
        in_place = f'[rewrite]\ngeneric = {{ root = "{plan.TARO.user}", www-data = "{plan.HANAKO.user}" }}\n'
        with tempfile.NamedTemporaryFile("w", prefix="sidegate-generic-") as out:
            out.write(f"# as Postfix has it\nroot@nas.localdomain\t{plan.TARO.user}\nwww-data@nas.localdomain {plan.HANAKO.user}\n")
            out.flush()
            for kind, mapped in (("toml", in_place), ("postfix", f'[rewrite]\ngeneric_file = "hash:{out.name}"\n')):
                server = self.serve(NAS + mapped + TWO_ACCOUNTS + routes)
                for user, account in (("root", plan.TARO), ("www-data", plan.HANAKO)):
                    with self.subTest(map=kind, user=user):
                        recipient = f"map-{kind}-{user}@plain.example"
                        program(server, user, recipient)
                        self.is_from(self.arrives(server, recipient), account.user)
                        self.assertEqual(self.way_of(server, recipient), account.user.split("@")[0])
                self.all_is_well(server)
        self.assertIn(f"sasl_username={plan.HANAKO.user}", self.lab.relay.log_text())

    def test_two_providers_by_sender(self):
        server = self.serve(gate.isp() + gate.provider() + f'[[route]]\nsender = "{plan.TARO.user}"\nways = ["isp"]\n'
                            '[[route]]\nsender = "@home.example"\nways = ["provider"]\n')
        for sender, way in ((plan.TARO.user, "isp"), ("ann@home.example", "provider")):
            recipient = f"two-{way}@dane.example"
            server.sendmail(f"From: {sender}\nSubject: x\n\nx\n", [recipient], arguments=("-i", "-f", sender))
            self.is_from(self.arrives(server, recipient), sender)
            self.assertEqual(self.way_of(server, recipient), way)
            self.assertIn(f"-> 1. {way}: up\n", server.command("explain", "route", "--from", sender, "--to", recipient, check=0).stdout)
        self.all_is_well(server)


class SenderPolicy(HowTo):
    """A recipient's server that refuses what SPF does not admit."""

    def setUp(self):
        super().setUp()
        self.ask_for_spf("sts")
        self.lab.change_zone("home.example.", "include:spf.provider.example ", "")
        self.lacking = True
        self.addCleanup(self.publish)

    def publish(self):
        if self.lacking:
            self.lab.change_zone("home.example.", "include:spf.isp.example -all", "include:spf.isp.example include:spf.provider.example -all")
        self.lacking = False

    def by_ann(self, server, recipient):
        server.sendmail("From: Ann <ann@home.example>\nSubject: x\n\nx\n", [recipient], arguments=("-i", "-f", "ann@home.example"))

    def test_own_domain_whose_spf_lacks_the_relay(self):
        """The relay takes it, who asks for SPF does not; doctor and relay test say what to publish, and then it arrives."""
        server = self.serve('local_domains = ["home.example"]\n[doctor]\ntargets = ["mta-sts.sts.example:443"]\n' + gate.provider())
        self.by_ann(server, "lenient@dane.example")
        self.is_from(self.arrives(server, "lenient@dane.example"), "ann@home.example")
        self.by_ann(server, "strict@sts.example")
        (returned,) = self.lab.wait_for_mail("ann@home.example")   # by the provider, to whom it was given
        self.assertIn(b"5.7.23", returned)
        record = 'home.example. IN TXT "v=spf1 include:spf.isp.example include:spf.provider.example -all"'
        found = server.sidegate("doctor", "--only", "domains", "--json")
        self.assertEqual(found.returncode, 1, found.stdout + found.stderr)
        (spf,) = (row for row in map(json.loads, found.stdout.splitlines()) if row["check"] == "spf" and row["domain"] == "home.example")
        self.assertEqual((spf["mark"], spf["way"], spf["result"], spf["paste"]), ("warning", "provider", "fail", record))
        self.assertIn(record, server.sidegate("doctor", "--only", "domains").stdout)
        tested = server.sidegate("relay", "test", "provider", "--json")
        self.assertEqual([row["paste"] for row in map(json.loads, tested.stdout.splitlines()) if row["step"] == "spf"], [record])
        # Until it is published: as the account, whose own domain admits the relay.
        self.change(server, server.extra + 'identity = "account"\n')
        self.by_ann(server, "as-account@sts.example")
        mail = self.arrives(server, "as-account@sts.example")
        self.is_from(mail, plan.ME.user)
        self.assertEqual(mail["Reply-To"], "Ann <ann@home.example>")
        self.change(server, server.extra.replace('identity = "account"\n', ""))
        self.publish()
        self.by_ann(server, "admitted@sts.example")
        mail = self.arrives(server, "admitted@sts.example")
        self.is_from(mail, "ann@home.example")
        self.assertIn("Pass", mail["Received-SPF"])
        done = server.sidegate("doctor", "--only", "domains", "--json")
        self.assertEqual([row["text"] for row in map(json.loads, done.stdout.splitlines()) if row["check"] == "spf" and row["mark"] != "ok"], [])
        self.all_is_well(server)


if __name__ == "__main__":
    become_able()
    unittest.main()
