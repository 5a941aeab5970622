"""MTA-STS from outside: sts.example says by a TXT record and an HTTPS server which hosts take its mail, and Sidegate at home goes
straight to them; and what is counted for reports about TLS."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, gate, plan                   # noqa: E402
from lab.case import LabCase                              # noqa: E402
from support.server import wait_for                       # noqa: E402

SENDER = plan.TARO.user
DIRECT = '[direct]\nconnect_timeout = "5s"\nretry_after = "1s"\n'
RECORD = '_mta-sts TXT "v=STSv1; id=20260101T000000"\n'
EQUAL_STS = f'_mta-sts TXT "v=STSv1; id=1"\nmta-sts A {plan.POLICY.v4}\n'


def policy(*hosts, mode="enforce", max_age=86400):
    return "".join(["version: STSv1\r\n", f"mode: {mode}\r\n", *(f"mx: {host}\r\n" for host in hosts), f"max_age: {max_age}\r\n"])


class StsCase(LabCase):
    def setUp(self):
        super().setUp()
        self.lab.set(port25="open")
        self.lab.policy.serve()

    def gate(self, extra=""):
        server = gate.Gate(self.lab, DIRECT + extra)
        self.addCleanup(server.discard)
        self.addCleanup(server.end)
        return server.start()

    def arrives(self, server, recipient, seconds=120):
        try:
            return self.lab.wait_for_mail(recipient, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\nSidegate's log:\n{server.log_text()[-4000:]}") from None

    def waits(self, server, recipient, *words):
        """It is not delivered, and the way says why."""
        domain = recipient.partition("@")[2]
        down = wait_for(lambda: [event for event in server.events("way_down") if event.get("destination") == domain], 120,
                        what=f"mail to {domain} that waits:\n" + server.log_text()[-3000:])[-1]
        self.assertEqual(self.lab.mailbox(recipient), [], server.log_text()[-3000:])
        for word in words:
            self.assertIn(word, down["reason"])
        self.assertEqual(server.events("report"), [])
        return down

    def explained(self, server, domain="sts.example"):
        return json.loads(server.command("explain", "sts", domain, "--json", check=0).stdout)

    def counted(self, server, domain):
        """{policy type: (good, failed, {result types})} of all days there are (midnight may pass)."""
        found = {}
        for line in server.command("tls", "report", domain, "--json", check=0).stdout.splitlines():
            for one in json.loads(line)["policies"]:
                kind, summary = one["policy"]["policy-type"], one["summary"]
                good, failed, types = found.get(kind, (0, 0, set()))
                found[kind] = (good + summary["total-successful-session-count"], failed + summary["total-failure-session-count"],
                               types | {detail["result-type"] for detail in one.get("failure-details", ())})
        return found

    def wait_for_count(self, server, domain, kind, condition):
        return wait_for(lambda: (found := self.counted(server, domain).get(kind)) and condition(*found) and found,
                        what=f"counts of {kind} for {domain}: {self.counted(server, domain)}")

    def present(self, certificate):
        """What the MX of sts.example shows from now on."""
        cert, key = certificate
        self.lab.exchangers["sts"].change(smtpd_tls_cert_file=cert, smtpd_tls_key_file=key)

    def wrong_certificate(self):
        right = tuple(self.lab.path("ca", plan.STS.name + end) for end in (".pem", ".key"))
        self.addCleanup(self.present, right)
        self.present(self.lab.authority.issue("mail.other.example", ("mail.other.example",), ()))
        return right


class Enforced(StsCase):
    def test_a_host_that_is_listed(self):
        server = self.gate()
        server.send(SENDER, ["listed@sts.example"])
        self.arrives(server, "listed@sts.example")
        found = self.explained(server)
        self.assertEqual((found["in_force"], found["record"]["id"], found["policy"]["mx"]), ("enforce", "20260101T000000", [plan.STS.name]))
        self.assertIn(plan.STS.name, server.command("explain", "sts", "sts.example", check=0).stdout)
        self.wait_for_count(server, "sts.example", "sts", lambda good, failed, types: good >= 1 and failed == 0)
        server.send(SENDER, ["plainly@plain.example"])
        self.arrives(server, "plainly@plain.example")
        self.wait_for_count(server, "plain.example", "no-policy-found", lambda good, failed, types: types == {"starttls-not-supported"})
        # Both are there after a restart, and for who asks while it is down.
        server.stop()
        self.assertEqual(self.explained(server)["in_force"], "enforce")
        self.assertIn("sts", self.counted(server, "sts.example"))
        self.lab.policy.serve(how="404")
        server.start()
        self.assertEqual(self.explained(server)["in_force"], "enforce")
        self.assertIn("sts", self.counted(server, "sts.example"))
        server.stop()

    def test_a_host_that_is_not_listed(self):
        self.lab.policy.serve(policy("mail.other.example"))
        server = self.gate()
        server.send(SENDER, ["unlisted@sts.example"])
        self.waits(server, "unlisted@sts.example", plan.STS.name, "MTA-STS")
        self.wait_for_count(server, "sts.example", "sts", lambda good, failed, types: good == 0 and "validation-failure" in types)
        server.stop()
        # Another policy, another id: looked for before anything fails for good.
        self.lab.policy.serve()
        self.lab.change_zone("sts.example.", RECORD, RECORD.replace("20260101", "20260102"))
        self.addCleanup(self.lab.change_zone, "sts.example.", RECORD.replace("20260101", "20260102"), RECORD)
        server.start()
        self.arrives(server, "unlisted@sts.example")
        self.assertEqual(self.explained(server)["policy"]["id"], "20260102T000000")
        server.stop()

    def test_starttls_that_is_taken_away(self):
        """From two hosts of different houses, never met before, that publish it by DANE and by MTA-STS: not their own doing."""
        for name in ("dane", "sts"):
            mx = self.lab.exchangers[name]
            self.addCleanup(mx.change, smtpd_discard_ehlo_keywords="")
            mx.change(smtpd_discard_ehlo_keywords="starttls")
        server = self.gate(f'port25_retry_after = "2s"\n[dns]\ntrust_anchor = {json.dumps(self.lab.knot.anchor)}\n')
        for name in ("dane", "sts"):
            server.send(SENDER, [f"stripped@{name}.example"])
        wait_for(lambda: server.events("port25_intercepted"), 120, what="the interceptor")
        self.assertIn("are known to offer STARTTLS", server.command("status").stdout)
        for name in ("dane", "sts"):
            self.assertEqual(self.lab.mailbox(f"stripped@{name}.example"), [])
            self.lab.exchangers[name].change(smtpd_discard_ehlo_keywords="")
        for name in ("dane", "sts"):
            self.arrives(server, f"stripped@{name}.example")
        self.assertEqual(server.events("report"), [])
        server.stop()

    def test_of_several_hosts_those_that_are_listed(self):
        self.lab.policy.serve(policy(plan.STS.name))
        self.lab.change_zone("equal.example.", "@ MX 20", EQUAL_STS + "@ MX 20")
        self.addCleanup(self.lab.change_zone, "equal.example.", EQUAL_STS, "")
        server = self.gate()
        for n in range(4):   # the two best ones are shuffled
            server.send(SENDER, [f"several{n}@equal.example"])
            self.arrives(server, f"several{n}@equal.example")
            self.assertEqual(len(self.lab.exchangers["sts"].mailbox(f"several{n}@equal.example")), 1)
        server.stop()

    def test_a_wrong_certificate_also_when_the_policy_has_vanished(self):
        server = self.gate()
        server.send(SENDER, ["before@sts.example"])
        self.arrives(server, "before@sts.example")
        server.stop()
        # Whoever answers in place of the MX takes record and policy away too: what is known stays in force.
        self.lab.policy.serve(how="404")
        self.lab.change_zone("sts.example.", RECORD, "")
        self.addCleanup(self.lab.change_zone, "sts.example.", '_smtp._tls TXT', RECORD + '_smtp._tls TXT')
        right = self.wrong_certificate()
        server.start()
        server.send(SENDER, ["during@sts.example"])
        self.waits(server, "during@sts.example", "certificate")
        self.wait_for_count(server, "sts.example", "sts", lambda good, failed, types: "certificate-host-mismatch" in types)
        self.present(right)
        self.arrives(server, "during@sts.example")
        server.stop()


class Testing(StsCase):
    def test_it_goes_and_is_counted(self):
        self.lab.policy.serve(policy("mail.other.example", mode="testing"))
        server = self.gate()
        server.send(SENDER, ["tested@sts.example"])
        self.arrives(server, "tested@sts.example")
        self.assertEqual(self.explained(server)["in_force"], "testing")
        self.wait_for_count(server, "sts.example", "sts", lambda good, failed, types: types == {"validation-failure"})
        server.stop()

    def test_a_wrong_certificate_is_counted(self):
        self.lab.policy.serve(policy(plan.STS.name, mode="testing"))
        self.wrong_certificate()
        server = self.gate()
        server.send(SENDER, ["tested2@sts.example"])
        self.arrives(server, "tested2@sts.example")
        self.wait_for_count(server, "sts.example", "sts", lambda good, failed, types: types == {"certificate-host-mismatch"})
        server.stop()


class NotFetched(StsCase):
    def test_mail_goes_as_without_a_policy(self):
        for how, result in (("301", "sts-policy-fetch-error"), ("large", "sts-policy-invalid"), ("html", "sts-policy-invalid"),
                            ("hang", "sts-policy-fetch-error")):
            with self.subTest(how=how):
                self.lab.policy.serve(policy("mail.other.example"), how)
                server = self.gate()
                server.send(SENDER, [f"{how}@sts.example"])
                server.send(SENDER, [f"{how}@plain.example"])   # nobody else waits for it
                self.arrives(server, f"{how}@plain.example")
                self.arrives(server, f"{how}@sts.example")
                self.wait_for_count(server, "sts.example", "sts", lambda good, failed, types, wanted=result: types == {wanted})
                self.assertEqual(self.explained(server)["in_force"], "none")
                server.stop()

    def test_switched_off(self):
        self.lab.policy.serve(policy("mail.other.example"))
        asked = self.lab.policy.questions()
        server = self.gate("mta_sts = false\n")
        server.send(SENDER, ["off@sts.example"])
        self.arrives(server, "off@sts.example")
        self.assertEqual(self.lab.policy.questions(), asked)
        server.stop()


if __name__ == "__main__":
    become_able()
    unittest.main()
