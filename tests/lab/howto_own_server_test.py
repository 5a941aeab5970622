"""The classic how-to for who has a server of his own outside: Sidegate at home gives all mail to Sidegate there, by 587 or 465, with a
password (SCRAM-SHA-256-PLUS) or a client certificate, and that one goes direct. Both have the key; DKIM is made once."""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, gate, plan, zones            # noqa: E402
from lab.howto import ALL_OVER, TRY_SOON, HowTo, key      # noqa: E402
from support.server import BINARY, wait_for               # noqa: E402

HOME = plan.Account("home@own.example", "ein langes Geheimnis")
ANN = "ann@own.example"


class OwnServer(HowTo):
    def setUp(self):
        super().setUp()
        self.ask_for_spf("sts")
        self.outside = gate.Gate(self.lab, place=self.lab.rented)
        for step in (self.outside.discard, self.outside.end):
            self.addCleanup(step)
        self.folder = self.outside.folder
        self.signed = self.new_key()
        self.start_outside()

    def new_key(self):
        """`sidegate dkim new`, and its record in the zone: [[dkim]] as both machines have it."""
        made = self.outside.command("dkim", "new", "own.example", "--directory", os.path.join(self.folder, "keys"), "--selector", "keys", "--json", check=0)
        (row,) = map(json.loads, made.stdout.splitlines())
        parts = " ".join(f'"{row["value"][at:at + 255]}"' for at in range(0, len(row["value"]), 255))
        record = f"keys._domainkey TXT {parts}\n"
        self.lab.change_zone("own.example.", zones.KEYS, record)
        self.addCleanup(self.lab.change_zone, "own.example.", record, zones.KEYS)
        return row["toml"]

    def private(self, *pair):
        os.chmod(pair[1], 0o600)
        return pair

    def start_outside(self):
        """On the rented server: users log in at 587 and 465, and their mail goes straight to the recipients' servers."""
        certificate, private_key = self.private(*self.lab.authority.issue("rented", (plan.RENTED.name,), ()))
        users = os.path.join(self.folder, "users")
        listeners = "".join(f'[[listener]]\nname = "{name}"\naddress = "{plan.RENTED.v4}"\nport = {port}\n' for name, port in
                            (("submission", 587), ("submissions", 465)))
        self.outside.extra = (key("hostname", plan.RENTED.name) + "local_domains = []\n" + "[auth]\n" + key("users_file", users) +
                              f'[tls]\ncertificates = [{{ certificate = "{certificate}", key = "{private_key}" }}]\n' +
                              key("client_ca_file", self.lab.authority.ca) + '[direct]\nretry_after = "1s"\n' + TRY_SOON + listeners +
                              f'[[listener]]\nname = "in"\naddress = "127.0.0.1"\nport = {self.outside.port}\n' +
                              f'[[user_rule]]\nname = "{HOME.user}"\nsenders = ["@own.example", "@home.own.example"]\n' + self.signed)
        self.outside.write_config()
        added = subprocess.run([BINARY, "user", "add", HOME.user, "--config", self.outside.config_path], input=HOME.password + "\n",
                               capture_output=True, text=True, timeout=60, env=self.outside.child_environment())
        self.assertEqual(added.returncode, 0, added.stdout + added.stderr)
        self.outside.start()

    def home_by(self, port, login):
        return self.serve('hostname = "home.own.example"\n[rewrite]\nmasquerade_domains = ["own.example"]\n' + TRY_SOON + self.signed +
                          f'[[relay]]\nname = "outside"\nhost = "{plan.RENTED.name}"\nport = {port}\n' + login)

    def login_of(self, server):
        return wait_for(lambda: server.events("authenticated"), what="the login")[-1]["mechanism"]

    def verified(self, recipient):
        """What opendkim and dkimpy say of it, with the recipient's DNS; and how many signatures it has."""
        (octets,) = self.lab.mailbox(recipient)
        octets = octets.replace(b"\n", b"\r\n")
        self.lab.world.run("opendkim-testmsg", text=octets.decode())
        said = self.lab.world.run("dkimverify", text=octets.decode())
        self.assertIn("signature ok", said)
        return octets.count(b"DKIM-Signature:")

    def all_the_world(self, server, name):
        """By programs at home to everybody; it arrives from the rented server, signed once, and SPF admits it."""
        for domain in ALL_OVER:
            server.sendmail("From: Ann <ann@own.example>\nTo: you@x.example\nSubject: hi\n\nbody\n..\n.dots\n", [f"{name}@{domain}"],
                            arguments=("-i", "-f", ANN))
        server.sendmail("Subject: cron\n\nout\n", [f"{name}-root@plain.example"])
        for recipient in (*(f"{name}@{domain}" for domain in ALL_OVER), f"{name}-root@plain.example"):
            mail = self.arrives(server, recipient)
            self.is_from(mail, "root@own.example" if "-root" in recipient else ANN)
            self.assertIn(f"from {plan.RENTED.name} ", mail.get_all("Received")[0])
            self.assertEqual(self.verified(recipient), 1, mail.as_string())
            self.assertTrue("@sts." not in recipient or "Pass" in mail["Received-SPF"], mail.as_string())
        self.assertEqual(self.lab.attempts_on_port25(), [])
        for one in (server, self.outside):
            self.all_is_well(one)
        self.assertTrue(all(event["verified"] for event in server.events("tls")))

    def test_relay_is_ones_own_sidegate_outside_587_scram_plus(self):
        server = self.home_by(587, f'user = "{HOME.user}"\npassword = "{HOME.password}"\n')
        self.all_the_world(server, "own587")
        self.assertEqual(self.login_of(server), "SCRAM-SHA-256-PLUS")

    def test_relay_is_ones_own_sidegate_outside_465_scram_plus(self):
        server = self.home_by(465, f'user = "{HOME.user}"\npassword = "{HOME.password}"\n')
        self.all_the_world(server, "own465")
        self.assertEqual(self.login_of(server), "SCRAM-SHA-256-PLUS")

    def test_relay_is_ones_own_sidegate_outside_client_certificate(self):
        for port in (587, 465):
            with self.subTest(port=port):
                self.with_certificate(port)
                self.outside.start()

    def with_certificate(self, port):
        certificate, private_key = self.private(*self.lab.authority.issue("home", (HOME.user,), ()))
        server = self.home_by(port, f'tls_certificate = "{certificate}"\ntls_key = "{private_key}"\n')
        self.all_the_world(server, f"certificate{port}")
        self.assertEqual(self.login_of(server), "EXTERNAL")
        self.assertEqual(self.outside.events("auth")[-1]["user"], HOME.user)


if __name__ == "__main__":
    become_able()
    unittest.main()
