"""`sidegate check listeners`: a good server passes, from itself and from outside; what is set wrong is told with its cure."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml_tree

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import postfix                                          # noqa: E402
from support.certificates import Authority                            # noqa: E402
from support.netns import FAR, NEAR, Namespaces, ip                   # noqa: E402
from support.server import BINARY, Server, free_port, wait_for        # noqa: E402

# No name server answers here, and is refused at once.
NO_DNS = '[dns]\nservers = ["127.0.0.1@9"]\ntimeout = "1s"\n'


def check(*arguments, prefix=(), code=None):
    """(findings, the ended process)"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SIDEGATE_")}
    done = subprocess.run([*prefix, BINARY, "check", "listeners", *arguments, "--json"], capture_output=True, text=True, timeout=300,
                          env=dict(environment, LC_ALL="C"))
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    if code is not None and done.returncode != code:
        raise AssertionError(f"ended with {done.returncode}: {done.stdout}{done.stderr}")
    return findings, done


def wrong(findings):
    return {f["check"] for f in findings if f["mark"] == "wrong" and f["check"] != "result"}


def found(findings, name):
    return [f for f in findings if f["check"] == name]


class Listeners(unittest.TestCase):
    def server(self, listeners, ports, top="", prefix=(), certificate=True):
        server = Server(prefix=prefix)
        self.addCleanup(server.discard)
        authority = Authority(os.path.join(server.folder, "ca"))
        pair = authority.issue("one", ["gate.test"])
        os.chmod(pair[1], 0o600)
        self.ca = authority.ca
        tls = f'[tls]\ncertificates = [{{ certificate = "{pair[0]}", key = "{pair[1]}" }}]\n' if certificate else ""
        server.extra = ('local_domains = ["gate.test"]\nalias_files = []\npostmaster = "root@gate.test"\n' + top + tls + NO_DNS +
                        f'[[listener]]\nname = "in"\nport = {server.port}\n' + listeners)
        server.write_config()
        return server

    def three(self, more="", address="127.0.0.1"):
        self.ports = {name: free_port() for name in ("smtp", "submission", "submissions")}
        return "".join(f'[[listener]]\nname = "{name}"\nprofile = "{name}"\naddress = "{address}"\nport = {port}\n' for name, port in self.ports.items()) + more

    def test_a_listener_behind_a_proxy_passes(self):
        server = self.server(self.three().replace('name = "smtp"\n', 'name = "smtp"\nproxy = ["127.0.0.1"]\n'), None).start()
        findings, _ = check("--config", server.config_path, "--ca-file", self.ca, code=0)
        self.assertEqual(wrong(findings), set())

    def test_a_good_server_passes(self):
        server = self.server(self.three(), None).start()
        findings, _ = check("--config", server.config_path, "--ca-file", self.ca, code=0)
        self.assertEqual(wrong(findings), set())
        self.assertEqual(found(findings, "result")[0]["wrong"], 0)
        self.assertEqual(found(findings, "vantage")[0]["from"], "same_host")
        for name in ("smtp", "submission", "submissions"):
            mine = {f["check"]: f for f in findings if f.get("place", "").startswith(name + " ")}
            self.assertEqual(mine["open_relay"]["mark"], "ok", name)
            self.assertGreaterEqual(mine["open_relay"]["tried"], 20)
            self.assertEqual(mine["tls_versions"]["versions"], ["TLSv1.2", "TLSv1.3"])
            self.assertTrue(mine["certificate"]["verified"])
            self.assertEqual([mine[c]["mark"] for c in ("vrfy", "expn", "etrn")], ["ok"] * 3)
            if name != "submissions":
                self.assertEqual([mine[c]["mark"] for c in ("plaintext_auth", "starttls", "starttls_injection")], ["ok"] * 3)
            if name != "smtp":
                self.assertTrue(all(f["text"].startswith("MAIL without a login") for f in findings
                                    if f["check"] == "auth_required"), findings)
        self.assertEqual(found(findings, "local_recipient")[0]["mark"], "ok")
        self.assertFalse(server.events("accepted"))   # nothing was sent
        # as text, and as another host sees it
        text = server.command("check", "listeners", "--ca-file", self.ca)
        self.assertIn("nothing about what the world sees", text.stdout)
        self.assertNotIn("\033", text.stdout)
        arguments = [word for name, port in self.ports.items() for word in ("--port", f"{port}/{name}")]
        findings, _ = check("127.0.0.1", *arguments, "--rcpt", "postmaster@gate.test", "--ca-file", self.ca, code=0)
        self.assertEqual(found(findings, "vantage")[0]["from"], "same_host")
        self.assertEqual(len(found(findings, "open_relay")), 3)

    def test_what_is_set_wrong_is_told(self):
        # users' ports with a certificate of the server's own
        server = self.server(self.three(), None, certificate=False).start()
        findings, _ = check("--config", server.config_path, code=78)
        self.assertEqual(wrong(findings), {"certificate"})
        self.assertEqual({f["mark"] for f in found(findings, "certificate") if f["place"].startswith("smtp")}, {"note"})
        server.stop()
        # the same, not running
        findings, _ = check("--config", server.config_path, code=69)
        self.assertEqual(wrong(findings), {"connect"})
        for arguments, code in ((["nowhere.invalid", "--port", "x"], 64), (["--rcpt", "nobody"], 64), (["--port", "25"], 64)):
            _, done = check(*arguments, code=code)
            self.assertIn("sidegate: ", done.stderr)

    def test_loopback_that_is_listed_where_the_world_comes(self):
        server = self.server(self.three('[[listener]]\nname = "lan"\nprofile = "smtp"\naddress = "0.0.0.0"\nport = 1\nnetworks = ["127.0.0.0/8"]\n'), None)
        with open(server.config_path) as config:
            text = config.read().replace("port = 1\n", f"port = {free_port()}\n")
        with open(server.config_path, "w") as config:
            config.write(text)
        findings, _ = check("--config", server.config_path, "--ca-file", self.ca)
        self.assertTrue([f for f in found(findings, "networks") if f["mark"] == "wrong" and "127.0.0.0/8" in f["text"]], findings)


@unittest.skipUnless(Namespaces.available(), "needs root and network namespaces")
class FromOutside(Listeners):
    test_a_good_server_passes = test_what_is_set_wrong_is_told = test_loopback_that_is_listed_where_the_world_comes = None

    def setUp(self):
        self.space = Namespaces()
        self.space.__enter__()
        self.addCleanup(self.space.__exit__)
        self.outside = ["ip", "netns", "exec", self.space.far]

    def greets(self, port):
        try:
            with self.space.connect(self.space.far, NEAR, port) as probe:
                return probe.recv(200).startswith(b"220")
        except OSError:
            return False

    def standard(self, networks="", certificate=True):
        listeners = "".join(f'[[listener]]\nname = "{name}"\naddress = "{NEAR if port == 465 else "0.0.0.0"}"\nport = {port}\n{networks if port == 25 else ""}'
                            for name, port in (("world", 25), ("users", 587), ("users-tls", 465)))
        server = self.server(listeners, None, prefix=self.space.prefix(), certificate=certificate)
        server.start(wait=False)
        wait_for(lambda: self.greets(25), what="the server")
        return server

    def test_a_good_server_passes_from_outside_and_from_itself(self):
        server = self.standard()
        findings, _ = check(NEAR, "--rcpt", "postmaster@gate.test", "--ca-file", self.ca, prefix=self.outside, code=0)
        self.assertEqual(len(found(findings, "open_relay")), 3)
        self.assertEqual(found(findings, "vantage")[0]["from"], "same_network")   # no word about the world
        findings, _ = check("--config", server.config_path, "--ca-file", self.ca, prefix=self.space.prefix(), code=0)
        places = {f["place"] for f in found(findings, "open_relay")}
        # by its own address as a neighbour, and from 127.0.0.1 to it, as a port forward comes
        self.assertTrue({f"world {NEAR}:25", "world 127.0.0.1:25", "users 127.0.0.1:587", f"users-tls {NEAR}:465 <- 127.0.0.1"} <= places, places)
        self.assertTrue([f for f in found(findings, "auth_required") if "127.0.0.1:587" in f["place"] and "530" in f["text"]])
        self.assertTrue(found(findings, "public_address"))
        # what mail clients are told of the same listeners
        xml = xml_tree.fromstring(server.command("config", "autoconfig", "--imap", "imap.gate.test", check=0).stdout.encode())
        self.assertEqual([(s.tag, s.get("type"), s.findtext("hostname"), s.findtext("port"), s.findtext("socketType")) for s in xml.find("emailProvider") if len(s)],
                         [("incomingServer", "imap", "imap.gate.test", "993", "SSL"), ("outgoingServer", "smtp", "gate.test", "465", "SSL"),
                          ("outgoingServer", "smtp", "gate.test", "587", "STARTTLS")])
        self.assertIn("_submissions._tcp.gate.test. 3600 IN SRV 0 1 465 gate.test.\n", server.command("config", "autoconfig", "--dns", check=0).stdout)

    def test_addresses_that_the_world_does_not_reach(self):
        server = self.standard()
        for address, words in (("192.168.7.8/24", None), ("100.64.3.4/32", "CGNAT"), ("192.0.0.2/32", "DS-Lite")):
            ip("-n", self.space.near, "address", "add", address, "dev", "sg0")
            findings, _ = check("--config", server.config_path, "--ca-file", self.ca, prefix=self.space.prefix(), code=0)
            if words:
                told = [f for f in found(findings, "public_address") if f.get("address") == address.split("/")[0]]
                self.assertTrue(told, findings)
                self.assertIn(words, told[0]["text"])
                self.assertIn("Use IPv6", told[0]["next"])
            ip("-n", self.space.near, "address", "del", address, "dev", "sg0")

    def test_a_network_that_holds_a_gateway_or_a_bridge(self):
        ip("-n", self.space.near, "route", "add", "default", "via", FAR)
        server = self.standard('networks = ["192.0.2.0/24"]\n')
        findings, _ = check("--config", server.config_path, "--ca-file", self.ca, prefix=self.space.prefix(), code=78)
        self.assertEqual(wrong(findings), {"networks"})
        (told,) = [f for f in found(findings, "networks") if f["mark"] == "wrong" and "router" in f["text"]]
        self.assertIn(FAR, told["text"])
        self.assertTrue(told["next"])
        # and from outside it is what it looks like: open to who stands in the network
        findings, _ = check(NEAR, "--port", "25", "--rcpt", "postmaster@gate.test", prefix=self.outside, code=78)
        self.assertEqual(wrong(findings), {"open_relay"})
        if ip("-n", self.space.near, "link", "add", "docker0", "type", "bridge", check=False).returncode != 0:
            return
        ip("-n", self.space.near, "address", "add", "172.17.0.1/16", "dev", "docker0")
        ip("-n", self.space.near, "link", "set", "docker0", "up")
        ip("-n", self.space.near, "route", "del", "default")
        with open(server.config_path) as config:
            text = config.read().replace("192.0.2.0/24", "172.16.0.0/12")
        with open(server.config_path, "w") as config:
            config.write(text)
        findings, _ = check("--config", server.config_path, "--ca-file", self.ca, prefix=self.space.prefix(), code=78)
        self.assertTrue([f for f in found(findings, "networks") if f["mark"] == "wrong" and "docker0" in f["text"] and "172.17.0.1" in f["text"]], findings)

    @unittest.skipUnless(postfix.available(), "needs Postfix")
    def test_an_open_relay_is_found(self):
        folder = tempfile.mkdtemp(prefix="sidegate-open-")
        self.addCleanup(shutil.rmtree, folder, True)
        os.chmod(folder, 0o755)
        cert, key = Authority(os.path.join(folder, "ca")).issue("mx")

        def run(networks, relay):
            home = os.path.join(folder, relay.split(",")[0].replace(" ", "_"))
            os.makedirs(home)
            server = postfix.Postfix(home, cert, key, 9, extra=f"""inet_interfaces = all
mydestination = localhost, mx.test
myhostname = mx.test
mynetworks = {networks}
smtpd_tls_security_level = may
smtpd_sasl_auth_enable = no
local_recipient_maps =
smtpd_relay_restrictions = {relay}
smtpd_recipient_restrictions =
""")
            master = os.path.join(server.config, "master.cf")
            with open(master) as text:
                lines = re.sub(r"(?m)^127\.0\.0\.1:\d+ inet.*$", "", text.read())
            with open(master, "w") as out:
                out.write("0.0.0.0:25 inet n - n - - smtpd\n" + lines)
            command = [*self.space.prefix(), "/usr/sbin/postfix", "-c", server.config]
            subprocess.run([*command, "start"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
            try:
                wait_for(lambda: self.greets(25), what="Postfix\n" + server.log_text())
                return check(NEAR, "--port", "25", "--rcpt", "postmaster@mx.test", prefix=self.outside)
            finally:
                subprocess.run([*command, "stop"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
                wait_for(lambda: not self.greets(25), what="Postfix to be gone")
        findings, done = run("0.0.0.0/0", "permit_mynetworks, reject_unauth_destination")
        self.assertEqual(done.returncode, 78, done.stdout + done.stderr)
        (told,) = found(findings, "open_relay")
        self.assertEqual(told["mark"], "wrong")
        self.assertIn("plain", told["tricks"])
        self.assertIn("smtpd_relay_restrictions", told["next"])
        self.assertIn("etrn", {f["check"] for f in findings})
        # The same Postfix with its networks right: nothing of the kind.
        findings, done = run("127.0.0.0/8", "reject_unauth_destination, permit_mynetworks")
        self.assertTrue(found(findings, "open_relay"), done.stdout)
        self.assertNotIn("open_relay", wrong(findings))


if __name__ == "__main__":
    unittest.main()
