"""`sidegate doctor` on every kind of line: the right verdict on each, and no alarm where mail goes."""
import contextlib
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, gate, plan                   # noqa: E402
from lab.case import LabCase                              # noqa: E402
from support.server import BINARY                         # noqa: E402

EXCHANGERS = tuple(f"{host.name}:25" for host in plan.EXCHANGERS.values())
SUBMISSION = (f"{plan.PROVIDER.name}:465,587,2525", f"{plan.RELAY.name}:465,587")
CONTROL = (f"{plan.POLICY.name}:443",)
TARGETS = EXCHANGERS + SUBMISSION + CONTROL


class DoctorCase(LabCase):
    def setUp(self):
        super().setUp()
        self.server = None

    def gate(self, relay="", targets=TARGETS, run=True, more="", domains=()):
        # No domain: root's mail leaves like any other, no alias is looked for, and nothing of this machine is judged.
        extra = f"local_domains = {json.dumps(list(domains))}\n[doctor]\ntargets = {json.dumps(list(targets))}\n" + more
        self.server = gate.Gate(self.lab, relay, extra)
        self.addCleanup(self.server.discard)
        self.addCleanup(self.server.end)
        return self.server.start() if run else self.server

    def sidegate(self, *arguments, language="C"):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SIDEGATE_")}
        return subprocess.run([*self.lab.home.enter(pids=False), BINARY, *arguments, "--config", self.server.config_path],
                              capture_output=True, text=True, timeout=300, env=dict(environment, LC_ALL=language))

    def doctor(self, *arguments, code=None, language="C"):
        """(findings by check, exit code, text)"""
        text = "--text" in arguments
        arguments = [a for a in arguments if a != "--text"]
        done = self.sidegate("doctor", *arguments, *([] if text else ["--json"]), language=language)
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        if text:
            return done.stdout
        return [json.loads(line) for line in done.stdout.splitlines()]

    @staticmethod
    def ports(findings):
        """{(port, family): verdict}"""
        return {(f["port"], f["family"]): f["verdict"] for f in findings if f["check"] == "port"}

    @staticmethod
    def one(findings, check):
        (found,) = (f for f in findings if f["check"] == check)
        return found

    def marks(self, findings, at_least):
        order = ("ok", "note", "warning", "wrong")
        return [f["text"] for f in findings if f["check"] != "result" and order.index(f["mark"]) >= order.index(at_least)]


class Lines(DoctorCase):
    def test_each_state_of_port_25(self):
        """With a relay that works no line is an alarm, but for one where somebody else answers."""
        self.gate(gate.isp())
        for state, verdict in (("open", "open"), ("drop", "timeout"), ("reject", "refused"), ("intercept", "intercepted")):
            with self.subTest(port25=state):
                self.lab.set(port25=state)
                findings = self.doctor(code=1 if state == "intercept" else 0)
                ports = self.ports(findings)
                for family in ("IPv4", "IPv6"):
                    self.assertEqual(ports[25, family], verdict, findings)
                    for port in (465, 587):
                        self.assertEqual(ports[port, family], "open", findings)
                if state == "intercept":
                    self.assertEqual({f["by"] for f in findings if f.get("verdict") == "intercepted"}, {plan.FILTER.name})
                else:
                    self.assertEqual(self.marks(findings, "warning"), [])
                self.assertIs(self.one(findings, "way_out")["direct"], state == "open")

    def test_poor_lines_are_no_alarm(self):
        """A router's forwarder without EDNS, no IPv6, and a target that is dead."""
        self.gate(gate.isp(), targets=(*TARGETS, f"{plan.NOBODY}:25"))
        for port25, verdict in (("drop", "timeout"), ("open", "open")):
            with self.subTest(port25=port25):
                self.lab.set(port25=port25, dns="router", ipv6="absent")
                findings = self.doctor(code=0)
                self.assertEqual(self.marks(findings, "warning"), [])
                self.assertEqual(self.ports(findings)[25, "IPv4"], verdict)
                self.assertEqual(self.one(findings, "ipv6")["state"], "absent")
                router = self.one(findings, "dns_server")
                self.assertEqual((router["answers"], router["edns"], router["dnssec"], router["tcp"]), (True, False, False, False))

    def test_port_25_is_all_that_is_tried(self):
        """Three targets that are silent there are a closed port, one says nothing; neither is a line that is down."""
        self.lab.set(port25="drop")
        for targets, verdict in ((EXCHANGERS[:3], "timeout"), (EXCHANGERS[:1], "unknown")):
            with self.subTest(targets=targets):
                self.gate(gate.isp(), targets=targets)
                findings = self.doctor(code=0)
                self.assertEqual(self.ports(findings)[25, "IPv4"], verdict, findings)
                for family in ("ipv4", "ipv6"):
                    self.assertIn(self.one(findings, family)["state"], ("works", "unknown"), findings)
                self.assertEqual(self.marks(findings, "warning"), [])

    def test_a_route_that_goes_direct(self):
        self.gate(gate.isp(), more='[[route]]\nrecipient = ".example"\nways = ["direct"]\n')
        self.lab.set(port25="drop")
        findings = self.doctor(code=1)
        way = self.one(findings, "way_out")
        self.assertEqual(way["mark"], "warning", way)
        self.assertIn("[[route]]", way["text"])

    def test_good_dns(self):
        self.gate(gate.isp())
        server = self.one(self.doctor("--only", "network"), "dns_server")
        self.assertEqual((server["mark"], server["edns"], server["dnssec"], server["tcp"]), ("ok", True, True, True), server)

    def test_dead_ipv6(self):
        """Told once, for the family; and no port is said to be closed for it."""
        self.gate(gate.isp())
        self.lab.set(port25="open", ipv6="dead")
        findings = self.doctor(code=1)
        self.assertEqual(self.one(findings, "ipv6")["state"], "dead")
        self.assertEqual(self.marks(findings, "warning"), [self.one(findings, "ipv6")["text"]])
        self.assertEqual(self.ports(findings)[25, "IPv4"], "open")

    def test_no_relay(self):
        """The first state of every user: what to write is said, and it is what works then."""
        self.gate()
        findings = self.doctor(code=2)
        way = self.one(findings, "way_out")
        self.assertEqual(way["mark"], "wrong")
        self.assertIn("[[relay]]\n", way["paste"])
        self.assertIn("port = 465\n", way["paste"])
        self.assertEqual(self.ports(findings)[25, "IPv4"], "timeout")
        self.lab.close_port(465)
        self.lab.close_port(587)
        self.gate(targets=(f"{plan.PROVIDER.name}:465,587,2525", *EXCHANGERS, *CONTROL))
        self.assertIn("port = 2525\n", self.one(self.doctor(code=2), "way_out")["paste"])

    def test_open_without_a_relay(self):
        """`direct` is advised only where the address has a name of its own: here it is one of a line's."""
        self.gate(more="[direct]\nenabled = true\n")
        self.lab.set(port25="open")
        findings = self.doctor(code=1)
        reverse = [f for f in findings if f["check"] == "reverse_dns"]
        self.assertEqual({f["address"] for f in reverse}, {plan.HOME.v4, plan.HOME.v6})
        self.assertTrue(all(f["generic"] for f in reverse), reverse)
        self.assertEqual(self.one(findings, "way_out")["mark"], "warning")

    def test_a_target_that_is_off_is_no_block(self):
        """Nobody answers at one host, whose router says so: nothing is known of port 25, and nothing is broken for it."""
        self.gate(targets=(f"{plan.NOBODY}:25", SUBMISSION[0]), more="[direct]\nenabled = true\n")
        self.lab.set(port25="open")
        findings = self.doctor("--only", "network", code=1)
        self.assertEqual(self.ports(findings)[25, "IPv4"], "unknown", findings)
        way = self.one(findings, "way_out")
        self.assertEqual(way["mark"], "warning", way)
        self.assertIn("not known", way["text"])

    def test_other_ports(self):
        self.gate(gate.isp())
        self.lab.close_port(587)
        self.lab.close_port(2525, "reject")
        findings = self.doctor(code=0)
        ports = self.ports(findings)
        self.assertEqual(ports[587, "IPv4"], "open", "the ISP's own server answers")
        self.assertEqual(ports[2525, "IPv4"], "refused")

    def test_dns_that_is_dead(self):
        self.gate(gate.isp())
        self.lab.home.resolve_by(plan.NOBODY)
        findings = self.doctor(code=2)
        self.assertFalse(self.one(findings, "dns")["works"])
        self.assertEqual(self.ports(findings)[25, "IPv4"], "dns_fault")


class Machine(DoctorCase):
    def test_relay_that_refuses_the_password(self):
        account = plan.Account(plan.TARO.user, "wrong")
        self.gate(gate.isp(account=account))
        relay = self.one(self.doctor("--only", "relays", code=2), "relay")
        self.assertEqual((relay["mark"], relay["step"]), ("wrong", "auth"), relay)

    def test_relay_whose_first_port_is_closed(self):
        """Mail goes by the second: a note that says which answers, and no alarm."""
        self.gate(f'[[relay]]\nname = "provider"\nhost = "{plan.PROVIDER.name}"\nports = [2526, 587]\n'
                  f'user = "{plan.ME.user}"\npassword = "{plan.ME.password}"\n')
        relay = self.one(self.doctor("--only", "relays", code=0), "relay")
        self.assertEqual((relay["mark"], relay["answers"]), ("note", f"{plan.PROVIDER.name}:587"), relay)
        self.assertIn(":2526: connect:", relay["why"])

    def test_server_that_is_down(self):
        """All else is looked at; a program that holds our port is named."""
        self.gate(gate.isp(), run=False)
        findings = self.doctor(code=1)
        self.assertIs(self.one(findings, "server")["running"], False)
        self.assertEqual(self.one(findings, "relay")["mark"], "ok")
        self.assertEqual(self.one(findings, "queue")["mark"], "ok")

    def test_offline_and_only(self):
        self.gate(gate.isp())
        self.lab.firewall.forget_attempts()
        checks = {f["check"] for f in self.doctor("--offline")}
        self.assertFalse(checks & {"port", "dns", "relay", "way_out"}, checks)
        self.assertEqual(self.lab.attempts_on_port25(), [])
        checks = {f["check"] for f in self.doctor("--only", "network")}
        self.assertFalse(checks & {"disk", "relay", "listener"}, checks)
        self.assertLessEqual({"dns", "ipv4", "ipv6", "port", "way_out", "hostname"}, checks)

    def test_one_line_a_check(self):
        self.gate()
        text = self.doctor("--text", code=2)
        self.assertIn("[[relay]]", text)
        self.assertNotIn("\x1b", text)
        for line in text.splitlines():
            self.assertRegex(line, r"^(ok|note|WARN|WRONG) |^$|^        ")


class Domains(DoctorCase):
    def test_records_that_admit_the_relay(self):
        self.gate(gate.isp(), domains=["home.example"])
        findings = self.doctor("--only", "domains", code=0)
        (spf,) = (f for f in findings if f["check"] == "spf")
        self.assertEqual((spf["domain"], spf["way"], spf["admitted"]), ("home.example", "isp", True), spf)
        self.assertIs(self.one(findings, "dmarc")["passes"], True)
        # The account's own domain is the provider's business.
        self.assertTrue(any(f.get("providers_own") and f["domain"] == "isp.example" for f in findings), findings)

    def test_spf_that_lacks_the_relay(self):
        """What is to be published is said, and once it is published all is well."""
        self.gate(gate.isp(), domains=["home.example"])
        self.lab.change_zone("home.example.", "include:spf.isp.example ", "")
        try:
            spf = self.one(self.doctor("--only", "domains", code=1), "spf")
            self.assertEqual((spf["mark"], spf["result"]), ("warning", "fail"), spf)
            self.assertEqual(spf["paste"], 'home.example. IN TXT "v=spf1 include:spf.provider.example include:spf.isp.example -all"')
            done = self.sidegate("relay", "test", "isp", "--json")
            steps = [json.loads(line) for line in done.stdout.splitlines()]
            self.assertEqual([s["paste"] for s in steps if s["step"] == "spf"], [spf["paste"]])
        finally:
            self.lab.change_zone("home.example.", "v=spf1 include:spf.provider.example", "v=spf1 include:spf.isp.example include:spf.provider.example")
        self.doctor("--only", "domains", code=0)

    def test_two_providers_by_sender(self):
        """A record need not admit the relay that a [[route]] keeps the domain's mail from."""
        routes = '[[route]]\nsender = "@home.example"\nways = ["provider"]\n[[route]]\nways = ["isp"]\n'
        self.gate(gate.isp() + gate.provider(), more=routes)
        self.enterContext(self.published("include:spf.provider.example -all"))
        ways = {(f["domain"], f["way"]) for f in self.doctor("--only", "domains", code=0) if f["check"] == "spf"}
        self.assertEqual({way for domain, way in ways if domain == "home.example"}, {"provider"}, ways)
        done = self.sidegate("relay", "test", "isp", "--json")
        self.assertNotIn("home.example", done.stdout)
        # Who asks for one address by one relay is told of that.
        done = self.sidegate("relay", "test", "isp", "--from", "ann@home.example", "--json")
        (spf,) = (step for step in map(json.loads, done.stdout.splitlines()) if step["step"] == "spf")
        self.assertEqual((spf["way"], spf["admitted"]), ("isp", False), spf)
        # Of a relay that is in no configuration yet too.
        secret = os.path.join(self.server.folder, "himitsu")
        with open(secret, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as f:
            f.write(plan.TARO.password)
        done = self.sidegate("relay", "test", f"{plan.RELAY.name}:587", "--user", plan.TARO.user, "--password-file", secret,
                             "--from", "ann@home.example", "--json")
        (spf,) = (step for step in map(json.loads, done.stdout.splitlines()) if step["step"] == "spf")
        self.assertEqual(spf["admitted"], False, spf)

    @contextlib.contextmanager
    def published(self, record):
        """Another SPF record of home.example, for a while."""
        standing = "include:spf.isp.example include:spf.provider.example -all"
        self.lab.change_zone("home.example.", standing, record)
        try:
            yield
        finally:
            self.lab.change_zone("home.example.", record, standing)

    def spf(self):
        found = [f for f in self.doctor("--only", "domains", code=1) if f["check"] == "spf" and f["domain"] == "home.example"]
        return found, [f["paste"].replace('" "', "") for f in found if f.get("paste")]   # strings of 255 octets

    def test_what_is_to_be_published_is_no_harm(self):
        self.gate(gate.isp() + gate.provider(), domains=["home.example"])
        isp, provider = (f"ip4:{host.v4} ip6:{host.v6}" for host in (plan.RELAY, plan.PROVIDER))
        names = "a:mail.dane.example a:mail.sts.example a:mail.plain.example a:vps.own.example a:ns.example " \
                "a:border.example a:dns.example a:filter.isp.example a:old.isp.example"
        for what, standing, wanted in (
                ("two ways", "-all", "include:spf.isp.example include:spf.provider.example -all"),
                ("broken", "a:vps.own.example foo:bar -all", "a:vps.own.example include:spf.isp.example include:spf.provider.example -all"),
                ("two records", 'mx -all"\n@ TXT "v=spf1 include:spf.isp.example -all', "include:spf.isp.example mx include:spf.provider.example -all"),
                ("too many", f"{names} -all", f"{names} {isp} {provider} -all"),
                ("too many already", f"{names} mx a:gw.isp.example -all", None)):
            with self.subTest(what), self.published(standing):
                found, pastes = self.spf()
                self.assertEqual(pastes, [f'home.example. IN TXT "v=spf1 {wanted}"'] if wanted else [], found)

    def test_a_domain_that_is_an_alias(self):
        self.gate(gate.isp(), domains=["news.chain.example"])
        (spf,) = (f for f in self.doctor("--only", "domains", code=1) if f["check"] == "spf")
        self.assertNotIn("paste", spf)
        self.assertIn("alias (CNAME) of first.chain.example", spf["next"])

    def test_a_domain_that_does_not_exist(self):
        self.gate(gate.isp(), domains=["nowhere.example"])
        findings = [f for f in self.doctor("--only", "domains", code=1) if f.get("domain") == "nowhere.example"]
        self.assertEqual([(f["check"], f["mark"], f["resolves"]) for f in findings], [("sender_domain", "warning", False)])

    def test_one_real_message(self):
        self.gate(gate.isp(), domains=["home.example"])
        done = self.sidegate("relay", "test", "isp", "--send-to", "real@dane.example", "--json")
        steps = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("send", [s["step"] for s in steps if s["ok"]])
        senders = [s["sender"] for s in steps if s["step"] == "mail"]
        self.assertEqual(senders, [plan.TARO.user, "postmaster@home.example", "root@gate.test"])
        (mail,) = self.lab.wait_for_mail("real@dane.example")
        self.assertIn(b"Subject: Sidegate relay test", mail)


if __name__ == "__main__":
    become_able()
    unittest.main()
